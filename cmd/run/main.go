// Command run is the run stage of the rolecall driver.
package main

import (
	"rolecall/internal/stage"
	"rolecall/internal/stage/run"
)

func main() { stage.Main("run", run.Run) }

// Command prepare is the prepare stage of the rolecall driver.
package main

import (
	"rolecall/internal/stage"
	"rolecall/internal/stage/prepare"
)

func main() { stage.Main("prepare", prepare.Run) }

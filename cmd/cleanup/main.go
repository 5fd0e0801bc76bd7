// Command cleanup is the cleanup stage of the rolecall driver.
package main

import (
	"rolecall/internal/stage"
	"rolecall/internal/stage/cleanup"
)

func main() { stage.Main(stage.Cleanup, cleanup.Run) }

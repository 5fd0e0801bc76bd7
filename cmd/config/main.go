// Command config is the config stage of the rolecall driver.
package main

import (
	"rolecall/internal/stage"
	"rolecall/internal/stage/config"
)

func main() { stage.Main("config", config.Run) }

// Command run is the run stage of the rolecall driver.
package main

import "rolecall/internal/stage/run"

func main() { run.New().Main() }

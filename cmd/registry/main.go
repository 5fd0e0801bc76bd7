// Command registry asks a registry what the name of an image stands for. The prepare stage
// starts it.
package main

import (
	_ "rolecall/internal/crash"
	"rolecall/internal/registry/ask"
)

func main() { ask.Main() }

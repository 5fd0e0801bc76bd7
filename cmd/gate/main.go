// Command gate looks for secrets in what GitLab Runner is about to upload. The run
// stage starts it.
package main

import (
	_ "rolecall/internal/crash"
	"rolecall/internal/gate/inspect"
)

func main() { inspect.Main() }

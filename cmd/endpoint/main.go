// Command endpoint gives a job its credentials by HTTP, and renews them. The run stage starts
// it.
package main

import (
	_ "rolecall/internal/crash"
	"rolecall/internal/creds/aws/sts"
	"rolecall/internal/endpoint/serve"
)

func main() { serve.Main(sts.NewProvider()) }

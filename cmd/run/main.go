// Command run is the run stage of the rolecall driver.
package main

import (
	"rolecall/internal/backend/host"
	_ "rolecall/internal/crash"
	"rolecall/internal/creds/aws"
	"rolecall/internal/stage/run"
)

func main() {
	run.New(run.Parts{
		Backends:  []run.Backend{host.New()},
		Providers: []run.Provider{aws.Scripts{}},
	}).Main()
}

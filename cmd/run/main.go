// Command run is the run stage of the rolecall driver.
package main

import (
	"rolecall/internal/backend/host"
	"rolecall/internal/backend/podman"
	_ "rolecall/internal/crash"
	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/azure"
	"rolecall/internal/creds/gcp"
	"rolecall/internal/handover/errand"
	"rolecall/internal/stage/run"
	"rolecall/internal/state"
)

func main() {
	on := host.New()
	run.New(run.Parts{
		Backends:  []run.Backend{on, podman.New(on)},
		Providers: []run.Provider{aws.Scripts{}, gcp.Scripts{}, azure.Scripts{}},
		Stores:    []run.Store{state.Local{}, errand.Bucket(), errand.Vault()},
	}).Main()
}

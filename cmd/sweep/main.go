// Command sweep removes what jobs left whose stages or runner have died.
package main

import (
	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	"rolecall/internal/backend/podman"
	_ "rolecall/internal/crash"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/creds/azure"
	"rolecall/internal/creds/external"
	"rolecall/internal/creds/gcp"
	"rolecall/internal/creds/static"
	"rolecall/internal/creds/vault"
	"rolecall/internal/sweep"
	"rolecall/internal/tenant/policyfile"
)

func main() {
	on := host.New()
	boxed := podman.New(on)
	sweep.Parts{
		Backends:  []backend.Reaper{on, boxed},
		Tidiers:   []backend.Tidier{boxed},
		Pruners:   []sweep.Pruner{boxed},
		Providers: []policyfile.Provider{grant.AWS{}, static.Provider{}, external.Exec{}, gcp.Provider{}, azure.Provider{}, vault.Provider{}},
	}.Main()
}

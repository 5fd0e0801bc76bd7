// Command cleanup is the cleanup stage of the rolecall driver.
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
	"rolecall/internal/stage/cleanup"
	"rolecall/internal/tenant/policyfile"
)

func main() {
	on := host.New()
	cleanup.New(cleanup.Parts{
		Backends:  []backend.Reaper{on, podman.New(on)},
		Providers: []policyfile.Provider{grant.AWS{}, static.Provider{}, external.Exec{}, gcp.Provider{}, azure.Provider{}, vault.Provider{}},
		Searchers: []cleanup.Searcher{on, podman.New(on)},
	}).Main()
}

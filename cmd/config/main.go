// Command config is the config stage of the rolecall driver.
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
	"rolecall/internal/stage/config"
	"rolecall/internal/tenant/policyfile"
)

func main() {
	on := host.New()
	config.New(config.Parts{
		Backends:  []config.Backend{on, podman.New(on)},
		Tidiers:   []backend.Tidier{podman.New(on)},
		Providers: []policyfile.Provider{grant.AWS{}, static.Provider{}, external.Exec{}, gcp.Provider{}, azure.Provider{}, vault.Provider{}},
	}).Main()
}

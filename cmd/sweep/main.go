// Command sweep removes what jobs left whose stages or runner have died.
package main

import (
	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	"rolecall/internal/backend/podman"
	_ "rolecall/internal/crash"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/sweep"
	"rolecall/internal/tenant/policyfile"
)

func main() {
	on := host.New()
	sweep.Parts{
		Backends:  []backend.Reaper{on, podman.New(on)},
		Tidiers:   []backend.Tidier{podman.New(on)},
		Providers: []policyfile.Provider{grant.AWS{}},
	}.Main()
}

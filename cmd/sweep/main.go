// Command sweep removes what jobs left whose stages or runner have died.
package main

import (
	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	_ "rolecall/internal/crash"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/sweep"
	"rolecall/internal/tenant/policyfile"
)

func main() {
	sweep.Parts{
		Backends:  []backend.Reaper{host.New()},
		Providers: []policyfile.Provider{grant.AWS{}},
	}.Main()
}

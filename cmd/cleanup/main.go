// Command cleanup is the cleanup stage of the rolecall driver.
package main

import (
	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	_ "rolecall/internal/crash"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/stage/cleanup"
	"rolecall/internal/tenant/policyfile"
)

func main() {
	cleanup.New(cleanup.Parts{
		Backends:  []backend.Reaper{host.New()},
		Providers: []policyfile.Provider{grant.AWS{}},
		Searchers: []cleanup.Searcher{host.New()},
	}).Main()
}

// Command config is the config stage of the rolecall driver.
package main

import (
	"rolecall/internal/backend/host"
	_ "rolecall/internal/crash"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/stage/config"
	"rolecall/internal/tenant/policyfile"
)

func main() {
	config.New(config.Parts{
		Backends:  []config.Backend{host.New()},
		Providers: []policyfile.Provider{grant.AWS{}},
	}).Main()
}

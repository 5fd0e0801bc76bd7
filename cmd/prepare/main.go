// Command prepare is the prepare stage of the rolecall driver.
package main

import (
	"rolecall/internal/backend/host"
	"rolecall/internal/backend/podman"
	_ "rolecall/internal/crash"
	"rolecall/internal/creds/aws/sts"
	azure "rolecall/internal/creds/azure/exchange"
	"rolecall/internal/creds/external/helper"
	gcp "rolecall/internal/creds/gcp/exchange"
	"rolecall/internal/creds/static"
	vault "rolecall/internal/creds/vault/client"
	"rolecall/internal/handover/errand"
	"rolecall/internal/stage/prepare"
	"rolecall/internal/state"
)

func main() {
	on := host.New()
	prepare.New(prepare.Parts{
		Backends:  []prepare.Backend{on, podman.New(on)},
		Providers: []prepare.Provider{sts.NewProvider(), static.Provider{}, helper.Provider{}, gcp.Provider{}, azure.Provider{}, vault.Provider{}},
		Stores:    []prepare.Store{state.Local{}, errand.Bucket(), errand.Vault()},
	}).Main()
}

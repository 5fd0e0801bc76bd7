// Command rolecall-broker gives the jobs of any executor credentials for their ID token.
package main

import (
	"rolecall/internal/broker"
	_ "rolecall/internal/crash"
	"rolecall/internal/creds/aws/sts"
	azure "rolecall/internal/creds/azure/exchange"
	"rolecall/internal/creds/external"
	gcp "rolecall/internal/creds/gcp/exchange"
	"rolecall/internal/creds/static"
	vault "rolecall/internal/creds/vault/client"
)

func main() {
	broker.Main(sts.NewProvider().Lasting(), static.Provider{}, external.Remote{}, gcp.Provider{}, azure.Provider{}, vault.Provider{})
}

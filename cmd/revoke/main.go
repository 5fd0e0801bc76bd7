// Command revoke revokes what servers have given to jobs that have ended.
package main

import (
	_ "rolecall/internal/crash"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/creds/azure"
	"rolecall/internal/creds/external"
	"rolecall/internal/creds/external/helper"
	"rolecall/internal/creds/gcp"
	"rolecall/internal/creds/static"
	"rolecall/internal/creds/vault"
	"rolecall/internal/creds/vault/client"
	"rolecall/internal/revocation"
	"rolecall/internal/tenant/policyfile"
)

func main() {
	revocation.Parts{
		Revokers:  []revocation.Revoker{helper.Provider{}, client.Provider{}},
		Providers: []policyfile.Provider{grant.AWS{}, static.Provider{}, external.Exec{}, gcp.Provider{}, azure.Provider{}, vault.Provider{}},
	}.Main()
}

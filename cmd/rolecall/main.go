// Command rolecall tells a runner's admin what is wrong, and why a job was allowed
// or refused.
package main

import (
	"rolecall/internal/admin"
	_ "rolecall/internal/crash"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/creds/azure"
	"rolecall/internal/creds/external"
	"rolecall/internal/creds/gcp"
	"rolecall/internal/creds/static"
	"rolecall/internal/creds/vault"
)

func main() {
	admin.Program{grant.AWS{}, static.Provider{}, external.Exec{}, gcp.Provider{}, azure.Provider{}, vault.Provider{}}.Main()
}

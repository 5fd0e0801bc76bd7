// Command prepare is the prepare stage of the rolecall driver.
package main

import (
	"rolecall/internal/backend/host"
	_ "rolecall/internal/crash"
	"rolecall/internal/creds/aws/sts"
	"rolecall/internal/stage/prepare"
)

func main() {
	prepare.New(prepare.Parts{
		Backends:  []prepare.Backend{host.New()},
		Providers: []prepare.Provider{sts.NewProvider()},
	}).Main()
}

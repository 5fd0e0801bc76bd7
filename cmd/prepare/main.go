// Command prepare is the prepare stage of the rolecall driver.
package main

import (
	"rolecall/internal/creds/aws/sts"
	"rolecall/internal/stage/prepare"
)

func main() {
	prepare.New(prepare.Parts{
		Providers: []prepare.Provider{sts.NewProvider()},
	}).Main()
}

// Command credential prints a credential of the job in the form of credential_process. Tools
// of AWS start it for a profile.
package main

import (
	_ "rolecall/internal/crash"
	"rolecall/internal/credential"
)

func main() { credential.Main() }

// Command sweep removes what jobs left whose stages or runner have died.
package main

import (
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/sweep"
)

func main() { sweep.Sweep{grant.AWS{}}.Main() }

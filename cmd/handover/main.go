// Command handover carries values between jobs to and from a store on other hosts. The stages
// prepare and run start it.
package main

import (
	_ "rolecall/internal/crash"
	"rolecall/internal/handover/carrier"
)

func main() { carrier.Main() }

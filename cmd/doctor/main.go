// Command doctor tells a runner's admin what is wrong, and why a job was allowed
// or refused.
package main

import "rolecall/internal/doctor"

func main() { doctor.Main() }

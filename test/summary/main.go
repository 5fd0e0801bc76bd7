// Command summary reads what go test -json prints, and prints what go test prints
// without -json: a line for each package, and the output of tests that failed. At
// the end it lists the tests that were skipped, with their reasons. It exits with 1
// where something failed and, with ROLECALL_CI=1, where a test was skipped.
//
//	go test -json ./... | go run ./test/summary
package main

import "os"

func main() {
	os.Exit(summarize(os.Stdin, os.Stdout, os.Getenv("ROLECALL_CI") == "1"))
}

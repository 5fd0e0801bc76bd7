// Command run is the least that a driver in Go can do as its run stage: bash -l < script.
package main

import (
	"errors"
	"os"
	"os/exec"
)

func main() {
	script, err := os.Open(os.Args[1])
	if err == nil {
		bash := exec.Command("bash", "-l")
		bash.Stdin, bash.Stdout, bash.Stderr = script, os.Stdout, os.Stderr
		err = bash.Run()
	}
	if _, failed := errors.AsType[*exec.ExitError](err); failed {
		os.Exit(1) // the runner's BUILD_FAILURE_EXIT_CODE
	}
	if err != nil {
		os.Exit(2)
	}
}

package program_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"rolecall/internal/program"
	"rolecall/test/kit"
)

// childVariable makes this test binary the program that its value names.
const childVariable = "ROLECALL_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "watch" {
		program.Program{Name: "watch", Run: watch}.Main()
	}
	if os.Getenv(childVariable) == "fails" {
		program.Program{Name: "fails", Run: ends(errors.New("it fails"))}.Main()
	}
	if os.Getenv(childVariable) == "denied" {
		program.Program{Name: "denied", Run: watchDenied}.Main()
	}
	os.Exit(m.Run())
}

// result is what a call of a program left.
type result struct {
	code        int
	out, stderr string
}

// serve runs a program that is called stage.
func serve(run func(*program.Call) error, environ []string, args ...string) result {
	return serveProgram(program.Program{Name: "stage", Does: "does it", Run: run}, environ, args...)
}

func serveProgram(p program.Program, environ []string, args ...string) result {
	var out, stderr strings.Builder
	code := p.Serve(args, environ, nil, &out, &stderr)
	return result{code, out.String(), kit.Flat(stderr.String())}
}

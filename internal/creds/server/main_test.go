package server_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"

	"rolecall/internal/creds/server"
	"rolecall/test/kit"
)

// childMode names the variable whose server the test binary asks as another process: net/http
// reads the variables of a proxy only once in a process.
const childMode = "SERVER_TEST_CHILD"

// childBundle names the file of its CA bundle.
const childBundle = "SERVER_TEST_BUNDLE"

func TestMain(m *testing.M) {
	if address := os.Getenv(childMode); address != "" {
		bundle, _ := os.ReadFile(os.Getenv(childBundle)) // none: those of the host
		s, err := server.New(address, bundle)
		if err == nil {
			_, err = s.Ask(context.Background(), server.Request{Method: http.MethodGet})
		}
		fmt.Println(err)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// askAsChild asks a server in a process with this environment, and returns the error's text.
func askAsChild(t *testing.T, address string, environ ...string) string {
	t.Helper()
	self, err := os.Executable()
	kit.Must(t, err)
	command := exec.Command(self)
	command.Env = append(environ, childMode+"="+address, "GORACE=atexit_sleep_ms=0")
	out, err := command.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	return string(out)
}

// serve returns a server with this answer.
func serve(t *testing.T, answer http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s
}

// at returns the server at a URL.
func at(t *testing.T, url string, caBundle []byte) *server.Server {
	t.Helper()
	s, err := server.New(url, caBundle)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// ask makes a request in at most a few seconds.
func ask(t *testing.T, s *server.Server, r server.Request) (server.Answer, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	return s.Ask(ctx, r)
}

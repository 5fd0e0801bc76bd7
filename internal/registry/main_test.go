package registry_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"rolecall/internal/fault"
	"rolecall/internal/mask"
	"rolecall/internal/registry"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// newClient returns a client that does not wait long.
func newClient() registry.Client {
	return registry.Client{Attempt: 5 * time.Second, Tries: 3, Pause: time.Millisecond}
}

// login returns the login of the lab's registry with that password.
func login(password string) *registry.Login {
	return &registry.Login{Username: lab.RegistryUser, Password: mask.NewSecret(password), Source: "DOCKER_AUTH_CONFIG"}
}

// good returns the login that is right.
func good() *registry.Login { return login(lab.RegistryPassword) }

// start starts a real registry.
func start(t *testing.T, opts lab.RegistryOptions) *lab.Registry {
	t.Helper()
	kit.NeedProgram(t, lab.RegistryProgram, lab.RegistryPackage)
	opts.Dir = t.TempDir()
	r, err := lab.StartRegistry(context.WithoutCancel(t.Context()), opts)
	kit.Must(t, err)
	t.Cleanup(r.Close)
	return r
}

// wanted is what is wanted of an error: its code, what its head is, and rows of it.
type wanted struct {
	code fault.Code
	head string
	rows map[string]string
}

// check checks an error.
func (w wanted) check(t *testing.T, err error) {
	t.Helper()
	var e *fault.Error
	if !errors.As(err, &e) || e.Code != w.code || !strings.Contains(e.What.Error(), w.head) {
		t.Errorf("error %v (%s), want %s %q", err, fault.CodeOf(err), w.code, w.head)
		return
	}
	for label, want := range w.rows {
		if got := row(err, label); got != want {
			t.Errorf("%s: row %s is %q, want %q", w.head, label, got, want)
		}
	}
	if side := e.Code.Side(); side == fault.Author && (e.Next == "" || row(err, "image") == "" || row(err, "login") == "") {
		t.Errorf("%s: the author is not told enough: %q, %v", w.head, e.Next, e.Rows)
	}
	for _, secret := range []string{lab.RegistryPassword, "SECRET"} {
		if strings.Contains(fmt.Sprint(err, fault.Rows(err)), secret) {
			t.Errorf("%s: the error holds %q: %v %v", w.head, secret, err, e.Rows)
		}
	}
}

// row returns the text of a row of an error.
func row(err error, label string) string {
	for _, r := range fault.Rows(err) {
		if r.Label == label {
			return r.Text
		}
	}
	return ""
}

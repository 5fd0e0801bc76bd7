package revocation_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/job"
	"rolecall/internal/revocation"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// TestAsk: a stage has the credentials of its own job revoked, and is told what is left; the end
// of a job waits ten seconds at most.
func TestAsk(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		words  []string
		want   string // what the stage is told
		events string
		done   int
	}{
		"nothing": {nil, "RC500 <nil>", "", 0},
		"one":     {[]string{""}, "RC500 <nil>", "revoked", 1},
		"two":     {[]string{"", ""}, "RC500 <nil>", "revoked, revoked", 2},
		"refused": {[]string{"refused"}, "RC542 the credential toy db of job 7 is not revoked: the server refuses; ask its owner: ", "revoke_failed RC204", 0},
		"silent":  {[]string{"silent"}, "RC542 the credential toy db of job 7 is not revoked: no answer in time: ", "revoke_failed RC502", 0},
		"dies":    {[]string{"crash"}, "RC542 the credentials of job 7 are not revoked: the program revoke: exit status 3", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.hold(t, 7, test.words...)
			w.hold(t, 8, "")
			begin := time.Now()
			if got := w.ask(t, 7); !strings.HasPrefix(got, test.want) {
				t.Errorf("the stage is told %q, want %q", got, test.want)
			}
			if took := time.Since(begin); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
			if got := w.events(t); got != test.events {
				t.Errorf("the audit log has %q, want %q", got, test.events)
			}
			done, _ := os.ReadFile(w.done)
			if got := strings.Count(string(done), "revoked"); got != test.done {
				t.Errorf("%d are revoked, want %d", got, test.done)
			}
			if !state.Holds(w.root, job.Key{ID: 8}) || state.Holds(w.root, job.Key{ID: 7}) != (test.done < len(test.words)) {
				t.Error("what is held is not what is left")
			}
		})
	}
}

// TestAskWays: the program gets the proxies of the service, and nothing else of its environment.
func TestAskWays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hold(t, 7, "proxy")
	if got := w.ask(t, 7); got != "RC500 <nil>" {
		t.Errorf("the stage is told %q", got)
	}
	if _, err := os.Stat(w.done + ".p"); err != nil {
		t.Error(err)
	}
	kit.Must(t, os.Remove(filepath.Join(w.bin, revocation.Program)))
	w.hold(t, 9, "")
	if got := w.ask(t, 9); !strings.HasPrefix(got, "RC542 the credentials of job 9 are not revoked: the program revoke: ") || !strings.Contains(got, "no such file") {
		t.Errorf("without the program: %q", got)
	}
}

// serve calls the program itself.
func serve(t *testing.T, p revocation.Parts, in string, args ...string) (code int, out, stderr string) {
	t.Helper()
	var o, e bytes.Buffer
	code = p.Serve(args, nil, strings.NewReader(in), &o, &e)
	return code, o.String(), e.String()
}

// TestAll: without an order the credentials of all jobs that have ended are revoked. What cannot be
// is told once in the audit log, and tried again each time.
func TestAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := filepath.Join(filepath.Dir(w.root), "rolecall.toml")
	kit.Must(t, os.WriteFile(config, []byte("credentials_dir = \""+w.root+"\"\n[gitlab]\nissuer = \"https://gitlab.example.com\"\n[[tenant]]\nname = \"alpha\"\naudience = \"a\"\nprojects = [\"a/b\"]\n"), 0o600))
	w.hold(t, 7, "", "refused")
	w.hold(t, 8, "")
	if code, out, stderr := serve(t, parts(), "", "--config", config); code != 0 || out+stderr != "" || w.events(t) != "" {
		t.Errorf("jobs that run: exit code %d, %q, %q", code, out, stderr)
	}
	kit.Must(t, state.Remove(w.root, job.Key{ID: 7, Proof: "p"}))
	for i, want := range []string{"revoked the credential toy db of job 7\n", ""} {
		code, out, stderr := serve(t, parts(), "", "--config", config)
		if code != 1 || out != want || !strings.HasPrefix(stderr, "rolecall: error: the credential toy db of job 7 is not revoked: the server refuses; ask its owner: ") {
			t.Errorf("time %d: exit code %d, %q, %q", i, code, out, stderr)
		}
	}
	events := strings.Split(w.events(t), ", ")
	if len(events) != 2 || strings.Count(strings.Join(events, " "), "revoke_failed RC204") != 1 || strings.Count(strings.Join(events, " "), "revoked") != 1 {
		t.Errorf("the audit log has %q", events)
	}
	if !state.Holds(w.root, job.Key{ID: 8}) {
		t.Error("what a job has that runs is not held any more")
	}
}

// TestOthers: a provider that the program does not know, an order that is none, and a journal
// without a server.
func TestOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hold(t, 7, "")
	order := fmt.Sprintf(`{"root": %q, "id": 7, "proof": "p"}`, w.root)
	code, out, _ := serve(t, revocation.Parts{}, order, revocation.OfJob)
	if code != 0 || !strings.Contains(out, `"credential":"toy db"`) || !strings.Contains(out, "this program does not know the provider toy; install all programs of one version of rolecall") {
		t.Errorf("exit code %d, %s", code, out)
	}
	if got := w.events(t); got != "revoke_failed RC311" {
		t.Errorf("the audit log has %q", got)
	}
	for _, bad := range []string{"", "x", "{}", `{"root": 1}`} {
		if code, out, stderr := serve(t, parts(), bad, revocation.OfJob); code != 1 || out != "" || !strings.Contains(stderr, "the standard input is no order of a stage of rolecall") {
			t.Errorf("%q: exit code %d, %q, %q", bad, code, out, stderr)
		}
	}
	if code, _, stderr := serve(t, parts(), "", "x"); code != 1 || !strings.Contains(stderr, `unexpected argument "x"`) {
		t.Errorf("exit code %d, %q", code, stderr)
	}
	if code, _, stderr := serve(t, parts(), "", "--help"); code != 0 || !strings.Contains(stderr, "policy FILE") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
	if code, out, _ := serve(t, parts(), "", "--version"); code != 0 || !strings.HasPrefix(out, "rolecall revoke ") {
		t.Errorf("exit code %d, %q", code, out)
	}
	if code := parts().Serve([]string{revocation.OfJob}, nil, strings.NewReader(order), full{}, io.Discard); code != 1 {
		t.Errorf("nobody reads the answer: exit code %d", code)
	}
}

// full is a writer that takes nothing.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no room") }

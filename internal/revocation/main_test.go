package revocation_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/mask"
	"rolecall/internal/revocation"
	"rolecall/internal/state"
	"rolecall/test/auditlog"
	"rolecall/test/kit"
)

// server is a provider whose credentials are revoked by a line in the file that their terms name.
// A term of two words is one that the server refuses to revoke, or does not answer for.
type server struct{}

func (server) Name() string { return "toy" }

func (server) Revoke(ctx context.Context, terms []byte) error {
	path, word, _ := strings.Cut(string(terms), " ")
	switch word {
	case "silent":
		<-ctx.Done()
		return fault.New(fault.NoAnswer, errors.New("no answer in time"), "")
	case "refused":
		return fault.New(fault.RequestDenied, errors.New("the server refuses"), "ask its owner")
	case "crash":
		os.Exit(3)
	case "proxy":
		path += "." + os.Getenv("HTTPS_PROXY")
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString("revoked\n")
	}
	return errors.Join(err, f.Close())
}

// parts are those of the program of these tests.
func parts() revocation.Parts { return revocation.Parts{Revokers: []revocation.Revoker{server{}}} }

// TestMain makes this test binary the program where it has its name, and a stage where the test
// asks for it.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == revocation.Program {
		parts().Main()
	}
	if root := os.Getenv("ROLECALL_TEST_ROOT"); root != "" {
		id, _ := strconv.ParseInt(os.Getenv("ROLECALL_TEST_JOB"), 10, 64)
		err := revocation.Ask(context.Background(), root, job.Key{ID: job.ID(id), Proof: "p"}, []string{"HTTPS_PROXY=p", "VAULT_TOKEN=x"})
		_, _ = fmt.Print(fault.CodeOf(err), " ", err)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// world is a root with jobs, and the programs of a driver.
type world struct{ root, bin, log, done string }

func newWorld(t *testing.T) world {
	t.Helper()
	dir := t.TempDir()
	w := world{filepath.Join(dir, "root"), filepath.Join(dir, "bin"), filepath.Join(dir, "audit.jsonl"), filepath.Join(dir, "done")}
	kit.Must(t, os.Mkdir(w.bin, 0o755))
	self, err := os.Executable()
	kit.Must(t, err)
	for _, name := range []string{"stage", revocation.Program} {
		kit.Must(t, exec.CommandContext(t.Context(), "cp", self, filepath.Join(w.bin, name)).Run())
	}
	return w
}

// hold makes a job with a credential for each of the words.
func (w world) hold(t *testing.T, id job.ID, words ...string) {
	t.Helper()
	trail, err := audit.NewTrail(w.log, audit.Event{JobID: id.String(), Tenant: "alpha"})
	kit.Must(t, err)
	f, err := state.Create(w.root, job.Key{ID: id, Proof: "p"}, state.Record{Tenant: "alpha", Audit: trail}, "")
	kit.Must(t, err)
	t.Cleanup(f.Close)
	for _, word := range words {
		kit.Must(t, f.Hold(creds.Handle{Provider: "toy", Name: "db", Terms: mask.NewSecret(strings.TrimSpace(w.done + " " + word)), Until: time.Now().Add(time.Hour)}))
	}
}

// ask lets a stage ask about a job, and returns the code and the error.
func (w world) ask(t *testing.T, id job.ID) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(w.bin, "stage"))
	cmd.Env = []string{"ROLECALL_TEST_ROOT=" + w.root, "ROLECALL_TEST_JOB=" + id.String()}
	out, err := cmd.CombinedOutput()
	kit.Must(t, err)
	return string(out)
}

// events returns the events of the audit log that are about revocations, with their codes.
func (w world) events(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(w.log)
	if err == nil {
		auditlog.Check(t, content)
	}
	var all []string
	for line := range strings.Lines(string(content)) {
		_, event, _ := strings.Cut(line, `"event":"`)
		event, _, _ = strings.Cut(event, `"`)
		_, code, _ := strings.Cut(line, `"code":"`)
		code, _, _ = strings.Cut(code, `"`)
		all = append(all, strings.TrimSpace(event+" "+code))
	}
	return strings.Join(all, ", ")
}

package state_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"rolecall/internal/state"
)

// TestReplaceWhileRead: whoever reads while credentials are replaced sees one of them,
// whole, and all secrets that came before it.
func TestReplaceWhileRead(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.root = filepath.Join(shm(t), "root")
	f := p.writeFile(t)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					if n < 10 {
						t.Errorf("read only %d times", n)
					}
					return
				default:
					p.checkWhole(t)
				}
			}
		})
	}
	for n := range 200 {
		if err := replace(f, fresh(n)); err != nil {
			t.Errorf("Replace %d: %v", n, err)
		}
	}
	close(done)
	readers.Wait()
}

// checkWhole checks that the job's files and what the driver knows of them are whole,
// and that all secrets of the job's files are known, the ledger's too.
func (p place) checkWhole(t *testing.T) {
	t.Helper()
	env, envErr := os.ReadFile(p.env(7))
	file, fileErr := os.ReadFile(p.file())
	f, err := state.Open(p.root, key(7))
	if err := errors.Join(envErr, fileErr, err); err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	set, err := f.Read()
	secrets, secretsErr := f.Secrets()
	if err := errors.Join(err, secretsErr); err != nil {
		t.Error(err)
		return
	}
	known := append(values(secrets), `{"token": "`, "\"}\n", "CLOUD_ID=", "CLOUD_SECRET=", "CLOUD_REGION=eu-central-1", "VAULT_TOKEN=", "VAULT_FILE="+p.file())
	for name, content := range map[string]string{"the env file": string(env), "the file": string(file), "the driver's copy": string(set.EnvFile())} {
		rest := content
		for i := len(known) - 1; i >= 0; i-- { // a longer token of the tests comes after those that it begins with
			rest = strings.ReplaceAll(rest, known[i], "")
		}
		if strings.Trim(rest, "\n0123456789") != "" || content == "" {
			t.Errorf("%s is %q, of which nobody knows %q", name, content, rest)
		}
		if entered := inLedger(t, f); strings.Contains(content, freshToken) && len(entered) == 0 {
			t.Errorf("%s is %q, which the ledger does not have", name, content)
		}
	}
}

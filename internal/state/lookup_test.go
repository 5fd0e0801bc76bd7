package state_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"rolecall/internal/job"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// TestDataOf: the record of a job is found in each of its phases, and what cannot be read is
// not taken for nothing.
func TestDataOf(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha", Backend: "toy", Data: json.RawMessage(`{"a":1}`)}, "")
	kit.Must(t, err)
	f.Close()
	for _, name := range []string{"job.json", "intent.json", "removed.json"} {
		if name != "job.json" {
			kit.Must(t, os.Rename(filepath.Join(p.folder(7), "job.json"), filepath.Join(p.folder(7), name)))
		}
		if data, err := state.DataOf(p.root, 7); err != nil || string(data) != `{"a":1}` {
			t.Errorf("%s: %s, %v", name, data, err)
		}
		if name != "job.json" {
			kit.Must(t, os.Rename(filepath.Join(p.folder(7), name), filepath.Join(p.folder(7), "job.json")))
		}
	}
	kit.Must(t, os.WriteFile(filepath.Join(p.folder(7), "job.json"), []byte("{"), 0o600))
	if data, err := state.DataOf(p.root, 7); err != nil || data != nil {
		t.Errorf("a broken record: %s, %v", data, err)
	}
	kit.Must(t, os.WriteFile(p.folder(9), nil, 0o600))
	if _, err := state.DataOf(p.root, 9); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file: %v", err)
	}
	for root, id := range map[string]job.ID{p.root: 8, p.root + "/none": 7} {
		if data, err := state.DataOf(root, id); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %s, %v", root, data, err)
		}
	}
}

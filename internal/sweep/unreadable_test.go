package sweep_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/fault"
	"rolecall/internal/sweep"
	"rolecall/test/kit"
)

// TestUnreadable: of a job whose record says nothing of its place the credentials go. Each
// sweep says what an admin can do, until it is done.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "root")
	dead(t, root, 4711, "/none")
	folder := filepath.Join(root, "4711")
	record, err := os.ReadFile(folder + "/job.json")
	kit.Must(t, err)
	broken := strings.Replace(string(record), `{"cgroup":"/none"}`, "[1]", 1)
	kit.Must(t, os.WriteFile(folder+"/job.json", []byte(broken), 0o600))
	kit.Must(t, os.WriteFile(folder+"/.aws.alpha.env", []byte("AWS_SECRET_ACCESS_KEY=x\n"), 0o600))
	for range 2 {
		err := newProgram().Run(sweep.Places{Roots: []string{root}}, io.Discard)
		for _, want := range []string{folder + ": the credentials of job 4711 are removed", "cannot be read from its record", "then remove its folder"} {
			if fault.CodeOf(err) != fault.LeftBehind || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		}
		if _, err := os.Lstat(folder + "/.aws.alpha.env"); !os.IsNotExist(err) {
			t.Errorf("the credentials: %v", err)
		}
	}
	kit.Must(t, os.RemoveAll(folder))
	if err := newProgram().Run(sweep.Places{Roots: []string{root}}, io.Discard); err != nil {
		t.Error(err)
	}
}

package podman

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/backend/host"
	"rolecall/test/kit"
)

// TestReapRefuses: the folder of a job goes only if all of the job has ended, and only from among
// the folders of jobs: root removes it. For a record that cannot be read there is nothing to do.
// What a record here names as its cgroup is none, so no process is killed.
func TestReapRefuses(t *testing.T) {
	kit.NeedRoot(t, "files of other users")
	const here = `"podman":{"dir":"DIR","own":"OWN"}}`
	for name, test := range map[string]struct {
		data string // of the record; DIR and OWN are its folders
		dir  string // below that of the test
		lent bool
		want string // of the error; empty: there is none
		left bool
	}{
		"the folder of a job":      {"{" + nobody + here, "images/.jobs/x", false, "", false},
		"another folder":           {"{" + nobody + here, "images/jobs/x", false, "images/jobs/x is no folder of a job's containers", true},
		"that of all jobs":         {"{" + nobody + here, "images/.jobs", false, "images/.jobs is no folder of a job's containers", true},
		"below that of a job":      {"{" + nobody + here, "images/.jobs/x/y", false, "images/.jobs/x/y is no folder of a job's containers", true},
		"processes that may live":  {`{"cgroup":"/proc",` + nobody + here, "images/.jobs/x", false, "/proc: not a cgroup", true},
		"no record":                {"{", "images/.jobs/x", false, "", true},
		"a record of another form": {`{"podman":7}`, "images/.jobs/x", false, "", true},
		"files of no user":         {`{"as_root":true,` + here, "images/.jobs/x", true, "names no unix user", true},
		"files that are not given": {"{" + nobody + here, "images/.jobs/x", true, "give the files of the container to the job's user: ", true},
	} {
		f := newFaked(t, nil) // without chown
		dir := filepath.Join(filepath.Dir(f.place.images()), "reap", test.dir)
		kit.Must(t, os.MkdirAll(dir, 0o700))
		kit.Must(t, os.WriteFile(f.place.Own+"/file", nil, 0o600)) // root's
		if test.lent {
			kit.Must(t, os.WriteFile(filepath.Join(dir, lentFile), nil, 0o600))
		}
		data := json.RawMessage(strings.NewReplacer("DIR", dir, "OWN", f.place.Own).Replace(test.data))
		err := apartly(func() error { return New(host.New()).Reap(t.Context(), data, 7) })
		if test.want != "" {
			expect(t, name, err, "", test.want)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Lstat(dir); (err == nil) != test.left {
			t.Errorf("%s: the folder: %v", name, err)
		}
	}
	t.Chdir(t.TempDir())
	kit.Must(t, os.MkdirAll(".jobs/x", 0o700))
	err := New(host.New()).Reap(t.Context(), json.RawMessage("{"+nobody+`"podman":{"dir":".jobs/x"}}`), 7)
	expect(t, "a path that is not whole", err, "", ".jobs/x is no folder of a job's containers")
	if _, err := os.Lstat(".jobs/x"); err != nil {
		t.Errorf("a path that is not whole: the folder: %v", err)
	}
}

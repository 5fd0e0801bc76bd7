package inspect_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/job"
	"rolecall/test/kit"
)

// TestRemoved: what must not be uploaded is removed from the work tree, and its content
// overwritten, but nothing else is changed by it.
func TestRemoved(t *testing.T) {
	t.Parallel()
	o := newOrder(t)
	write(t, o, "leak", secret)
	write(t, o, "d/closed", secret)
	kit.Must(t, os.Chmod(filepath.Join(o.Project, "d/closed"), 0o400))
	write(t, o, "clean", "nothing")
	outside := t.TempDir()
	shared := filepath.Join(outside, "shared")
	kit.Must(t, os.WriteFile(shared, []byte(secret), 0o600))
	kit.Must(t, os.Link(shared, filepath.Join(o.Project, "linked")))
	open, err := os.Open(filepath.Join(o.Project, "leak"))
	kit.Must(t, err)
	defer open.Close()
	for _, place := range serve(t, o).Found {
		if !place.Removed {
			t.Errorf("%+v is not removed", place)
		}
	}
	for name, stays := range map[string]bool{"leak": false, "d/closed": false, "linked": false, "clean": true} {
		if _, err := os.Lstat(filepath.Join(o.Project, name)); os.IsNotExist(err) == stays {
			t.Errorf("%s: %v, stays: %t", name, err, stays)
		}
	}
	content := make([]byte, 100)
	n, _ := open.Read(content)
	if n != len(secret) || strings.Trim(string(content[:n]), "\x00") != "" {
		t.Errorf("the removed file has the content %q", content[:n])
	}
	if content, err := os.ReadFile(shared); string(content) != secret {
		t.Errorf("the other name of a file has the content %q, %v", content, err)
	}
}

// TestNotRemoved: no link is followed to remove a file, and a file whose name cannot be
// known stays. The report says so.
func TestNotRemoved(t *testing.T) {
	t.Parallel()
	o := newOrder(t)
	outside := t.TempDir()
	victim := filepath.Join(outside, "victim.json")
	kit.Must(t, os.WriteFile(victim, []byte(secret), 0o600))
	kit.Must(t, os.Symlink(victim, filepath.Join(o.Project, "link.json")))
	kit.Must(t, os.Symlink(outside, filepath.Join(o.Project, "dir")))
	write(t, o, secret, "nothing")
	for _, path := range []string{"link.json", "dir/victim.json"} {
		o.Uploads.Artifacts = append(o.Uploads.Artifacts, job.Artifact{Type: "codequality", Format: "raw", Paths: []string{path}})
	}
	got := serve(t, o)
	var says []string
	for _, place := range got.Found {
		if says = append(says, place.Name+": "+place.Says+"; "+place.Stays); place.Removed {
			t.Errorf("%+v is removed", place)
		}
	}
	for _, want := range []string{
		"link.json: session token; ", "dir/victim.json: session token; its folder: ",
		"[MASKED]: session token; its name holds a secret",
	} {
		if !strings.Contains(strings.Join(says, "\n"), want) {
			t.Errorf("no %q in\n%s", want, strings.Join(says, "\n"))
		}
	}
	for _, path := range []string{victim, filepath.Join(o.Project, secret)} {
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
	}
	if content, _ := os.ReadFile(victim); string(content) != secret {
		t.Errorf("the file behind the links has the content %q", content)
	}
}

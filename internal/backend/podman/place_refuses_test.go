package podman

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/backend"
	"rolecall/internal/script"
	"rolecall/test/kit"
)

// TestReserve: a place is only one in folders that are the driver's, with ids that nobody else
// has.
func TestReserve(t *testing.T) {
	t.Parallel()
	owner := backend.Owner{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	for name, path := range map[string]string{"all is free": "", "jobs": jobsDir, "ids": idsDir, "the tenant's": "alpha", "the store": "alpha/protected"} {
		images := filepath.Join(t.TempDir(), "images")
		if path != "" {
			planted := filepath.Join(images, path)
			kit.Must(t, os.MkdirAll(filepath.Dir(planted), 0o711))
			kit.Must(t, os.Symlink(t.TempDir(), planted))
		}
		p := place{}
		err := p.reserve(images, owner, "alpha/protected")
		if path != "" {
			expect(t, name, err, "", "")
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if (p.IDs == script.Namespace{}) != (path != "") {
			t.Errorf("%s: ids %+v", name, p.IDs)
		}
	}
}

// TestBegin: a prune that cannot make the folders of podman leaves none, and no link.
func TestBegin(t *testing.T) {
	if !kit.InMounts(t, "links in /run") {
		return
	}
	kit.Mount(t, "/run", "mode=0755", 0)
	s, _ := newFakeStore(t, says{})
	nothing := func(name string) {
		t.Helper()
		if _, err := os.Lstat(s.place.Dir); !os.IsNotExist(err) {
			t.Errorf("%s: the folder: %v", name, err)
		}
		if _, err := os.Lstat(linkTo(s.place.run())); err == nil {
			t.Errorf("%s: a link is left", name)
		}
	}
	end, err := s.begin()
	kit.Must(t, err)
	if info, err := os.Stat(filepath.Join(linkTo(s.place.run()))); err != nil || !info.IsDir() {
		t.Errorf("the link: %v", err)
	}
	kit.Must(t, end())
	nothing("it has ended")
	kit.Must(t, os.RemoveAll(LinksDir))
	kit.Must(t, os.WriteFile(LinksDir, nil, 0o600))
	_, err = s.begin()
	expect(t, "no links", err, "", "")
	nothing("no links")
	kit.Must(t, os.Remove(LinksDir))
	kit.Must(t, kit.Deny(unix.EPERM, kit.Call{Number: unix.SYS_FCHOWN}, kit.Call{Number: unix.SYS_FCHOWNAT}))
	_, err = s.begin()
	expect(t, "folders of others", err, "", "operation not permitted")
	nothing("folders of others")
}

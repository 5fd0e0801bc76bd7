package state_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/state"
	"rolecall/test/kit"
)

// denied returns a place in a child process, which may not be able to remove its own folders.
// In the parent it returns false.
func denied(t *testing.T) (place, bool) {
	t.Helper()
	if !kit.IsChild(t) {
		kit.InChild(t, nil, "DIR="+t.TempDir())
		return place{}, false
	}
	dir := os.Getenv("DIR")
	return place{filepath.Join(dir, "root"), filepath.Join(dir, "builds", "project.tmp"), dir}, true
}

// TestCannotLook: a root that cannot be looked at is not taken for one of another user, in
// which there are no jobs.
func TestCannotLook(t *testing.T) {
	t.Parallel()
	p, in := denied(t)
	if !in {
		return
	}
	p.write(t, 7).Close()
	kit.Must(t, kit.Deny(unix.EIO, kit.Call{Number: unix.SYS_FSTAT}))
	_, finish := state.Finish(t.Context(), p.root, key(7), noReap(t), nil)
	_, sweep := state.Sweep(t.Context(), p.root, noReap(t), nil)
	for name, err := range map[string]error{"Remove": state.Remove(p.root, key(7)), "Finish": finish, "Sweep": sweep} {
		if !errors.Is(err, unix.EIO) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNeverEmpty: a folder that a process fills all the time is not taken for removed. The
// removal ends in time.
func TestNeverEmpty(t *testing.T) {
	t.Parallel()
	p, in := denied(t)
	if !in {
		return
	}
	f, err := state.Create(p.root, key(7), state.Record{}, "")
	kit.Must(t, err)
	f.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	kit.Must(t, kit.Deny(unix.ENOTEMPTY, kit.Call{Number: unix.SYS_UNLINKAT, Arg: 2, Mask: unix.AT_REMOVEDIR, Has: unix.AT_REMOVEDIR}))
	if _, err := state.Finish(ctx, p.root, key(7), noReap(t), nil); !errors.Is(err, unix.ENOTEMPTY) {
		t.Errorf("error %v", err)
	}
}

// TestNotMade: a job whose record cannot get its final name is not made, and nothing of it is
// left.
func TestNotMade(t *testing.T) {
	t.Parallel()
	p, in := denied(t)
	if !in {
		return
	}
	kit.Must(t, kit.Deny(unix.EIO, kit.Call{Number: unix.SYS_RENAMEAT}))
	if f, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha"}, p.builds); !errors.Is(err, unix.EIO) {
		t.Errorf("%v, error %v", f, err)
	}
	p.gone(t, 7)
}

// TestOwnNotMade: a job without the folder that it was to have is not made, even if it has a
// tenant.
func TestOwnNotMade(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	own := filepath.Join(p.dir, "none", "7")
	if f, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha", Own: own}, p.builds); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, error %v", f, err)
	}
	p.gone(t, 7)
}

// TestLedgerIsLeft: a ledger that cannot be replaced stays as it is, without a new one beside
// it.
func TestLedgerIsLeft(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]kit.Call{"rename": {Number: unix.SYS_RENAMEAT}, "unlink": {Number: unix.SYS_UNLINKAT}, "lock": {Number: unix.SYS_FLOCK}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, in := denied(t)
			if !in {
				return
			}
			f := p.write(t, 7)
			kit.Must(t, f.Enter(entering(7, time.Hour)))
			if name == "unlink" {
				kit.Must(t, os.WriteFile(filepath.Join(p.root, "ledger.new"), nil, 0o600))
			}
			before, err := os.ReadFile(filepath.Join(p.root, "ledger"))
			kit.Must(t, err)
			kit.Must(t, kit.Deny(unix.EIO, call))
			if err := f.Enter(entering(8, time.Hour)); !errors.Is(err, unix.EIO) {
				t.Errorf("error %v", err)
			}
			if after, err := os.ReadFile(filepath.Join(p.root, "ledger")); err != nil || string(after) != string(before) {
				t.Errorf("the ledger is %q, %v, want %q", after, err, before)
			}
			if _, err := os.Lstat(filepath.Join(p.root, "ledger.new")); err == nil && name != "unlink" {
				t.Error("a new ledger is left")
			}
		})
	}
}

// TestSweepLockedLedger: a Sweep leaves a ledger alone that another process changes.
func TestSweepLockedLedger(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	kit.Must(t, create(t, p, 7).Enter(entering(7, -time.Hour)))
	root, err := os.Open(p.root)
	kit.Must(t, err)
	defer root.Close()
	kit.Must(t, unix.Flock(int(root.Fd()), unix.LOCK_EX))
	if _, err := state.SweepAt(p.root, 11*time.Minute); err != nil {
		t.Errorf("error %v", err)
	}
	if _, err := os.Lstat(filepath.Join(p.root, "ledger")); err != nil {
		t.Error(err)
	}
}

// TestReplacedFolder: a folder that another process has made in the meantime stays, with what
// is in it.
func TestReplacedFolder(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f := p.write(t, 7)
	file := filepath.Join(p.folder(7), "file")
	kit.Must(t, errors.Join(os.Rename(p.folder(7), p.folder(7)+".old"), os.Mkdir(p.folder(7), 0o700), os.WriteFile(file, nil, 0o600)))
	if err := f.Remove(); err != nil {
		t.Errorf("error %v", err)
	}
	if _, err := os.Lstat(file); err != nil {
		t.Error(err)
	}
	p.noSecret(t)
}

// TestSweepCancelled: a Sweep whose context has ended ends no job.
func TestSweepCancelled(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.leased(t, 7, deadLease(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if removed, err := state.Sweep(ctx, p.root, noReap(t), nil); err != nil || len(removed) > 0 {
		t.Errorf("removed %v, %v", removed, err)
	}
	p.sweep(t, 7)
}

// TestForeignUnfinishedLinkFolder: where a stage died before it made the folder of the link, an
// empty one of another user stays.
func TestForeignUnfinishedLinkFolder(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "a folder of another user")
	p := newPlace(t)
	create(t, p, 7).Close()
	kit.Must(t, os.Rename(filepath.Join(p.folder(7), "job.json"), filepath.Join(p.folder(7), "intent.json")))
	kit.Must(t, errors.Join(os.Remove(p.linkFolder(7)+"/.aws.alpha.env"), os.Chown(p.linkFolder(7), otherUID, otherUID)))
	p.remove(t, 7)
	if _, err := os.Lstat(p.linkFolder(7)); err != nil {
		t.Error(err)
	}
}

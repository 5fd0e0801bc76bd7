package jwks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sys/unix"

	"rolecall/internal/fault"
	"rolecall/internal/idtoken/jwks"
	"rolecall/test/kit"
)

// cachePath returns the path of a source's cache.
func cachePath(s jwks.Source) string { return filepath.Join(s.Dir, jwks.CacheName(s)) }

// poison returns a cache in which the attacker's key is one of the issuer's.
func poison(t *testing.T, issuer string, fetched, tried time.Time) []byte {
	t.Helper()
	content, err := json.Marshal(map[string]any{
		"issuer": issuer, "fetched": fetched, "tried": tried,
		"set": json.RawMessage(keySet(t, jose.JSONWebKey{Key: attacker().Public(), KeyID: "evil"})),
	})
	kit.Must(t, err)
	return content
}

// TestPlantedCache: a cache that is not a private file of the driver is ignored, is not
// followed, and is replaced by a good one.
func TestPlantedCache(t *testing.T) {
	t.Parallel()
	now := time.Now()
	write := func(mode fs.FileMode, content func(t *testing.T, issuer string) []byte) func(*testing.T, jwks.Source) {
		return func(t *testing.T, s jwks.Source) {
			kit.Must(t, os.WriteFile(cachePath(s), content(t, s.Issuer), 0o600))
			kit.Must(t, os.Chmod(cachePath(s), mode))
		}
	}
	good := func(t *testing.T, issuer string) []byte { return poison(t, issuer, now, now) }
	for name, plant := range map[string]func(*testing.T, jwks.Source){
		"mode 0644":     write(0o644, good),
		"mode 0660":     write(0o660, good),
		"mode 4600":     write(0o600|fs.ModeSetuid, good),
		"fetched later": write(0o600, func(t *testing.T, i string) []byte { return poison(t, i, now.Add(time.Hour), now) }),
		"tried later":   write(0o600, func(t *testing.T, i string) []byte { return poison(t, i, now, now.Add(time.Hour)) }),
		"of 1969":       write(0o600, func(t *testing.T, i string) []byte { return poison(t, i, time.Unix(-1, 0), now.Add(-time.Hour)) }),
		"no time": write(0o600, func(t *testing.T, i string) []byte {
			return bytes.Replace(good(t, i), []byte(`"tried":"`), []byte(`"tried":5,"x":"`), 1)
		}),
		"other issuer": write(0o600, func(t *testing.T, i string) []byte { return poison(t, i+"/", now, now) }),
		"half":         write(0o600, func(t *testing.T, i string) []byte { c := good(t, i); return c[:len(c)-2] }),
		"empty":        write(0o600, func(*testing.T, string) []byte { return nil }),
		"garbage":      write(0o600, func(*testing.T, string) []byte { return []byte("\x00\xff") }),
		"2 MB":         write(0o600, func(t *testing.T, i string) []byte { return append(good(t, i), bytes.Repeat([]byte(" "), 2<<20)...) }),
		"FIFO":         func(t *testing.T, s jwks.Source) { kit.Must(t, unix.Mkfifo(cachePath(s), 0o600)) },
		"socket":       func(t *testing.T, s jwks.Source) { kit.Must(t, unix.Mknod(cachePath(s), unix.S_IFSOCK|0o600, 0)) },
		"link": func(t *testing.T, s jwks.Source) {
			target := filepath.Join(t.TempDir(), "target")
			kit.Must(t, os.WriteFile(target, good(t, s.Issuer), 0o600))
			kit.Must(t, os.Symlink(target, cachePath(s)))
			t.Cleanup(func() {
				if content, err := os.ReadFile(target); err != nil || !bytes.Equal(content, good(t, s.Issuer)) {
					t.Errorf("the link's target was changed: %v", err)
				}
			})
		},
		"of another user": func(t *testing.T, s jwks.Source) {
			kit.NeedRoot(t, "files of other users")
			write(0o600, good)(t, s)
			kit.Must(t, os.Chown(cachePath(s), 65534, 65534))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t)
			s := source(t, server.Issuer())
			plant(t, s)
			evil := forge(t, jose.SigningKey{Algorithm: jose.RS256, Key: attacker()}, withKid("evil"), claims(s.Issuer, nil))
			refused(t, s, evil, fault.Author, "no key of "+s.Issuer+" has signed this token")
			verified(t, s, server.SignToken(claims(s.Issuer, nil)))
			info, err := os.Lstat(cachePath(s))
			if err != nil || info.Mode() != 0o600 || server.KeyRequests() != 1 {
				t.Errorf("the cache is %v, %v, after %d requests", info.Mode(), err, server.KeyRequests())
			}
			if left, _ := os.ReadDir(s.Dir); len(left) != 1 {
				t.Errorf("left in the folder: %v", left)
			}
		})
	}
}

// TestUnpoisonedControl: without the flaws of TestPlantedCache, the attacker's key
// would be used.
func TestUnpoisonedControl(t *testing.T) {
	t.Parallel()
	s := source(t, "http://127.0.0.1:1")
	kit.Must(t, os.WriteFile(cachePath(s), poison(t, s.Issuer, time.Now(), time.Now()), 0o600))
	verified(t, s, forge(t, jose.SigningKey{Algorithm: jose.RS256, Key: attacker()}, withKid("evil"), claims(s.Issuer, nil)))
}

// TestPlantedTemporary: a file or link with the temporary name, left by a killed
// process or planted, is removed and not followed.
func TestPlantedTemporary(t *testing.T) {
	t.Parallel()
	server := start(t)
	s := source(t, server.Issuer())
	target := filepath.Join(t.TempDir(), "target")
	kit.Must(t, os.WriteFile(target, []byte("mine"), 0o600))
	kit.Must(t, os.Symlink(target, cachePath(s)+".new"))
	verified(t, s, server.SignToken(claims(s.Issuer, nil)))
	if content, err := os.ReadFile(target); err != nil || string(content) != "mine" {
		t.Errorf("the link's target is %q, %v", content, err)
	}
	if info, err := os.Lstat(cachePath(s)); err != nil || info.Mode() != 0o600 {
		t.Errorf("the cache is %v, %v", info, err)
	}
}

// TestCacheCannotBeKept: if keys cannot be kept, jobs go on, with more requests and a
// warning.
func TestCacheCannotBeKept(t *testing.T) {
	t.Parallel()
	server := start(t)
	s := source(t, server.Issuer())
	kit.Must(t, os.Mkdir(cachePath(s), 0o700))
	s, warnings := later(s, 0)
	verified(t, s, server.SignToken(claims(s.Issuer, nil)))
	if len(*warnings) != 1 || !strings.Contains((*warnings)[0], "cannot be kept in "+s.Dir) {
		t.Errorf("warnings %q", *warnings)
	}
	if left, err := os.ReadDir(s.Dir); err != nil || len(left) != 1 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
}

// TestCacheOfNoTime: the clock of a host that has none can be past what JSON can say.
func TestCacheOfNoTime(t *testing.T) {
	t.Parallel()
	server := start(t)
	s, warnings := later(source(t, server.Issuer()), 0)
	far := time.Date(10_001, 1, 1, 0, 0, 0, 0, time.UTC)
	s.Now = func() time.Time { return far }
	verified(t, s, server.SignToken(claims(s.Issuer, map[string]any{"exp": far.Unix() + 60})))
	left, err := os.ReadDir(s.Dir)
	if err != nil || len(left) > 0 || len(*warnings) != 1 {
		t.Errorf("left %v, %v, warnings %q", left, err, *warnings)
	}
}

// TestCacheWithoutKeys: a cache that has no keys is none: nobody waits because of it.
func TestCacheWithoutKeys(t *testing.T) {
	t.Parallel()
	server := start(t)
	s, _ := later(source(t, server.Issuer()), 0)
	content := bytes.Replace(poison(t, s.Issuer, s.Now(), s.Now()), []byte(`"evil"`), []byte(`""`), 1)
	kit.Must(t, os.WriteFile(cachePath(s), content, 0o600))
	s, waited := waiting(s, nil)
	if verified(t, s, server.SignToken(claims(s.Issuer, nil))); *waited > 0 {
		t.Errorf("waited for %v", *waited)
	}
}

// TestCacheCannotBeMade: the warning says why no file can be made.
func TestCacheCannotBeMade(t *testing.T) {
	if !kit.InMounts(t, "a disk that is full") {
		return
	}
	server := start(t)
	s := source(t, server.Issuer())
	kit.Mount(t, s.Dir, "nr_inodes=1", 0)
	s, warnings := later(s, 0)
	verified(t, s, server.SignToken(claims(s.Issuer, nil)))
	if len(*warnings) != 1 || !strings.Contains((*warnings)[0], "no space left on device") {
		t.Errorf("warnings %q", *warnings)
	}
}

// TestFolder: keys are kept only in a folder that nobody else can write to.
func TestFolder(t *testing.T) {
	t.Parallel()
	server := start(t)
	raw := server.SignToken(claims(server.Issuer(), nil))
	for name, test := range map[string]struct {
		spoil func(t *testing.T, s *jwks.Source)
		why   string
	}{
		"missing":   {func(_ *testing.T, s *jwks.Source) { s.Dir += "/x" }, "no such file or directory"},
		"not set":   {func(_ *testing.T, s *jwks.Source) { s.Dir = "" }, "no such file or directory"},
		"mode 0755": {func(t *testing.T, s *jwks.Source) { kit.Must(t, os.Chmod(s.Dir, 0o755)) }, "other users than"},
		"a file":    {func(t *testing.T, s *jwks.Source) { s.Dir += "/x"; kit.Must(t, os.WriteFile(s.Dir, nil, 0o600)) }, "not a directory"},
		"a link":    {func(t *testing.T, s *jwks.Source) { kit.Must(t, os.Symlink(s.Dir, s.Dir+"2")); s.Dir += "2" }, "not a directory"},
		"another user's": {func(t *testing.T, s *jwks.Source) {
			kit.NeedRoot(t, "folders of other users")
			kit.Must(t, os.Chown(s.Dir, 65534, 65534))
		}, "other users than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := source(t, server.Issuer())
			test.spoil(t, &s)
			refused(t, s, raw, fault.Admin, "the folder of the issuer's keys, "+s.Dir+": "+test.why, "mode 0700 that belongs to the user who runs the driver")
		})
	}
}

// TestHeldLock: a held lock does not stop a job whose keys are kept. Other jobs wait
// until their context ends.
func TestHeldLock(t *testing.T) {
	t.Parallel()
	server := start(t)
	s, _ := later(source(t, server.Issuer()), 0)
	raw := server.SignToken(claims(s.Issuer, nil))
	dir, err := os.Open(s.Dir)
	kit.Must(t, err)
	defer dir.Close()
	kit.Must(t, unix.Flock(int(dir.Fd()), unix.LOCK_EX))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := s.Verify(ctx, raw); err == nil || fault.SideOf(err) != fault.Infrastructure || !strings.Contains(err.Error(), "another process holds the lock") {
		t.Errorf("no keys: error %v", err)
	}
	kit.Must(t, unix.Flock(int(dir.Fd()), unix.LOCK_UN))
	verified(t, s, raw)
	kit.Must(t, unix.Flock(int(dir.Fd()), unix.LOCK_EX))
	began := time.Now()
	verified(t, s, raw)
	if took := time.Since(began); took > time.Second {
		t.Errorf("a warm cache took %v", took)
	}
	old, warnings := later(s, 2*time.Hour)
	ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := old.Verify(ctx, raw); err != nil || len(*warnings) != 1 || !strings.Contains((*warnings)[0], "2h0m0s old: another process holds") {
		t.Errorf("old keys: error %v, warnings %q", err, *warnings)
	}
}

package jwks

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sys/unix"
)

// maxCache bounds the size of a cache file, in bytes. A larger file is ignored.
const maxCache = 1 << 20

// cache is the content of a file that keeps an issuer's keys between processes.
type cache struct {
	Issuer  string             `json:"issuer"`
	Fetched time.Time          `json:"fetched"` // when the request for the keys began
	Tried   time.Time          `json:"tried"`   // when the last request ended
	Failure string             `json:"failure,omitempty"`
	Keys    jose.JSONWebKeySet `json:"set"`
}

// folder is the open folder of the caches.
type folder struct{ fd int }

// openFolder opens the folder of the caches. It must belong to this user and be closed to
// all others.
func openFolder(path string) (folder, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return folder{}, err
	}
	var stat unix.Stat_t
	if err = unix.Fstat(fd, &stat); int(stat.Uid) != os.Geteuid() || stat.Mode&0o077 != 0 {
		err = fmt.Errorf("other users than %d can open it", os.Geteuid())
	}
	if err != nil {
		folder{fd}.close()
		return folder{}, err
	}
	return folder{fd}, nil
}

// CheckDir fails unless a Source may have the folder at path as its Dir.
func CheckDir(path string) error {
	d, err := openFolder(path)
	if err == nil {
		d.close()
	}
	return err
}

// close closes the folder, and releases its lock.
func (d folder) close() { _ = unix.Close(d.fd) }

// lock locks the folder, so that only one process requests keys. It waits until ctx is
// done. Closing the folder releases the lock.
func (d folder) lock(ctx context.Context) error {
	for {
		err := unix.Flock(d.fd, unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.New("another process holds the lock of the kept keys")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// name returns the name of the cache file of a source.
func (s Source) name() string {
	sum := sha256.Sum256([]byte(s.Issuer + "\x00" + s.URL))
	return fmt.Sprintf("keys-%x.json", sum[:8])
}

// read returns the kept keys. It returns an empty cache if the file is missing or broken,
// is about another issuer, has another owner or mode, or has a time in the future: the
// next write replaces such a file.
func (s Source) read(d folder) cache {
	// O_NONBLOCK: if a FIFO is there, opening it must not wait.
	fd, err := unix.Openat(d.fd, s.name(), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return cache{}
	}
	file := os.NewFile(uintptr(fd), s.name())
	defer file.Close()
	var stat unix.Stat_t
	_ = unix.Fstat(fd, &stat) // of a file that cannot be asked the mode is 0
	if stat.Mode != unix.S_IFREG|0o600 || int(stat.Uid) != os.Geteuid() {
		return cache{}
	}
	content, err := io.ReadAll(io.LimitReader(file, maxCache+1))
	if err != nil || len(content) > maxCache {
		return cache{}
	}
	c, err := parseCache(content)
	now := s.now() // after reading: another process may have written the file a moment ago
	if err != nil || c.Issuer != s.Issuer || c.Fetched.After(now) || c.Tried.After(now) {
		return cache{}
	}
	return c
}

// parseCache reads the content of a cache file. It checks the keys by the same rules as
// an issuer's answer.
func parseCache(content []byte) (cache, error) {
	var c struct {
		cache
		Keys json.RawMessage `json:"set"`
	}
	if err := json.Unmarshal(content, &c); err != nil {
		return cache{}, err
	}
	if c.Fetched.IsZero() {
		return c.cache, nil
	}
	var err error
	c.cache.Keys.Keys, err = parseKeys(c.Keys)
	return c.cache, err
}

// write replaces the cache file by a rename, so that a reader sees either the old or the
// new keys. The caller must hold the lock.
func (s Source) write(d folder, c cache) error {
	content, err := json.Marshal(c)
	if err != nil {
		return err
	}
	temporary := s.name() + ".new"
	_ = unix.Unlinkat(d.fd, temporary, 0) // a killed process may have left it
	fd, err := unix.Openat(d.fd, temporary, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), temporary)
	_, err = file.Write(content)
	err = errors.Join(err, file.Chmod(0o600), file.Close()) // the umask may have cleared bits
	if err == nil {
		err = unix.Renameat(d.fd, temporary, d.fd, s.name())
	}
	if err != nil {
		_ = unix.Unlinkat(d.fd, temporary, 0)
	}
	return err
}

package state

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/job"
)

// triesName is the folder of a root that remembers the failed tries of jobs.
const triesName = "tries"

// triesTime is how long a failed try is remembered. GitLab Runner waits 3 s before it
// tries again, and a try takes some seconds.
const triesTime = 10 * time.Minute

// Try remembers that a try of the job has failed with that text. It returns which try it
// was, from 1 on, and whether the one before has failed with the same text. It returns 0 if root cannot be used.
func Try(root string, key job.Key, text string) (number int, same bool) {
	top, err := openOwn(root)
	if top == nil || err != nil {
		return 0, false
	}
	defer top.close()
	tries, err := top.makeDir(triesName)
	if err != nil {
		return 0, false
	}
	defer tries.close()
	name, mark := key.ID.String(), markOf(key.Proof+text)
	last, old := tries.lastTry(name)
	content := fmt.Sprintf("%d %s", last+1, mark)
	_ = unix.Unlinkat(tries.fd, name, 0)
	if err := tries.create(name, []byte(content)); err != nil {
		return 0, false
	}
	return last + 1, old == mark
}

// lastTry returns the number of the last try and its mark, 0 if there is none.
func (d dir) lastTry(name string) (number int, mark string) {
	content, err := d.read(name, 100)
	if err != nil {
		return 0, ""
	}
	if n, err := fmt.Sscanf(string(content), "%d %s", &number, &mark); n != 2 || err != nil || number < 1 {
		return 0, ""
	}
	return number, mark
}

// markOf returns a hash of text.
func markOf(text string) string {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(text))
	return fmt.Sprintf("%x", hash.Sum64())
}

// makeDir opens the folder of that name in d, and makes it if necessary.
func (d dir) makeDir(name string) (dir, error) {
	if err := unix.Mkdirat(d.fd, name, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return dir{}, d.errorf(name, err)
	}
	return openDir(d.fd, name, d.join(name))
}

// forgetTries removes the tries of d, a root, that are old, and their folder if it is
// empty then.
func (h host) forgetTries(d dir) {
	tries, err := openDir(d.fd, triesName, d.join(triesName))
	if err != nil {
		return
	}
	defer tries.close()
	entries, _ := os.ReadDir(procPath(tries.fd))
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && h.now.Sub(info.ModTime()) > triesTime {
			_ = unix.Unlinkat(tries.fd, entry.Name(), 0)
		}
	}
	_ = unix.Unlinkat(d.fd, triesName, unix.AT_REMOVEDIR)
}

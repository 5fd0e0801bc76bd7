package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
)

// planter is a script that puts, in every folder that its user can write to below some,
// links to a folder and a file of root, and FIFOs: under the names that rolecall or the
// runner use there, under others, and in the place of the folder itself. Nobody but root
// can open what the links lead to.
const planter = `
plant() {
  n=0
  for name in .aws .aws/config .aws/credentials .docker .docker/config.json .bash_profile .profile .ssh .gitconfig \
      rolecall-%[1]s .aws.alpha.env .rolecall.x issued.json job.json removed.json ledger tries secret kept own keys \
      deploy deploy.tmp deploy.tmp/rolecall-1 tmp protected.tmp unprotected.tmp home x y; do
    n=$((n + 1))
    case $((n %% 3)) in
      0) ln -sn %[2]s/folder "$1/$name" || true ;;
      1) ln -sn %[2]s/file "$1/$name" || true ;;
      2) mkfifo "$1/$name" || true ;;
    esac
  done 2> /dev/null
  planted=$((planted + n))
}
for dir in $(find %[3]s -type d -writable -not -path '*/.git/*' 2> /dev/null || true); do
  plant "$dir"
  echo "in $dir."
done
echo "planted $planted"
`

// replacer puts links in the place of folders of the job's user, wherever it can.
const replacer = `
set +e
find %[2]s -depth -mindepth 1 -type d -user "$(id -un)" -not -path '*/.git*' 2> /dev/null | while read -r dir; do
  mv "$dir" "$dir.moved" 2> /dev/null && ln -sn %[1]s/folder "$dir" && echo "replaced $dir"
done
exit 0
`

// watched are files of root that nobody else can reach, so that root alone can open them.
type watched struct {
	dir string
	fd  int
}

// watch makes a folder and a file of root and watches all that happens to them, by
// inotify(7).
func watch(t *testing.T, dir string) watched {
	t.Helper()
	w := watched{dir: dir}
	kit.Must(t, os.MkdirAll(filepath.Join(dir, "folder"), 0o700))
	kit.Must(t, os.WriteFile(filepath.Join(dir, "folder", "config"), nil, 0o600))
	kit.Must(t, os.WriteFile(filepath.Join(dir, "file"), []byte("of root\n"), 0o600))
	var err error
	w.fd, err = unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	kit.Must(t, err)
	t.Cleanup(func() { _ = unix.Close(w.fd) })
	for _, name := range []string{"folder", "folder/config", "file"} {
		_, err := unix.InotifyAddWatch(w.fd, filepath.Join(dir, name), unix.IN_ALL_EVENTS)
		kit.Must(t, err)
	}
	return w
}

// events returns the masks of what has happened since the last call.
func (w watched) events(t *testing.T) (masks []string) {
	t.Helper()
	buffer := make([]byte, 64<<10)
	n, err := unix.Read(w.fd, buffer)
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		t.Fatal(err)
	}
	for at := 0; at+unix.SizeofInotifyEvent <= n; {
		event := (*unix.InotifyEvent)(unsafe.Pointer(&buffer[at]))
		masks = append(masks, fmt.Sprintf("%#x", event.Mask))
		at += unix.SizeofInotifyEvent + int(event.Len)
	}
	return masks
}

// TestPlantedEverywhere: a job of a tenant's user plants links and FIFOs wherever it can
// write, and puts links in the place of its folders. No process of root follows one, in
// that job and in the next ones, none waits, and every job ends.
func TestPlantedEverywhere(t *testing.T) {
	t.Parallel()
	p := newIsolatedWorld(t)
	w := watch(t, filepath.Join(p.dir, "of-root"))
	_, err := os.ReadFile(filepath.Join(w.dir, "file"))
	kit.Must(t, err)
	if len(w.events(t)) == 0 {
		t.Fatal("what root opens is not seen")
	}
	at := func(name string) string { return filepath.Join(p.dir, name) }
	places := strings.Join([]string{ // those above are closed to the user
		at("builds/alpha/protected"), at("cache/alpha/protected"), at("builds/alpha/protected.own/$CI_JOB_ID"), at("builds/alpha/protected.tmp"),
	}, " ")
	plant := fmt.Sprintf(planter, "$CI_JOB_ID", w.dir, places)
	job := p.alpha(plant)
	job.AfterScript = []string{plant}
	job.Cache = []coordinator.Cache{{Paths: []string{"x", "y"}}}
	log := p.succeed(t, sharedToken, job)
	for _, name := range []string{"builds/alpha/protected", "cache/alpha/protected", "builds/alpha/protected.own/", "builds/alpha/protected.tmp"} {
		contains(t, log, "\nin "+at(name))
	}
	p.check(t, w, "links")
	last := p.alpha(fmt.Sprintf(replacer, w.dir, places))
	run := p.enqueue(sharedToken, last)
	wait(t, run)
	contains(t, run.Text(), "\nreplaced ")
	p.check(t, w, "links in the place of folders")
	p.succeed(t, sharedToken, p.alpha("true")) // the tenant is not in its own way
	p.check(t, w, "the next job")
	p.succeed(t, sharedToken, p.beta("true"))
	p.checkNothingLeft(t)
}

// check fails the test where root has touched its files.
func (p *policyWorld) check(t *testing.T, w watched, after string) {
	t.Helper()
	if events := w.events(t); len(events) > 0 {
		t.Errorf("%s: root has followed a link: events %v", after, events)
	}
}

package podman_test

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	"rolecall/internal/backend/podman"
	"rolecall/internal/job"
	"rolecall/test/kit"
)

// images is the folder of the image stores.
func (p *placed) images() string { return p.dir + "/images" }

// note is the file that says whose the folder of a job is.
func (p *placed) note() string { return filepath.Join(podman.DirOf(p.data), "job.json") }

// unique returns the id of a job that no other run of the tests has: a run that was killed
// may have left processes.
func unique(id int) job.ID { return job.ID(id*10_000_000 + os.Getpid()) }

// lost finds no record.
func lost(string, job.ID) (json.RawMessage, error) { return nil, fs.ErrNotExist }

// tidy removes what dead jobs have left, and returns how many.
func (p *placed) tidy(find backend.Finder) int {
	p.t.Helper()
	var removed []string
	kit.Must(p.t, apart(func() error {
		var err error
		removed, err = podman.New(host.New()).Tidy(context.Background(), p.images(), find)
		return err
	}))
	return len(removed)
}

// ages makes the note of a job older.
func (p *placed) ages(by time.Duration) {
	p.t.Helper()
	then := time.Now().Add(-by)
	kit.Must(p.t, os.Chtimes(p.note(), then, then))
}

// checkNothing reports what is left of a job: folders, links, processes and mounts.
func (p *placed) checkNothing(what string) {
	p.t.Helper()
	dirs, err := os.ReadDir(p.images() + "/.jobs")
	kit.Must(p.t, err)
	if len(dirs) > 0 {
		p.t.Errorf("%s: folders are left: %v", what, dirs)
	}
	links, err := os.ReadDir("/run/rolecall-podman")
	kit.Must(p.t, err)
	for _, link := range links {
		if target, _ := os.Readlink("/run/rolecall-podman/" + link.Name()); strings.HasPrefix(target, p.images()+"/.jobs") {
			p.t.Errorf("%s: a link to %s is left", what, target)
		}
	}
	if left := p.processes(); len(left) > 0 {
		p.t.Errorf("%s: processes are left: %q", what, left)
	}
	if mounts, err := os.ReadFile("/proc/self/mounts"); err != nil || strings.Contains(string(mounts), p.dir) {
		p.t.Errorf("%s: mounts are left: %s %v", what, mounts, err)
	}
}

// processes returns the command lines of the living processes in the cgroups of the job.
func (p *placed) processes() []string {
	var found []string
	all, _ := filepath.Glob("/proc/[0-9]*/cgroup")
	for _, path := range all {
		groups, _ := os.ReadFile(path)
		line, _ := os.ReadFile(filepath.Dir(path) + "/cmdline")
		if strings.Contains(string(groups), "rolecall-"+p.id.String()+"-") && len(line) > 0 {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

// TestTidy: the folder of a job goes when no record names it, with its processes, and not
// while the job may live.
func TestTidy(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "what containers leave") {
		return
	}
	p := newJob(t, unique(4731), withServices("none", web("80", "one", "db"))).withImage()
	kit.Must(t, os.Mkdir(p.dir+"/store", 0o700))
	kit.Must(t, p.build())
	if len(p.processes()) == 0 {
		t.Fatal("no process of a service")
	}
	named := func(root string, id job.ID) (json.RawMessage, error) {
		if root != p.dir+"/store" || id != p.id {
			t.Errorf("asked for job %v in %s", id, root)
		}
		return p.data, nil
	}
	unread := func(string, job.ID) (json.RawMessage, error) { return nil, nil }
	broken := func(string, job.ID) (json.RawMessage, error) { return nil, fs.ErrPermission }
	if n := p.tidy(lost); n != 0 {
		t.Error("a job whose folder is new has lost it")
	}
	p.ages(2 * time.Minute)
	for name, find := range map[string]backend.Finder{"a record": named, "what cannot be read": unread, "an error": broken} {
		if n := p.tidy(find); n != 0 {
			t.Errorf("%s: the folder is gone", name)
		}
	}
	if o := p.run("build_script", "wget -q -O - http://db", nil); o.Code != 0 {
		t.Errorf("the job: %+v", o)
	}
	if n := p.tidy(lost); n != 1 {
		t.Errorf("%d folders without a record are removed", n)
	}
	p.checkNothing("no record")
	if n := p.tidy(lost); n != 0 {
		t.Errorf("%d folders are removed once more", n)
	}
}

// TestTidyBoot: after a reboot the folder goes at once. Where the folder of the records is
// another one than it was, it may be that of another namespace: then the folder stays a day.
func TestTidyBoot(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "what containers leave") {
		return
	}
	p := newJob(t, unique(4732), nil).withImage()
	kit.Must(t, os.Mkdir(p.dir+"/store", 0o700))
	kit.Must(t, p.build())
	p.ages(24 * time.Hour)
	kit.Must(t, os.Rename(p.dir+"/store", p.dir+"/old"))
	if n := p.tidy(lost); n != 0 {
		t.Error("the folder of records is not seen, and that of the job is gone")
	}
	kit.Must(t, os.Mkdir(p.dir+"/store", 0o700))
	if n := p.tidy(lost); n != 0 {
		t.Error("the folder of records is another one, and that of the job is gone")
	}
	p.ages(26 * time.Hour)
	if n := p.tidy(lost); n != 1 {
		t.Errorf("%d folders are removed a day later", n)
	}
	p.makeOwn()
	kit.Must(t, p.build())
	content, err := os.ReadFile(p.note())
	kit.Must(t, err)
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	kit.Must(t, err)
	changed := strings.Replace(string(content), strings.TrimSpace(string(boot)), "another", 1)
	kit.Must(t, os.WriteFile(p.note(), []byte(changed), 0o600))
	if n := p.tidy(lost); n != 1 || changed == string(content) {
		t.Errorf("%d folders are removed after a reboot", n)
	}
	p.checkNothing("another boot")
}

// TestTidyUnnoted: a folder without a note is that of a job that was not made; it goes after
// a minute. A link without a folder goes too, and what is not of these images stays.
func TestTidyUnnoted(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "what containers leave") {
		return
	}
	p := newJob(t, unique(4733), nil).withImage()
	kit.Must(t, p.reap())
	kit.Must(t, os.Mkdir(podman.DirOf(p.data), 0o711))
	kit.Must(t, os.Symlink(p.dir, podman.DirOf(p.data)+"/out"))
	kit.Must(t, os.WriteFile(p.dir+"/kept", nil, 0o600))
	link, other := "/run/rolecall-podman/"+filepath.Base(p.dir), "/run/rolecall-podman/other"+filepath.Base(p.dir)
	kit.Must(t, os.Symlink(p.images()+"/.jobs/gone/run", link))
	kit.Must(t, os.Symlink(p.dir+"/gone/.jobs/none/run", other))
	t.Cleanup(func() { _ = os.Remove(other) })
	if n := p.tidy(lost); n != 0 {
		t.Error("a new folder is gone")
	}
	then := time.Now().Add(-2 * time.Minute)
	kit.Must(t, os.Chtimes(podman.DirOf(p.data), then, then))
	if n := p.tidy(lost); n != 1 {
		t.Errorf("%d folders without a note are removed", n)
	}
	p.checkNothing("no note")
	if _, err := os.Stat(p.dir + "/kept"); err != nil {
		t.Errorf("what a link leads to: %v", err)
	}
	if _, err := os.Lstat(other); err != nil {
		t.Errorf("a link of other images: %v", err)
	}
}

// TestTidyLent: files of a work tree that belong to users of a container are given back,
// but not while another job works there.
func TestTidyLent(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "what containers leave") {
		return
	}
	p := newJob(t, unique(4734), nil).withImage()
	kit.Must(t, os.Mkdir(p.dir+"/store", 0o700))
	kit.Must(t, p.build())
	file := p.slot() + "/file"
	kit.Must(t, os.WriteFile(file, nil, 0o600))
	kit.Must(t, os.Chown(file, int(firstOf(t, p)), int(firstOf(t, p))))
	kit.Must(t, os.WriteFile(podman.DirOf(p.data)+"/lent", nil, 0o600))
	p.ages(2 * time.Minute)
	other := newJobIn(t, p.dir, unique(4735), nil)
	kit.Must(t, other.build())
	if n := p.tidy(lost); n != 0 {
		t.Errorf("%d folders are removed while another job works there", n)
	}
	kit.Must(t, other.reap())
	if n := p.tidy(lost); n != 1 {
		t.Errorf("%d folders are removed", n)
	}
	if uids := p.owners(); len(uids) != 1 || uids[65534] == 0 {
		t.Errorf("files of uids %v, want those of the job's user only", uids)
	}
	p.checkNothing("lent")
}

// firstOf returns the first id of a container's users on this host.
func firstOf(t *testing.T, p *placed) uint32 {
	t.Helper()
	var w struct {
		Podman struct {
			IDs struct{ First uint32 }
		}
	}
	kit.Must(t, json.Unmarshal(p.data, &w))
	return w.Podman.IDs.First
}

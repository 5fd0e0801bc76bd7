package podman

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/backend/host"
	"rolecall/internal/fault"
	"rolecall/internal/retention"
	"rolecall/test/kit"
)

// inspected is what podman says of an image with one layer.
func inspected(id string) string {
	return fmt.Sprintf(`{"id":%q,"digest":"d","tags":["r/x:1"],"layers":{"UpperDir":"/s/overlay/%s/diff"}}`, id, id)
}

// TestParseImages: an answer that is not about all images that were asked for, or that does
// not say which layers they have, is none: images would go that stay, and with them layers of
// others.
func TestParseImages(t *testing.T) {
	t.Parallel()
	const unread, noLayer = "podman says of an image what cannot be read", "podman names no layer of an image"
	for name, test := range map[string]struct {
		answer string
		count  int
		want   string // empty: the images are read
	}{
		"two":            {inspected(idOne) + "\n" + inspected(idTwo) + "\n", 2, ""},
		"none":           {"", 0, ""},
		"one is missing": {inspected(idOne), 2, "podman tells of 1 images instead of 2"},
		"one too many":   {inspected(idOne) + "\n" + inspected(idTwo), 1, "podman tells of 2 images instead of 1"},
		"no JSON":        {"x", 1, unread},
		"half of it":     {inspected(idOne)[:80], 1, unread},
		"another form":   {strings.Replace(inspected(idOne), `"digest":"d"`, `"digest":5`, 1), 1, unread},
		"a path as id":   {inspected("../" + idOne), 1, unread},
		"no id":          {inspected(""), 1, unread},
		"no layers":      {strings.Replace(inspected(idOne), "UpperDir", "Other", 1), 1, noLayer},
		"no layer's id":  {strings.Replace(inspected(idOne), "/s/overlay/1", "/s/overlay/x", 1), 1, noLayer},
	} {
		images, err := parseImages(test.answer, test.count)
		if test.want != "" {
			if expect(t, name, err, "", test.want); images != nil {
				t.Errorf("%s: %+v beside the error", name, images)
			}
		} else if err != nil || len(images) != test.count {
			t.Errorf("%s: %+v, %v", name, images, err)
		}
	}
}

// newFakeStore returns a store whose podman is a fake.
func newFakeStore(t *testing.T, says says) (store, faked) {
	t.Helper()
	f := newFaked(t, says.podman())
	f.lock = null(t, 1)[0]
	return store{engine: f.engine, name: "alpha/protected", images: f.place.images()}, f
}

// TestList: no image is listed of a store that podman cannot read as a whole.
func TestList(t *testing.T) {
	var many []string
	for i := range atOnce + 1 {
		many = append(many, fmt.Sprintf("%064x", i))
	}
	const failed = "podman ended with 125"
	for name, test := range map[string]struct {
		ids  []string
		says says
		want string
	}{
		"the first image":   {[]string{idOne}, says{inspect: "exit 125"}, failed},
		"no answer":         {[]string{idOne}, says{}, "podman tells of 0 images instead of 1"},
		"an image after 20": {many, says{inspect: `case "$*" in *` + fmt.Sprintf("%064x", atOnce) + `) exit 125;; esac; for id in $*; do case $id in 0000*) echo "{\"id\":\"$id\",\"layers\":{\"UpperDir\":\"/x/$id/diff\"}}";; esac; done`}, failed},
	} {
		s, f := newFakeStore(t, test.says)
		images, err := s.list(t.Context(), test.ids)
		if expect(t, name, err, "", test.want); images != nil {
			t.Errorf("%s: %+v beside the error", name, images)
		}
		if name == "an image after 20" && f.calls("image inspect") != 2 {
			t.Errorf("%s: asked %d times", name, f.calls("image inspect"))
		}
	}
}

// TestRemoveAll: an image that podman does not remove keeps its note, and is named as one that
// has stayed. Jobs do not find it by its name meanwhile.
func TestRemoveAll(t *testing.T) {
	s, f := newFakeStore(t, says{rmi: `case "$*" in *` + idTwo + `) echo busy >&2; exit 125;; esac`})
	for _, id := range []string{idOne, idTwo} {
		kit.Must(t, os.MkdirAll(filepath.Join(s.place.Store, "overlay-images", id), 0o700))
		kit.Must(t, touch(s.place.Store, id))
		s.place.remember(image{id: id}, "r/"+id)
	}
	done := retention.Store{Kept: 1}
	going := []retention.Going{{Image: retention.Image{ID: idOne}, Bytes: 5}, {Image: retention.Image{ID: idTwo}, Bytes: 7}}
	err := s.removeAll(t.Context(), going, &done)
	expect(t, "the second one", err, "", "the image "+idTwo+" cannot be removed: podman ended with 125: busy")
	if len(done.Gone) != 1 || done.Freed != 5 || f.calls(" rmi ") != 2 {
		t.Errorf("%+v", done)
	}
	for id, there := range map[string]bool{idOne: false, idTwo: true} {
		if used, err := lastUse(s.place.Store, id); err != nil || used.IsZero() == there {
			t.Errorf("%s: used at %v, %v", id, used, err)
		}
		if _, known := s.place.recall("r/" + id); known {
			t.Errorf("%s is known", id)
		}
	}
}

// TestEmpty: a store that cannot be put aside stays as it is, with what is noted of it.
func TestEmpty(t *testing.T) {
	s, _ := newFakeStore(t, says{})
	kit.Must(t, touch(s.place.Store, idOne))
	kit.Must(t, os.MkdirAll(filepath.Join(s.place.Dir, "store", "full"), 0o700))
	expect(t, "there is no place", s.empty(false), fault.LeftBehind, "remove the folder while no job of the tenant runs\nrm -rf "+s.place.Store)
	if used, err := lastUse(s.place.Store, idOne); err != nil || used.IsZero() {
		t.Errorf("the note: %v, %v", used, err)
	}
}

// TestUse: an image whose last use is not known does not look like one that was never used, and
// one whose use cannot be noted is not taken for one that is.
func TestUse(t *testing.T) {
	s, _ := newFakeStore(t, says{})
	images := []retention.Image{{ID: idOne}}
	kit.Must(t, os.WriteFile(usedDir(s.place.Store), nil, 0o600))
	expect(t, "a file for the folder", s.addUse(images, nil, true), "", "the last use of an image is not known: ")
	kit.Must(t, os.Remove(usedDir(s.place.Store)))
	expect(t, "no id", s.addUse([]retention.Image{{ID: "../x"}}, nil, true), "", "the use of an image cannot be noted: it is not the id of an image")
	kit.Must(t, os.RemoveAll(filepath.Dir(s.place.Store)))
	expect(t, "no folder", s.addUse(images, nil, true), "", "the use of an image cannot be noted: ")
	if err := s.addUse(images, map[string]bool{idOne: true}, false); err != nil || !images[0].Live {
		t.Errorf("a dry run: %+v, %v", images, err)
	}
}

// TestNoStore: what is no folder of a job's user is no store: podman would work there as root.
func TestNoStore(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "folders of other users")
	images := t.TempDir()
	kit.Must(t, os.MkdirAll(images+"/a/root", 0o700))
	kit.Must(t, os.Mkdir(images+"/a/user", 0o700))
	kit.Must(t, os.WriteFile(images+"/a/file", nil, 0o600))
	kit.Must(t, os.Symlink("user", images+"/a/link"))
	for _, name := range []string{"user", "file", "link"} {
		kit.Must(t, os.Lchown(images+"/a/"+name, 65534, 65534))
	}
	for name, want := range map[string]string{
		"a/none": "no such file", "a/root": "is no folder of a unix user", "a/file": "is no folder of a unix user", "a/link": "is no folder of a unix user",
	} {
		_, err := New(host.New()).newStore(images, name, nil)
		expect(t, name, err, "", want)
	}
	s, err := New(host.New()).newStore(images, "a/user", nil)
	if err != nil || s.as.UID != 65534 || s.as.Own != nil {
		t.Errorf("a store: %+v, %v", s.as, err)
	}
	kit.Must(t, os.Mkdir(images+"/"+idsDir, 0o700))
	kit.Must(t, os.Symlink("x", fmt.Sprintf("%s/%s/%d", images, idsDir, 65534%ranges)))
	_, err = New(host.New()).newStore(images, "a/user", nil)
	expect(t, "whose ids are not known", err, "", "which is no uid")
}

// TestUsedBy: if nobody knows what jobs use, that is an error, and not that they use nothing.
func TestUsedBy(t *testing.T) {
	t.Parallel()
	images := t.TempDir()
	if used, err := inUse(images, images+"/a/b"); err != nil || len(used) > 0 {
		t.Errorf("no job: %v, %v", used, err)
	}
	kit.Must(t, os.WriteFile(images+"/"+jobsDir, nil, 0o600))
	_, err := inUse(images, images+"/a/b")
	if expect(t, "a file for jobs", err, "", "not a directory"); errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// TestBusy: while the folder of a job is being made, none goes.
func TestBusy(t *testing.T) {
	t.Parallel()
	images := t.TempDir()
	dir := filepath.Join(images, jobsDir, "x")
	kit.Must(t, os.MkdirAll(dir, 0o700))
	then := time.Now().Add(-time.Hour)
	kit.Must(t, os.Chtimes(dir, then, then))
	unlock, err := lockJobs(images, 1) // LOCK_SH
	kit.Must(t, err)
	removed, err := New(host.New()).Tidy(t.Context(), images, nil)
	if err != nil || len(removed) > 0 {
		t.Errorf("a job is being made: %q, %v", removed, err)
	}
	if unlock(); t.Failed() {
		return
	}
	kit.Must(t, os.RemoveAll(images+"/"+jobsDir+".lock"))
	kit.Must(t, os.Mkdir(images+"/"+jobsDir+".lock", 0o700))
	if removed, err := New(host.New()).Tidy(t.Context(), images, nil); err == nil || len(removed) > 0 {
		t.Errorf("no lock: %q, %v", removed, err)
	}
	kit.Must(t, os.Remove(images+"/"+jobsDir+".lock"))
	removed, err = New(host.New()).Tidy(t.Context(), images, nil)
	if err != nil || len(removed) != 1 {
		t.Errorf("afterwards: %q, %v", removed, err)
	}
}

package scan_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/gate/scan"
	"rolecall/internal/mask"
	"rolecall/test/kit"
)

// issued returns secrets in the form of AWS's and GitLab's. They are the same in every
// run.
func issued() []mask.Named {
	random := rand.New(rand.NewPCG(1, 2))
	text := func(prefix, letters string, n int) mask.Secret {
		text := []byte(prefix)
		for len(text) < n {
			text = append(text, letters[random.IntN(len(letters))])
		}
		return mask.NewSecret(string(text))
	}
	const upper, all = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	return []mask.Named{
		{Kind: "access key id", Value: text("ASIA", upper, 20)},
		{Kind: "secret access key", Value: text("", all, 40)},
		{Kind: "session token", Value: text("IQoJb3JpZ2luX2Vj", all, 1200)},
		{Kind: "ID token", Value: text("eyJhbGciOiJSUzI1NiIs", all[:62], 2000)},
	}
}

// secret returns the secret i of issued.
func secret(i int) string { return issued()[i].Value.Reveal() }

// write writes a file in a folder, and creates its folders.
func write(t testing.TB, dir, name string, content []byte) {
	t.Helper()
	path := filepath.Join(dir, name)
	kit.Must(t, errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600)))
}

// named returns files by their names.
func named(names ...string) func(func(scan.File) bool) {
	return func(yield func(scan.File) bool) {
		for _, name := range names {
			if !yield(scan.File{Name: name}) {
				return
			}
		}
	}
}

// scanned scans files, and fails the test if the result shows a secret.
func scanned(t testing.TB, o scan.Options, names ...string) scan.Result {
	t.Helper()
	result, err := scan.Scan(t.Context(), issued(), named(names...), o)
	kit.Must(t, err)
	shown := fmt.Sprintf("%+v", result)
	for _, s := range issued() {
		for _, form := range mask.Forms(s.Value) {
			if strings.Contains(shown, string(form)) {
				t.Fatalf("the result shows the %s: %s", s.Kind, shown)
			}
		}
	}
	return result
}

// want compares findings, as "name: inside: kinds", and problems, as "name: inside:
// reason".
func want(t *testing.T, result scan.Result, findings, problems []string) {
	t.Helper()
	var found, unseen []string
	for _, f := range result.Findings {
		found = append(found, f.Name+": "+f.Inside+": "+strings.Join(f.Kinds, ", "))
	}
	for _, p := range result.Problems {
		unseen = append(unseen, p.Name+": "+p.Inside+": "+p.Reason.Error())
	}
	if !slices.Equal(found, findings) {
		t.Errorf("found\n\t%q, want\n\t%q", found, findings)
	}
	if !slices.Equal(unseen, problems) {
		t.Errorf("problems\n\t%q, want\n\t%q", unseen, problems)
	}
}

func TestWhatCannotBeLookedAt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kit.Must(t, errors.Join(unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600), os.Mkdir(filepath.Join(dir, "folder"), 0o700)))
	write(t, dir, "file", nil)
	names := []string{"/dev/zero", "/proc/self/mem", "fifo", "file", "file/below", "folder", "gone"}
	done := make(chan scan.Result)
	go func() { done <- scanned(t, scan.Options{Dir: dir}, names...) }()
	select {
	case result := <-done:
		want(t, result, nil, []string{
			"/dev/zero: : " + scan.ErrIrregular.Error(),
			"/proc/self/mem: : input/output error",
			"fifo: : " + scan.ErrIrregular.Error(),
			"file/below: : not a directory",
			"gone: : no such file or directory",
		})
		if !errors.Is(result.Problems[4].Reason, unix.ENOENT) || result.Files != int64(len(names)) || result.Stopped != nil {
			t.Errorf("%+v", result)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the scan hangs")
	}
}

func TestWhatCannotBeScanned(t *testing.T) {
	t.Parallel()
	if _, err := scan.Scan(t.Context(), nil, named(), scan.Options{}); err == nil {
		t.Error("a scan for nothing is no error")
	}
	if _, err := scan.Scan(t.Context(), issued(), named(), scan.Options{Dir: filepath.Join(t.TempDir(), "gone")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("in no folder: %v", err)
	}
}

func TestKindsAndOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "z/all", []byte(secret(3)+secret(1)+"\x00"+secret(0)+secret(2)))
	write(t, dir, "a", []byte("x"+secret(1)))
	write(t, dir, "clean", []byte(secret(0)[:19]+"\n"+secret(1)[1:]))
	for range 20 {
		want(t, scanned(t, scan.Options{Dir: dir, Workers: 2}, "z/all", "clean", "a"), []string{
			"a: : secret access key",
			"z/all: : ID token, access key id, secret access key, session token",
		}, nil)
	}
}

// TestNames scans files with secrets in their names and in the texts of links.
func TestNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := "x" + secret(0) + ".txt"
	write(t, dir, name, nil)
	write(t, dir, "target", []byte(secret(1)))
	archive := zipOf(name, nil)
	write(t, dir, "a.zip", archive)
	write(t, dir, "b.gz", gzipOf("", tarOf(name, []byte("harmless"))))
	for link, to := range map[string]string{"dangling": "/" + secret(0), "followed": "target", "not followed": "target"} {
		kit.Must(t, os.Symlink(to, filepath.Join(dir, link)))
	}
	files := func(yield func(scan.File) bool) {
		for _, f := range []scan.File{{Name: name}, {Name: "a.zip"}, {Name: "b.gz"}, {Name: "dangling"}, {Name: "not followed"}, {Name: "followed", Follow: true}} {
			if !yield(f) {
				return
			}
		}
	}
	result, err := scan.Scan(t.Context(), issued(), files, scan.Options{Dir: dir})
	kit.Must(t, err)
	want(t, result, []string{
		"a.zip: x[MASKED].txt: access key id",
		"b.gz: x[MASKED].txt: access key id",
		"dangling: : access key id",
		"followed: : secret access key",
		"x[MASKED].txt: : access key id",
	}, nil)
}

// TestBufferEdges: a secret is found wherever the end of a read cuts it.
func TestBufferEdges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const edge = 256 << 10
	text := secret(1)
	for cut := 1; cut < len(text); cut++ {
		content := bytes.Repeat([]byte("."), edge+len(text)+cut)
		copy(content[edge-cut:], text)
		write(t, dir, "file", content)
		write(t, dir, "file.gz", gzipOf("", content))
		if result := scanned(t, scan.Options{Dir: dir}, "file", "file.gz"); len(result.Findings) != 2 {
			t.Fatalf("cut after %d bytes: %+v", cut, result)
		}
	}
}

// TestOracle compares the scan with a search of the whole content for every form.
func TestOracle(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	dir := t.TempDir()
	for round := range 100 {
		content := make([]byte, random.IntN(600<<10))
		for i := range content {
			content[i] = "ab\n\x00"[random.IntN(4)]
		}
		found := map[string]bool{}
		for range random.IntN(4) {
			s := issued()[random.IntN(4)]
			forms := mask.Forms(s.Value)
			form := forms[random.IntN(len(forms))]
			form = form[:len(form)-random.IntN(2)] // or not quite all of it
			if len(content) > len(form) {
				copy(content[random.IntN(len(content)-len(form)):], form)
			}
		}
		for _, s := range issued() {
			for _, form := range mask.Forms(s.Value) {
				if bytes.Contains(content, form) {
					found[s.Kind] = true
				}
			}
		}
		write(t, dir, "file", content)
		got := map[string]bool{}
		for _, f := range scanned(t, scan.Options{Dir: dir}, "file").Findings {
			for _, kind := range f.Kinds {
				got[kind] = true
			}
		}
		if !reflect.DeepEqual(got, found) {
			t.Fatalf("round %d: found %v, want %v", round, got, found)
		}
	}
}

package selection_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/gate/selection"
	"rolecall/test/kit"
)

// server receives uploads of artifacts.
type server struct {
	*httptest.Server
	mu      sync.Mutex
	uploads [][]byte
}

func newServer(t testing.TB) *server {
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, _, err := r.FormFile("file")
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		data, err := io.ReadAll(file)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.uploads = append(s.uploads, data)
		w.WriteHeader(http.StatusCreated)
	}))
	t.Cleanup(s.Close)
	return s
}

// uploaded returns the files that the runner's command uploads for u, by path.
func uploaded(t testing.TB, s *server, dir string, u selection.Upload) map[string]string {
	t.Helper()
	args := append([]string{
		"artifacts-uploader", "--url", s.URL, "--token", "x", "--id", "1", "--artifact-format", u.Format,
	}, flags(u)...)
	cmd := exec.Command(runner(t), args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PWD="+dir)
	log, err := cmd.CombinedOutput()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && len(s.uploads) > 0 {
		t.Fatalf("%v: an upload and %v\n%s", cmd.Args, err, log)
	}
	if len(s.uploads) == 0 {
		return map[string]string{}
	}
	switch u.Format {
	case "gzip":
		return gunzip(t, s.uploads[0])
	case "raw":
		return map[string]string{u.Paths[0]: string(s.uploads[0])}
	}
	return unzip(t, s.uploads[0])
}

// gunzip reads the members of data, whose comments hold the paths.
func gunzip(t testing.TB, data []byte) map[string]string {
	t.Helper()
	source := bytes.NewReader(data)
	files := map[string]string{}
	for source.Len() > 0 {
		reader, err := gzip.NewReader(source)
		kit.Must(t, err)
		reader.Multistream(false)
		content, err := io.ReadAll(reader)
		kit.Must(t, err)
		files[reader.Comment] = string(content)
	}
	return files
}

// TestAsTheUploader compares the selection with what the runner uploads.
func TestAsTheUploader(t *testing.T) {
	t.Parallel()
	outside := filepath.Join(t.TempDir(), "outside")
	kit.Must(t, os.WriteFile(outside, []byte("outside"), 0o600))
	dir := plant(t, []string{
		"a.env", "b.env", "dir/c.env", "link.env -> a.env", "far.env -> " + outside, "dangling.env -> none", "dirlink -> dir", "empty/", "z/y/x.env",
	})
	for _, test := range []struct {
		format string
		paths  []string
		sent   string // the file that the runner sends before the upload breaks off
	}{
		{"", []string{"*.env"}, ""},
		{"zip", []string{"dir", "link.env", "far.env"}, ""},
		{"gzip", []string{"a.env", "dir/c.env"}, ""},
		{"gzip", []string{"z/y/*.env"}, ""},
		{"gzip", []string{"a.env", "link.env"}, "a.env"},
		{"gzip", []string{"far.env"}, ""},
		{"gzip", []string{"dir"}, ""},
		{"gzip", []string{"none"}, ""},
		{"raw", []string{"a.env"}, ""},
		{"raw", []string{"link.env"}, ""},
		{"raw", []string{"far.env"}, ""},
		{"raw", []string{"a.env", "b.env"}, ""},
		{"raw", []string{"empty"}, ""},
		{"raw", []string{"none"}, ""},
		{"raw", []string{"dirlink/c.env"}, ""},
	} {
		t.Run(fmt.Sprintf("%s of %q", test.format, test.paths), func(t *testing.T) {
			t.Parallel()
			u := selection.Upload{Format: test.format, Paths: test.paths}
			got, problems := selected(t, dir, u, nil)
			want := uploaded(t, newServer(t), dir, u)
			if test.sent != "" && len(want) == 0 {
				want[test.sent] = test.sent
			}
			if diff := cmp.Diff(want, got); diff != "" || len(problems) > 0 {
				t.Errorf("problems %v, runner against selection:\n%s", problems, diff)
			}
		})
	}
}

// TestLinkToFolder: the runner fails to send a folder that a raw report links to.
func TestLinkToFolder(t *testing.T) {
	t.Parallel()
	dir := plant(t, []string{"dir/c.env", "dirlink -> dir", "dangling -> none"})
	project, err := selection.OpenProject(dir)
	kit.Must(t, err)
	defer project.Close()
	_, err = project.Open(selection.File{Path: "dirlink", Follow: true})
	if err == nil || err.Error() != "open dirlink: not a regular file" {
		t.Errorf("a link to a folder: %v", err)
	}
	if _, err = project.Open(selection.File{Path: "dangling", Follow: true}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a link to nothing: %v", err)
	}
}

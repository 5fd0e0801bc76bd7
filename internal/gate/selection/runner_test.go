package selection_test

import (
	"archive/zip"
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
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"rolecall/internal/gate/selection"
	"rolecall/internal/job"
	"rolecall/test/kit"
)

// runner returns the path of the real runner.
func runner(t testing.TB) string {
	t.Helper()
	path, err := filepath.Abs("../../../bin/test/gitlab-runner")
	kit.Must(t, err)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v; make it with: make parts", err)
	}
	return path
}

// plant makes a tree in a new project. An entry is a file, which holds its own
// name, a folder "name/", or a link "name -> target". @ stands for the project.
func plant(t testing.TB, tree []string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "project")
	kit.Must(t, os.MkdirAll(dir, 0o755))
	for _, entry := range tree {
		entry = strings.ReplaceAll(entry, "@", dir)
		name, target, link := strings.Cut(entry, " -> ")
		path := dir + "/" + name
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		switch {
		case link:
			err = errors.Join(err, os.Symlink(target, path))
		case strings.HasSuffix(name, "/"):
			err = errors.Join(err, os.MkdirAll(path, 0o755))
		default:
			err = errors.Join(err, os.WriteFile(path, []byte(name), 0o600))
		}
		kit.Must(t, err)
	}
	return dir
}

// archived is what the runner's command takes into an archive, by path, or nil if
// it makes none.
func archived(t testing.TB, dir string, u selection.Upload, env []string) map[string]string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.zip")
	args := append([]string{"cache-archiver", "--file", out}, flags(u)...)
	cmd := exec.Command(runner(t), args...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), env...), "PWD="+dir)
	log, err := cmd.CombinedOutput()
	if bytes.Contains(log, []byte(".. cannot be archived from outside of chroot")) {
		// Of "*/../.." the newer archiver makes nothing, and the older one an archive.
		return archived(t, dir, u, append(slices.Clone(env), "FF_USE_FASTZIP=false"))
	}
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, log)
	}
	data, err := os.ReadFile(out)
	if errors.Is(err, os.ErrNotExist) {
		return map[string]string{}
	}
	kit.Must(t, err)
	return unzip(t, data)
}

// flags are those that the runner's script passes for u.
func flags(u selection.Upload) []string {
	var args []string
	for _, path := range u.Paths {
		args = append(args, "--path", path)
	}
	for _, path := range u.Exclude {
		args = append(args, "--exclude", path)
	}
	if u.Untracked {
		args = append(args, "--untracked")
	}
	return args
}

func unzip(t testing.TB, data []byte) map[string]string {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	kit.Must(t, err)
	files := map[string]string{}
	for _, entry := range archive.File {
		if strings.HasSuffix(entry.Name, "/") {
			continue
		}
		reader, err := entry.Open()
		kit.Must(t, err)
		content, err := io.ReadAll(reader)
		kit.Must(t, err)
		files[entry.Name] = string(content)
	}
	return files
}

// selected is what the gate finds for u, by path.
func selected(t testing.TB, dir string, u selection.Upload, env []string) (map[string]string, []selection.Problem) {
	t.Helper()
	project, err := selection.OpenProject(dir)
	kit.Must(t, err)
	defer project.Close()
	request := job.Request{"RUNNER_TEMP_PROJECT_DIR": dir + ".tmp"}
	for _, variable := range env {
		name, value, _ := strings.Cut(variable, "=")
		request[name] = value
	}
	vars, err := project.Variables(request, nil, os.Environ())
	kit.Must(t, err)
	set, err := project.Select(t.Context(), []selection.Upload{u}, vars)
	kit.Must(t, err)
	return contents(t, project, dir, set.Files), set.Problems
}

// contents reads files and links of the project in dir, of which each path must be
// there once.
func contents(t testing.TB, project *selection.Project, dir string, files []selection.File) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, f := range files {
		if _, ok := all[f.Path]; ok {
			t.Errorf("%q is there twice", f.Path)
		}
		file, err := project.Open(f)
		if errors.Is(err, unix.ELOOP) {
			all[f.Path], err = os.Readlink(filepath.Join(dir, f.Path))
			kit.Must(t, err)
			continue
		}
		kit.Must(t, err)
		content, err := io.ReadAll(file)
		kit.Must(t, err)
		file.Close()
		all[f.Path] = string(content)
	}
	return all
}

// compare holds that the runner takes what is selected.
func compare(t testing.TB, dir string, u selection.Upload) {
	t.Helper()
	env := []string{"VALUE=dir", "GLOB=*.txt"}
	want := archived(t, dir, u, env)
	got, problems := selected(t, dir, u, env)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("paths %q without %q: runner against selection:\n%s", u.Paths, u.Exclude, diff)
	}
	for _, p := range problems {
		if strings.Repeat("a/", 2500) != u.Paths[0] || p.Missed {
			t.Errorf("paths %q without %q: problem %v", u.Paths, u.Exclude, p)
		}
	}
}

// server takes uploads of artifacts.
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

// uploaded is what the runner's command uploads for u, by path.
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

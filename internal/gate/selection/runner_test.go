package selection_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
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

// archived returns the content of the archive that the runner's command makes, by path,
// and nil if it makes none.
func archived(t testing.TB, dir string, u selection.Upload, env []string) map[string]string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.zip")
	args := append([]string{"cache-archiver", "--file", out}, flags(u)...)
	cmd := exec.Command(runner(t), args...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), env...), "PWD="+dir)
	log, err := cmd.CombinedOutput()
	if bytes.Contains(log, []byte(".. cannot be archived from outside of chroot")) {
		// For "*/../.." the newer archiver makes no archive, and the older one makes
		// one.
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

// flags returns the flags that the runner's script passes for u.
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

// selected returns the content that the gate finds for u, by path.
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
	defer set.Close()
	return contents(t, project, dir, slices.Collect(set.Files())), set.Problems
}

// contents reads files and links of the project in dir. Each path must occur once.
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

// compare checks that the runner uploads exactly the selected files.
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

package coordinator

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Repo is a git repository with one commit on the branch main.
type Repo struct {
	Dir string
	SHA string
}

// NewRepo creates a repository in dir. Its only commit has files, by path.
func NewRepo(dir string, files map[string]string) (*Repo, error) {
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return nil, err
		}
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main", dir},
		// The runner fetches the commit by its hash.
		{"-C", dir, "config", "uploadpack.allowAnySHA1InWant", "true"},
		{"-C", dir, "add", "--all"},
		{"-C", dir, "commit", "--quiet", "--allow-empty", "--message=test"},
	} {
		if _, err := git(args...); err != nil {
			return nil, err
		}
	}
	sha, err := git("-C", dir, "rev-parse", "HEAD")
	if err != nil {
		return nil, err
	}
	return &Repo{Dir: dir, SHA: strings.TrimSpace(sha)}, nil
}

// AddSubmodule commits another repository as a submodule. Its URL may be relative to that of
// the repository, as in .gitmodules. Host the repository afterwards.
func (r *Repo) AddSubmodule(path, url string, other *Repo) error {
	text := fmt.Sprintf("[submodule %q]\n\tpath = %s\n\turl = %s\n", path, path, url)
	if err := os.WriteFile(filepath.Join(r.Dir, ".gitmodules"), []byte(text), 0o644); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"add", ".gitmodules"},
		{"update-index", "--add", "--cacheinfo", "160000," + other.SHA + "," + path},
		{"commit", "--quiet", "--message=submodule"},
	} {
		if _, err := git(append([]string{"-C", r.Dir}, args...)...); err != nil {
			return err
		}
	}
	sha, err := git("-C", r.Dir, "rev-parse", "HEAD")
	r.SHA = strings.TrimSpace(sha)
	return err
}

// git runs git without the configuration of the machine and the user.
func git(args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Env = append(gitEnvironment(),
		"PATH="+os.Getenv("PATH"),
		"GIT_AUTHOR_NAME=test", "GIT_AUTHOR_EMAIL=test@example.com",
		"GIT_COMMITTER_NAME=test", "GIT_COMMITTER_EMAIL=test@example.com",
	)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return string(out), nil
}

// gitEnvironment returns an environment in which git reads no configuration.
func gitEnvironment() []string {
	return []string{"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "HOME=" + os.DevNull}
}

// serveGit serves the hosted repositories at /<project path>.git, read-only.
func (s *Server) serveGit(w http.ResponseWriter, r *http.Request) {
	project, _, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), ".git/")
	s.mu.Lock()
	repo := s.repos[project]
	s.mu.Unlock()
	command, err := exec.LookPath("git")
	if !ok || repo == nil || err != nil {
		http.NotFound(w, r)
		return
	}
	backend := &cgi.Handler{
		Path: command,
		Args: []string{"http-backend"},
		Root: "/" + project + ".git",
		Env:  append(gitEnvironment(), "GIT_PROJECT_ROOT="+repo.Dir, "GIT_HTTP_EXPORT_ALL=1"),
	}
	backend.ServeHTTP(w, r)
}

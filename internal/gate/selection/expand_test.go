package selection_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"mvdan.cc/sh/v3/shell"

	"rolecall/internal/gate/selection"
	"rolecall/internal/job"
	"rolecall/test/kit"
)

// project makes an empty project with a folder beside it, and opens it.
func project(t testing.TB) (p *selection.Project, temp string) {
	t.Helper()
	dir := plant(t, nil)
	kit.Must(t, os.Mkdir(dir+".tmp", 0o700))
	p, err := selection.OpenProject(dir)
	kit.Must(t, err)
	t.Cleanup(p.Close)
	return p, dir + ".tmp"
}

// FuzzExpand compares the expansion with the library that the runner uses.
func FuzzExpand(f *testing.F) {
	for _, seed := range []string{
		"", "a", "$A", "${A}", "a$", "$/b", `$"x"`, "$'x'", "$(x)", "$()", "`x`", "`", "$((1+2))", "$[1]", "$1", "$12", "$@", "$*", "$#", "$?", "$$", "$!", "$-",
		"$_", "$LINENO", "$ä", "${U:-x}", "${U-x/y}", "${U:-~/a}", "${U:-a*b}", "${U:-a,b}", "${A:+x}", "${A+x}", "${U:-}", "${U:-$A}", `${U:-"q"}`, "${#A}", "${", "${}",
		"${A", `\${A}`, `\\$A`, `\a`, `a\`, "x\\\ny", "${1}", "$A.b", "$A[0]", "${A[0]}", "$%x", "%x%", "$^", "$|", "$\\a", "$\\\\", "a\r\nb", "a\rb", "\\\r\n", "${A:-b}c}",
		"$A$B", "$A`", "${A%b}`", "${U:?x}", "${U:=x}", "$$A", "\\\\\\$A", "${A:-}", "${A:}", "${A-", "\\`", "$\n", "${U:-a:b}", "${U:--}", "${U:+-}", "${A:++}", "#$A", "${A:-\\}",
	} {
		f.Add(seed)
	}
	p, temp := project(f)
	request := job.Request{"RUNNER_TEMP_PROJECT_DIR": temp, "A": "$B/<a>", "B": "b", "U": ""}
	vars, err := p.Variables(request, nil, []string{"HOME=/root"})
	kit.Must(f, err)
	f.Fuzz(func(t *testing.T, pattern string) {
		if !utf8.ValidString(pattern) || strings.ContainsRune(pattern, 0) {
			return // no pattern of a job response
		}
		got, err := selection.Expand(&vars, pattern)
		if err != nil {
			return // refused; TestExpand holds what must not be
		}
		want, err := shell.Expand(pattern, func(name string) string { return request[name] })
		if err != nil {
			want = pattern
		}
		if strings.Contains(pattern, "HOME") || strings.Contains(pattern, "PWD") || strings.Contains(pattern, "RUNNER") || strings.Contains(pattern, "GITLAB_ENV") {
			return // variables that this test does not share
		}
		if got != want {
			t.Fatalf("%q expands to %q, the runner's library says %q", pattern, got, want)
		}
	})
}

// TestVariables checks which value of a variable is used.
func TestVariables(t *testing.T) {
	t.Parallel()
	p, temp := project(t)
	sourced := "SOURCED=s\nREQUEST=over\n  TRIMMED=x  \nREQUEST2+=+more\nNEW+=n\nno line\n\nX=a=b\nBACK=a\\b\nPWD=/evil\nGITLAB_ENV=/moved\nLAST=unread"
	kit.Must(t, os.WriteFile(temp+"/gitlab_runner_env", []byte(sourced), 0o600))
	request := job.Request{"RUNNER_TEMP_PROJECT_DIR": temp, "REQUEST": "r", "REQUEST2": "r2", "KUBE": "secret content", "SERVICE": "job's"}
	vars, err := p.Variables(request, []string{"KUBE"}, []string{"SERVICE=s", "HOME=/home/x", "PATH=/bin"})
	kit.Must(t, err)
	dir := strings.TrimSuffix(temp, ".tmp")
	for pattern, want := range map[string]string{
		"$SOURCED": "s", "$REQUEST": "over", "$TRIMMED.": "x.", "$REQUEST2": "r2+more", "$NEW": "n", "$X": "a=b", "$BACK": `a\b`, "$LAST": "",
		"$PWD/x": dir + "/x", "$KUBE": temp + "/KUBE", "$SERVICE": "job's", "$HOME": "/home/x", "$GITLAB_ENV": "/moved", "$NONE": "",
		"${NONE:-d}/x": "d/x", "${REQUEST:-d}": "over", "${REQUEST:+d}": "d", "${NONE+d}": "", `\$HOME`: "$HOME", "$(pwd)/$HOME": "$(pwd)/$HOME", "~": "~",
	} {
		if got, err := selection.Expand(&vars, pattern); got != want || err != nil {
			t.Errorf("%q expands to %q, %v, want %q", pattern, got, err, want)
		}
	}
	for _, pattern := range []string{"$((1))", "$_", "${X%y}", "${X", "a\x00$X", "${X:-$Y}", "${X:=y}", "$OLDPWD"} {
		if got, err := selection.Expand(&vars, pattern); err == nil {
			t.Errorf("%q expands to %q, want an error", pattern, got)
		}
	}
}

// TestSourced: a file in place of the file of GITLAB_ENV cannot make the driver wait or
// fill its memory.
func TestSourced(t *testing.T) {
	t.Parallel()
	p, temp := project(t)
	path := filepath.Join(temp, "gitlab_runner_env")
	kit.Must(t, os.WriteFile(path, nil, 0o600))
	kit.Must(t, os.Truncate(path, 1<<30))
	if _, err := p.Variables(job.Request{"RUNNER_TEMP_PROJECT_DIR": temp}, nil, nil); err == nil {
		t.Error("1 GiB of variables: no error")
	}
	kit.Must(t, os.Remove(path))
	kit.Must(t, os.Symlink("/dev/zero", path))
	if _, err := p.Variables(job.Request{"RUNNER_TEMP_PROJECT_DIR": temp}, nil, nil); err != nil {
		t.Errorf("a device in place of the file: %v", err)
	}
}

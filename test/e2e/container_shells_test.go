package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// pushShells pushes images with the shells that images have: bash, and dash as sh. The image
// tool has that of busybox.
func (w *containerWorld) pushShells(t *testing.T) {
	t.Helper()
	bash, err := lab.HostFiles("/bin/bash")
	kit.Must(t, err)
	w.push(t, "ci/bash:1", v1.Config{Env: []string{"HOME=/home/own", "BASH_ENV=/etc/none", "TERM=xterm-256color"}}, bash...)
	dash, err := lab.HostFiles("/bin/dash")
	kit.Must(t, err)
	dash = append(dash, lab.ImageFile{Path: "usr/local/bin/sh", Link: "/bin/dash"})
	w.push(t, "ci/dash:1", v1.Config{WorkingDir: "/srv"}, dash...)
}

// TestShellsOfImages: what a script has is the same in images with bash, dash and busybox.
func TestShellsOfImages(t *testing.T) { //nolint:tparallel // the jobs must be over before what they left is looked for
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	w := newContainerWorld(t, "")
	w.pushShells(t)
	t.Run("at once", func(t *testing.T) {
		for image, of := range map[string]struct{ shell, home string }{
			"ci/bash:1": {"bash", "/home/own"}, "ci/dash:1": {"dash", "/root"}, "ci/tool:1": {"busybox", "/root"},
		} {
			t.Run(of.shell, func(t *testing.T) {
				t.Parallel()
				w.testShell(t, image, of.shell, of.home)
			})
		}
	})
	w.checkNothingLeft(t)
}

// testShell runs a job that looks at all that it has.
func (w *containerWorld) testShell(t *testing.T, image, shell, home string) {
	t.Helper()
	job := w.alpha(
		`case "$(readlink -f /proc/$$/exe)" in */`+shell+`) echo "it is `+shell+`";; *) readlink /proc/$$/exe; exit 9;; esac`,
		`echo "home $HOME, in $(pwd), umask $(umask)"; mkdir d; echo x > d/f; stat -c 'modes %a %n' d d/f`,
		`printf '%s|' "$LINES" "$QUOTES" "$UNICODE" "$DOLLAR" "$EMPTY"; echo "end"`,
		`for kind in all export dot; do (unset AWS_ACCESS_KEY_ID AWS_SESSION_TOKEN; case $kind in
			all) set -a; . "$ROLECALL_ENV_FILE";; export) export $(cat "$ROLECALL_ENV_FILE" | xargs);; dot) . "$ROLECALL_ENV_FILE";; esac
			[ -n "$AWS_ACCESS_KEY_ID" ] && [ -n "$AWS_SESSION_TOKEN" ] && echo "read by $kind"); done`,
		`mkdir -p "$(dirname "$AWS_CONFIG_FILE")" && echo "[default]" >> "$AWS_CONFIG_FILE" && echo "x" >> "$DOCKER_CONFIG/own" && echo "folders are writable"`,
		`[ ! -w "$(dirname "$ROLECALL_ENV_FILE")/../issued.json" ] && ls "$(dirname "$ROLECALL_ENV_FILE")/.." | grep -v secret && exit 8 || echo "no neighbour"`,
		`set -x; : "$AWS_SECRET_ACCESS_KEY"; { set +x; } 2> /dev/null`,
		`echo GREETING=from-env >> "$GITLAB_ENV"`,
		`echo "grüße 世界 🚀" > "ünï ☃.txt"; cat "ünï ☃.txt"; ls`,
		`printf 'no newline %s' "$AWS_SECRET_ACCESS_KEY"`,
	)
	job.AfterScript = []string{`echo "after: $GREETING"`, `printf 'last %s' "$AWS_SESSION_TOKEN" >&2`}
	for name, value := range map[string]string{
		"LINES": "one\n two \nthree", "QUOTES": `it's "two" \n`, "UNICODE": "ä世🚀", "DOLLAR": "$$HOME `id` $(id)", "EMPTY": "", "_": "x", "IFS_": " \t",
	} {
		job.Variables = append(job.Variables, coordinator.Variable{Key: name, Value: value, Raw: true})
	}
	if shell == "dash" { // GitLab Runner writes for bash and busybox otherwise
		job.Variables = append(job.Variables, coordinator.Variable{Key: "FF_POSIXLY_CORRECT_ESCAPES", Value: "true"})
	}
	log := w.succeed(t, sharedToken, w.in(image, job))
	contains(t, log, "it is "+shell, "home "+home+", in "+w.dir+"/builds/alpha/protected/", "umask 0022", "modes 755 d", "modes 644 d/f",
		"one\n two \nthree|it's \"two\" \\n|ä世🚀|$$HOME `id` $(id)||end",
		"read by all", "read by export", "read by dot", "folders are writable", "no neighbour", "+ : [MASKED]", "after: from-env",
		"grüße 世界 🚀", "no newline [MASKED]", "last [MASKED]")
}

// TestOutputOfImages: a flood of output on both streams comes through whole, with masks.
func TestOutputOfImages(t *testing.T) {
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	w := newContainerWorld(t, "")
	job := w.alpha(
		`yes "the same line of a flood, again and again, $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY" | head -c 2000000 || true`,
		`echo; for i in $(seq 300); do echo "out $AWS_SECRET_ACCESS_KEY $i."; echo "err $AWS_SESSION_TOKEN $i." >&2; done`, "echo the end", "exit 0")
	log := w.succeed(t, sharedToken, w.in("ci/tool:1", job))
	for _, want := range []string{"out [MASKED] ", "err [MASKED] "} {
		if n := strings.Count(log, want); n != 300 {
			t.Errorf("%q is %d times in the log, want 300", want, n)
		}
	}
	contains(t, log, "the end", fmt.Sprintf("out [MASKED] %d.", 300))
	w.checkNothingLeft(t)
}

package e2e_test

import (
	"testing"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// testSubmodules: the runner gets submodules before the script, which sees them, and cleans
// what a script has changed in them.
func testSubmodules(t *testing.T, w *world) {
	inner, err := coordinator.NewRepo(t.TempDir(), map[string]string{"inner.txt": "the inner one\n"})
	kit.Must(t, err)
	library, err := coordinator.NewRepo(t.TempDir(), map[string]string{"library.txt": "the library\n"})
	kit.Must(t, err)
	kit.Must(t, library.AddSubmodule("inner", "../inner.git", inner))
	app, err := coordinator.NewRepo(t.TempDir(), map[string]string{"README.md": "the app\n"})
	kit.Must(t, err)
	kit.Must(t, app.AddSubmodule("lib", "../library.git", library))
	for name, repo := range map[string]*coordinator.Repo{"acme/inner": inner, "acme/library": library, "acme/app": app} {
		w.gitlab.Host(name, repo)
	}
	for _, strategy := range []string{"clone", "fetch"} {
		job := w.job("beta", "cat README.md lib/library.txt lib/inner/inner.txt", "test ! -e lib/left", "echo changed > lib/inner/inner.txt", "touch lib/left")
		job.Project = coordinator.Project{ID: 44, Path: "acme/app"}
		job.Variables = append(job.Variables, coordinator.Variable{Key: "GIT_SUBMODULE_STRATEGY", Value: "recursive"}, coordinator.Variable{Key: "GIT_STRATEGY", Value: strategy})
		contains(t, w.succeed(t, sharedToken, job), "\nthe app\nthe library\nthe inner one\n")
	}
}

// testRunnerScripts: the scripts that the settings of a runner add to each job run where the
// job's own ones run: those of its script have credentials, those of its sources have none.
func testRunnerScripts(t *testing.T, w *world) {
	const token = "glrt-added00001"
	startRunner(t, lab.RunnerOptions{
		Dir: t.TempDir(), Coordinator: w.gitlab.URL(), Env: w.env,
		Runners: []lab.Runner{{Name: "added", Token: token, Args: w.args, Settings: `
pre_get_sources_script = 'echo "before sources: ${AWS_ACCESS_KEY_ID:-no keys}, first $(cat /proc/1/comm)"'
post_get_sources_script = 'echo "after sources: ${AWS_ACCESS_KEY_ID:-no keys}, first $(cat /proc/1/comm)"'
pre_build_script = 'echo "before the script: ${AWS_ACCESS_KEY_ID:-no keys}, first $(cat /proc/1/comm)"'
post_build_script = 'echo "after the script: $AWS_SECRET_ACCESS_KEY, first $(cat /proc/1/comm)"'`}},
	})
	log := w.succeed(t, token, w.job("alpha", "echo first=$(cat /proc/1/comm)", "cat README.md"))
	contains(t, log, "\nbefore sources: no keys, ", "\nafter sources: no keys, ", "\nbefore the script: [MASKED], ", "\nafter the script: [MASKED], ")
	if w.dress != nil {
		contains(t, log, "before the script: [MASKED], first podman-init", "after the script: [MASKED], first podman-init", "first=podman-init")
	}
}

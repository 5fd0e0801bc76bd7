package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"rolecall/test/kit"
)

// TestReady: before anything is built, make demo says what is missing.
func TestReady(t *testing.T) {
	t.Parallel()
	const (
		newGo = "#!/bin/sh\necho rolecall\n"
		oldGo = "#!/bin/sh\n[ $1 = version ] || { echo \"go.mod:3: invalid go version '1.26.0'\"; exit 1; }\necho go version go1.19.8 linux/amd64\n"
		any   = "#!/bin/sh\n"
	)
	for name, test := range map[string]struct {
		sts  string
		has  map[string]string
		want string
	}{
		"all":     {"own", map[string]string{"bash": any, "git": any, "go": newGo}, ""},
		"MinIO":   {"minio", map[string]string{"bash": any, "git": any, "go": newGo}, ""},
		"no git":  {"own", map[string]string{"bash": any, "go": newGo}, "demo: git is missing: install it, such as by apt-get install git\n"},
		"no bash": {"own", map[string]string{"git": any, "go": newGo}, "demo: bash is missing: install it, such as by apt-get install bash\n"},
		"no Go":   {"own", map[string]string{"bash": any, "git": any}, "demo: Go is missing: install Go 1.26 or later, from https://go.dev/dl\n"},
		"old Go":  {"own", map[string]string{"bash": any, "git": any, "go": oldGo}, "demo: Go 1.26 or later is needed, and this is Go 1.19.8: install it from https://go.dev/dl; it says: go.mod:3: invalid go version '1.26.0'\n"},
		"another": {"aws", map[string]string{"bash": any, "git": any, "go": newGo}, "demo: STS=aws is not known: STS is own, the project's own stand-ins, or minio\n"},
		"both":    {"", map[string]string{"bash": any, "go": newGo}, "demo: STS= is not known: STS is own, the project's own stand-ins, or minio\ndemo: git is missing: install it, such as by apt-get install git\n"},
		"all is":  {"own", nil, "demo: bash is missing: install it, such as by apt-get install bash\ndemo: git is missing: install it, such as by apt-get install git\ndemo: Go is missing: install Go 1.26 or later, from https://go.dev/dl\n"},
	} {
		dir := t.TempDir()
		for program, text := range test.has {
			kit.Must(t, os.WriteFile(filepath.Join(dir, program), []byte(text), 0o755))
		}
		cmd := exec.CommandContext(t.Context(), "./ready", test.sts)
		cmd.Env = []string{"PATH=" + dir}
		said, err := cmd.CombinedOutput()
		if string(said) != test.want || (err == nil) != (test.want == "") {
			t.Errorf("%s: got %v, %q, want %q", name, err, said, test.want)
		}
	}
}

package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"rolecall/internal/adminfile"
	"rolecall/internal/endpoint"
	"rolecall/internal/gate"
	"rolecall/internal/handover/errand"
	"rolecall/internal/registry/question"
	"rolecall/internal/revocation"
	"rolecall/internal/version"
)

// checkPrograms checks that the stages' programs exist, that their paths are absolute,
// and that nobody else can change them.
func checkPrograms(area string, programs []executable) []Finding {
	var findings []Finding
	for _, p := range programs {
		key := p.stage + "_exec"
		info, err := os.Stat(p.path)
		switch {
		case p.path == "":
			findings = append(findings, fix(idStageProgram, area, key+" is not set", "set it to the program "+p.stage+" of rolecall"))
		case !filepath.IsAbs(p.path):
			findings = append(findings, fix(idStageProgram, area, fmt.Sprintf("%s is %q, not an absolute path", key, p.path), "write the whole path: a service has no PATH to rely on"))
		case err != nil:
			findings = append(findings, fix(idStageProgram, area, fmt.Sprintf("%s: %v", key, err), "install the programs, or correct the path"))
		case !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0:
			findings = append(findings, fix(idStageProgram, area, fmt.Sprintf("%s: %s is not a program", key, p.path), "correct the path"))
		case filepath.Base(p.path) != p.stage:
			findings = append(findings, fix(idStageProgram, area, fmt.Sprintf("%s is %s, another stage's program", key, p.path), "correct the path"))
		default:
			if err := adminfile.Check(p.path); err != nil {
				findings = append(findings, unsafe(idStageProgram, area, fmt.Errorf("%s: %w", key, err), "let the program and the folders above it belong to root, and nobody else write there"))
			}
		}
	}
	if findings == nil {
		return []Finding{ok(area, "its programs exist, and nobody else can change them")}
	}
	return findings
}

// checkDriver checks that the driver is whole: all its programs lie in the folder of
// run_exec, from where run starts gate, and are of this very version.
func (h *host) checkDriver(ctx context.Context) []Finding {
	var dirs []string
	for _, r := range h.config.Runners {
		if path := r.Custom.RunExec; r.ours() && filepath.IsAbs(path) && exists(path) {
			dirs = append(dirs, filepath.Dir(resolved(path)))
		}
	}
	slices.Sort(dirs)
	dirs = slices.Compact(dirs)
	return gather(len(dirs), func(i int) []Finding { return h.checkFolder(ctx, dirs[i]) })
}

// checkFolder checks the programs of the driver in one folder.
func (h *host) checkFolder(ctx context.Context, dir string) []Finding {
	const area = "driver"
	names := []string{"config", "prepare", "run", "cleanup", gate.Program, question.Program, endpoint.Program, endpoint.Credential, errand.Program, "sweep", revocation.Program, own}
	findings := gather(len(names), func(i int) []Finding {
		if problem := checkProgram(ctx, filepath.Join(dir, names[i])); problem != "" {
			return []Finding{unsafe(idDriver, area, errors.New(problem), "install all programs of one version again")}
		}
		return nil
	})
	if len(h.users()) > 0 {
		findings = append(findings, checkReach(area, dir)...)
	}
	if findings == nil {
		return []Finding{ok(area, dir+" has all programs of rolecall "+version.Long()+", and nobody else can change them")}
	}
	return findings
}

// checkReach checks that users of jobs can reach the driver's programs.
func checkReach(area, dir string) []Finding {
	closed, mode := closedAbove(dir)
	if closed == "" {
		return nil
	}
	return []Finding{fix(idClosedDir, area, fmt.Sprintf("users of jobs cannot pass through %s (mode %04o), and run starts %s as them before an upload", closed, mode, filepath.Join(dir, gate.Program)),
		"let users pass, or install the driver in /usr/libexec/rolecall"+run("chmod", "o+x", closed))}
}

// own is the program that checks.
const own = "rolecall"

// checkProgram returns what is wrong with a program of the driver, or an empty text. It
// starts the program only if nobody else can have changed it.
func checkProgram(ctx context.Context, path string) string {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err.Error()
	case !info.Mode().IsRegular() || info.Mode().Perm()&0o111 != 0o111:
		return fmt.Sprintf("%s has mode %04o: not all users can start it", path, info.Mode().Perm())
	case adminfile.Check(path) != nil:
		return adminfile.Check(path).Error()
	}
	want := "rolecall " + filepath.Base(path) + " " + version.Long()
	if filepath.Base(path) == own {
		want = own + " " + version.Long()
	}
	if said := versionOf(ctx, path); said != want {
		return fmt.Sprintf("%s --version says %.*q, this rolecall is of version %s", path, maxShown, said, version.Long())
	}
	return ""
}

// versionOf returns what a program prints for --version, or why it prints nothing.
func versionOf(ctx context.Context, path string) string {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	command := exec.CommandContext(ctx, path, "--version")
	out := &head{max: 2 * maxShown}
	command.Dir, command.Env, command.Stdout = "/", []string{}, out
	command.WaitDelay = time.Second
	if err := command.Run(); err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(out.Bytes()))
}

// startable reports whether all users can start a program.
func startable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o001 != 0
}

// checkTools checks that the programs of others that jobs and the driver start exist.
func (h *host) checkTools(context.Context) []Finding {
	const area = "programs"
	var missing []string
	for _, name := range []string{"bash", "git"} {
		if !slices.ContainsFunc(filepath.SplitList(h.Path), func(dir string) bool { return startable(filepath.Join(dir, name)) }) {
			missing = append(missing, name)
		}
	}
	if missing == nil {
		return []Finding{ok(area, "bash and git are installed")}
	}
	names := strings.Join(missing, " and ")
	return []Finding{fix(idTools, area, names+" is in no folder of "+h.Path, "install it"+run(append([]string{"apt-get", "install"}, missing...)...))}
}

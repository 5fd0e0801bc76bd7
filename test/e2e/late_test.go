package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/test/coordinator"
	"rolecall/test/fakests"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// late is a first attempt of prepare that fails after STS has issued credentials.
type late struct {
	full   bool   // the disk of the audit log is full from then on
	out    string // where prepare prints to
	listed bool   // the credentials have been written, so the ledger has them
}

// onceLate is a prepare_exec whose first attempt goes wrong. It then notes the files of
// credentials that are left, and mends the disk.
const onceLate = `#!/bin/bash
mkdir %[1]s/tried 2> /dev/null || exec %[2]s "$@"
%[2]s "$@" %[3]s
code=$?
rm -f %[1]s/audit/filler
find %[4]s -name '*.env' -o -name 'issued.*' > %[1]s/left
exit $code
`

// TestPrepareFailsLate: prepare fails once after STS has issued credentials, before or
// after it has written them. Nothing of them is left when the runner tries again. The job
// gets other credentials, and what was written before is not uploaded.
func TestPrepareFailsLate(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "a full disk")
	for name, how := range map[string]late{
		"before it has written them": {full: true},
		"after it has written them":  {out: "> /dev/full", listed: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			how.check(t)
		})
	}
}

// check runs a job whose prepare fails late.
func (l late) check(t *testing.T) {
	dir := t.TempDir()
	root := "/dev/shm/late" + filepath.Base(filepath.Dir(dir)) + filepath.Base(dir)
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	mountTmpfs(t, filepath.Join(dir, "audit"), "mode=0700,size=64k", 0)
	first := fakests.Credentials{AccessKeyID: "ASIA" + "LATELATELATELATE", SecretAccessKey: strings.Repeat("fIrSt/+0", 5), SessionToken: strings.Repeat("IQoJfIrStToKeN19", 20)}
	kit.Must(t, os.WriteFile(filepath.Join(dir, "first"), []byte(first.SecretAccessKey+"\n"+first.SessionToken+"\n"), 0o600))
	sts, err := fakests.Start(func(x *fakests.Exchange) {
		if l.full {
			fillUp(t, filepath.Join(dir, "audit"))
		}
		fakests.OK(first)(x)
	}, fakests.OK(fakests.Credentials{}))
	kit.Must(t, err)
	t.Cleanup(sts.Close)
	w := &world{gitlab: startGitLab(t)}
	w.runner = startRunner(t, lab.RunnerOptions{
		Dir: filepath.Join(dir, "runner"), Coordinator: w.gitlab.URL(),
		Env:     []string{"AWS_ENDPOINT_URL_STS=" + sts.URL(), "AWS_REGION=eu-central-1"},
		Runners: []lab.Runner{{Name: "late", Token: sharedToken, Args: []string{"--config", l.policy(t, w, dir, root)}, Driver: lab.Driver{Prepare: []string{l.prepare(t, dir, root)}}}},
	})
	job := w.job("alpha", `echo "second=$AWS_SECRET_ACCESS_KEY."`)
	if l.listed {
		job.Script = append(job.Script, "cp "+dir+"/first first.txt")
		job.Artifacts = []coordinator.Artifact{{Paths: []string{"first.txt"}}}
	}
	run := w.enqueue(sharedToken, job)
	result := wait(t, run)
	contains(t, run.Text(), "\nsecond=[MASKED].")
	l.checkEnd(t, run, result)
	requests := sts.Requests()
	if left, err := os.ReadFile(filepath.Join(dir, "left")); err != nil || len(left) > 0 || len(requests) != 2 {
		t.Fatalf("left of the first attempt: %q, %v; %d requests to STS", left, err, len(requests))
	}
	checkUploads(t, run, []string{first.SecretAccessKey, first.SessionToken, requests[1].Issued.SecretAccessKey, requests[1].Issued.SessionToken})
	_, found, err := lab.Search([]string{first.SecretAccessKey, first.SessionToken, requests[1].Issued.SecretAccessKey}, root, filepath.Join(dir, "audit"), w.runner.TempDir)
	if err != nil || len(found) > 0 {
		t.Errorf("secrets are left in %v, %v", found, err)
	}
}

// fillUp fills the disk of an audit log, and the last page of the log.
func fillUp(t *testing.T, dir string) {
	t.Helper()
	file, err := os.OpenFile(filepath.Join(dir, "audit.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	kit.Must(t, err)
	info, err := file.Stat()
	kit.Must(t, err)
	_, err = file.WriteString(strings.Repeat(" ", os.Getpagesize()-int(info.Size())%os.Getpagesize()))
	kit.Must(t, errors.Join(err, file.Close()))
	fill(t, dir)
}

// policy writes the policy file.
func (late) policy(t *testing.T, w *world, dir, root string) string {
	t.Helper()
	path := filepath.Join(dir, "rolecall.toml")
	text := fmt.Sprintf(`
shared_user = "unsafe"
run_as_root = "unsafe"
credentials_dir = %q
audit_log = %q
[gitlab]
issuer = %q
[[tenant]]
name = "alpha"
role_arn = "arn:aws:iam::111122223333:role/alpha"
audience = %q
projects = ["acme/deploy"]
`, root, filepath.Join(dir, "audit/audit.jsonl"), w.gitlab.Issuer(), audience("alpha"))
	kit.Must(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// prepare writes the prepare_exec.
func (l late) prepare(t *testing.T, dir, root string) string {
	t.Helper()
	programs, err := lab.Binaries()
	kit.Must(t, err)
	path := filepath.Join(dir, "prepare.sh")
	kit.Must(t, os.WriteFile(path, fmt.Appendf(nil, onceLate, dir, programs.Prepare, l.out, root), 0o700))
	return path
}

// checkEnd checks how the job has ended.
func (l late) checkEnd(t *testing.T, run *coordinator.Run, result coordinator.Result) {
	t.Helper()
	if !l.listed {
		if result.State != "success" {
			t.Errorf("%+v; log:\n%s", result, run.Text())
		}
		return
	}
	if result.FailureReason != "script_failure" || len(run.Artifacts()) > 0 {
		t.Errorf("%+v with %d uploads; log:\n%s", result, len(run.Artifacts()), run.Text())
	}
	contains(t, run.Text(), fmt.Sprintf(`artifacts: "first.txt": secret access key of job %[1]d, session token of job %[1]d`, run.ID()))
}

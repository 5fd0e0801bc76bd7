package scripts_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"rolecall/test/coordinator"
	"rolecall/test/fakests"
	"rolecall/test/kit"
)

// lab is what the commands of one script share.
type lab struct {
	gitlab *coordinator.Server
	sts    *fakests.Server
	job    int64
	token  string
	flags  []string // of the config stage
}

// lastJob makes job ids that no other script has, nor another run of this test:
// one promise is about the folder that all jobs of a host share.
var lastJob atomic.Int64

func labOf(ts *testscript.TestScript) *lab { return ts.Value("lab").(*lab) }

// commands are the commands of the scripts:
//
//	told FLAGS...           the config stage is started with those flags, and hands them on
//	job [tenant]            a new job; with a tenant: its role, ID token and TENANT too
//	variable NAME VALUE     a variable of the job, as GitLab and the runner pass it
//	token NAME=VALUE...     sign the ID token anew with claims changed; exp, nbf and iat in seconds from now
//	forge none|key          an ID token like the last one, without a signature or with one of another key
//	policy FILE             write policy.toml: FILE with its $NAMES replaced
//	timeout SECONDS         how long the job may run
//	artifacts PATH...       what the job uploads
//	sts ANSWER...           a fake STS, with an answer for each request
//	requests N              STS got N requests
//	asked FIELD VALUE       of the last request
//	unsigned                the last request has no signature
//	exits CODE PROGRAM...   run a program that ends with that code
//	absent PATH...          no secret in those files, nor in any below those folders
//	empty DIR               nothing below that folder, except the ledger
//	alive NAME, dead NAME   whether a process with that argument lives
//	term FILE               send SIGTERM to the process whose id is in it
//	small DIR SIZE          mount a tmpfs
func commands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"told": cmdTold, "job": cmdJob, "variable": cmdVariable, "token": cmdToken, "forge": cmdForge, "policy": cmdPolicy, "timeout": cmdTimeout, "artifacts": cmdArtifacts,
		"sts": cmdSTS, "requests": cmdRequests, "asked": cmdAsked, "unsigned": cmdUnsigned,
		"exits": cmdExits, "absent": cmdAbsent, "empty": cmdEmpty,
		"alive": cmdAlive, "dead": cmdDead, "term": cmdTerm, "small": cmdSmall,
	}
}

// cmdTold lets later stages know what the config stage was started with, as the
// runner does with its job_env.
func cmdTold(ts *testscript.TestScript, _ bool, args []string) {
	labOf(ts).flags = args
	ts.Check(tell(ts))
}

// tell starts the config stage. Where it fails, what an earlier one has said stays.
func tell(ts *testscript.TestScript) error {
	if err := ts.Exec("config", labOf(ts).flags...); err != nil {
		return err
	}
	var out struct {
		JobEnv map[string]string `json:"job_env"`
	}
	if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &out); err != nil {
		return err
	}
	ts.Setenv("ROLECALL_FLAGS", out.JobEnv["ROLECALL_FLAGS"])
	return nil
}

func cmdJob(ts *testscript.TestScript, _ bool, args []string) {
	l := labOf(ts)
	l.job = time.Now().UnixMilli()*1000 + lastJob.Add(1)%1000
	ts.Setenv("JOB_ID", strconv.FormatInt(l.job, 10))
	ts.Setenv("JOB_RESPONSE_FILE", ts.MkAbs("response.json"))
	writeJSON(ts, map[string]any{
		"id":          l.job,
		"token":       "job-token",
		"job_info":    map[string]any{"project_id": 42, "project_full_path": "acme/deploy", "pipeline_id": 4242, "name": "deploy"},
		"git_info":    map[string]any{"ref": "main", "ref_type": "branch", "protected": true},
		"runner_info": map[string]any{"timeout": 3600},
		"variables":   []any{map[string]any{"key": "CI_JOB_ID", "value": strconv.FormatInt(l.job, 10)}},
	})
	_ = tell(ts) // a script may want a policy file that is broken
	if len(args) == 1 {
		cmdToken(ts, false, nil)
		cmdVariable(ts, false, []string{"TENANT", args[0]})
		cmdVariable(ts, false, []string{"ROLE_ARN", "arn:aws:iam::111122223333:role/deploy-" + args[0]})
	}
}

func cmdToken(ts *testscript.TestScript, _ bool, args []string) {
	l := labOf(ts)
	id := strconv.FormatInt(l.job, 10)
	now := time.Now().Unix()
	claims := map[string]any{
		"iss": l.gitlab.Issuer(), "aud": "https://aws.example", "job_id": id, "project_id": "42", "job_project_id": "42",
		"sub": "project_path:acme/deploy:ref_type:branch:ref:main", "iat": now, "nbf": now - 5, "exp": now + 3600, "jti": "jti-" + id,
		"project_path": "acme/deploy", "job_project_path": "acme/deploy", "ref": "main", "ref_type": "branch", "ref_protected": "true",
		"pipeline_id": "4242", "user_login": "ada", "user_id": "7", "runner_id": 5,
	}
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		claims[name] = value
		if value == "" {
			delete(claims, name)
		} else if seconds, err := strconv.ParseInt(value, 10, 64); err == nil && (name == "exp" || name == "nbf" || name == "iat") {
			claims[name] = now + seconds
		}
	}
	l.token = l.gitlab.SignToken(claims)
	cmdVariable(ts, false, []string{"GITLAB_OIDC_TOKEN", l.token})
}

func cmdForge(ts *testscript.TestScript, _ bool, args []string) {
	l := labOf(ts)
	parts := strings.Split(l.token, ".")
	switch args[0] {
	case "none":
		parts[0], parts[2] = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)), ""
	case "key":
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		ts.Check(err)
		sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		signature, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
		ts.Check(err)
		parts[2] = base64.RawURLEncoding.EncodeToString(signature)
	}
	cmdVariable(ts, false, []string{"GITLAB_OIDC_TOKEN", strings.Join(parts, ".")})
}

func cmdPolicy(ts *testscript.TestScript, _ bool, args []string) {
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs("policy.toml"), []byte(text), 0o600))
	labOf(ts).flags = []string{"--config", ts.MkAbs("policy.toml")}
	_ = tell(ts)
}

func cmdTimeout(ts *testscript.TestScript, _ bool, args []string) {
	seconds, err := strconv.Atoi(args[0])
	ts.Check(err)
	response := readJSON(ts)
	response["runner_info"] = map[string]any{"timeout": seconds}
	writeJSON(ts, response)
}

func cmdArtifacts(ts *testscript.TestScript, _ bool, args []string) {
	response := readJSON(ts)
	response["artifacts"] = []any{map[string]any{"artifact_type": "archive", "artifact_format": "zip", "when": "always", "paths": args}}
	writeJSON(ts, response)
}

// cmdVariable sets a variable; one of the same name that is in the response
// already stays there, and is not what the script would see.
func cmdVariable(ts *testscript.TestScript, add bool, args []string) {
	name, value := args[0], args[1]
	response := readJSON(ts)
	var kept []any
	for _, v := range response["variables"].([]any) {
		if v.(map[string]any)["key"] != name || add {
			kept = append(kept, v)
		}
	}
	response["variables"] = append(kept, map[string]any{"key": name, "value": value})
	writeJSON(ts, response)
	ts.Setenv("CUSTOM_ENV_"+name, value)
}

func readJSON(ts *testscript.TestScript) map[string]any {
	var response map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("response.json")), &response))
	return response
}

func writeJSON(ts *testscript.TestScript, v any) {
	content, err := json.Marshal(v)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("response.json"), content, 0o600))
}

func cmdExits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("%s: exit code %d, want %d", args[1], got, want)
	}
}

func cmdAbsent(ts *testscript.TestScript, _ bool, args []string) {
	for _, arg := range args {
		switch arg {
		case "stdout", "stderr":
			checkSecrets(ts, arg, ts.ReadFile(arg))
		default:
			ts.Check(filepath.WalkDir(ts.MkAbs(arg), func(path string, d fs.DirEntry, err error) error {
				if err == nil && d.Type().IsRegular() && d.Name() != "response.json" {
					checkSecrets(ts, path, string(kit.WithoutKeyIDs([]byte(ts.ReadFile(path)))))
				}
				return err
			}))
		}
	}
}

// checkSecrets fails the script where text holds the ID token, or any secret that
// STS issued.
func checkSecrets(ts *testscript.TestScript, where, text string) {
	l := labOf(ts)
	secrets := []string{l.token}
	if l.sts != nil {
		for _, r := range l.sts.Requests() {
			secrets = append(secrets, r.Issued.AccessKeyID, r.Issued.SecretAccessKey, r.Issued.SessionToken)
		}
	}
	for _, secret := range secrets {
		if secret != "" && strings.Contains(text, secret) {
			ts.Fatalf("%s holds the secret %q", where, secret)
		}
	}
}

func cmdEmpty(ts *testscript.TestScript, _ bool, args []string) {
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool { return e.Name() == "tries" }) // it outlives jobs
	ts.Check(err)
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool { return e.Name() == "ledger" })
	if len(entries) > 0 {
		ts.Fatalf("%s holds %v", args[0], entries)
	}
}

// find returns the processes that have name as a whole argument.
func find(name string) []int {
	paths, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	var pids []int
	for _, path := range paths {
		line, _ := os.ReadFile(path)
		if strings.Contains("\x00"+string(line), "\x00"+name+"\x00") {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			pids = append(pids, pid)
		}
	}
	return pids
}

func cmdAlive(ts *testscript.TestScript, _ bool, args []string) {
	for range 500 {
		if len(find(args[0])) > 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("no process with argument %s", args[0])
}

func cmdDead(ts *testscript.TestScript, _ bool, args []string) {
	if pids := find(args[0]); len(pids) > 0 {
		ts.Fatalf("processes with argument %s live: %v", args[0], pids)
	}
}

func cmdTerm(ts *testscript.TestScript, _ bool, args []string) {
	pid, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile(args[0])))
	ts.Check(err)
	ts.Check(syscall.Kill(pid, syscall.SIGTERM))
}

func cmdSmall(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	ts.Check(syscall.Mount("tmpfs", dir, "tmpfs", 0, args[1]+",mode=0700"))
	ts.Defer(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
}

package prepare_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/audit"
	"rolecall/internal/backend"
	"rolecall/internal/creds"
	"rolecall/internal/program"
	"rolecall/internal/state"
	"rolecall/test/kit"
	"rolecall/test/toy"
)

// allowed and issued are lines of the audit log about job 7.
var (
	allowed = audit.Event{Event: audit.Decision, Allowed: new(true), Tenant: "alpha", RoleARN: "arn:aws:iam::111122223333:role/deploy", RoleSessionName: "GitLabRunner-42-9-7"}
	issued  = audit.Event{Event: audit.Issued, Allowed: new(true), Tenant: "alpha", RoleARN: "arn:role", RoleSessionName: "session-of-7"}
)

// record returns the record of job 7, without the runner's process.
func (h *host) record(t *testing.T) state.Record {
	t.Helper()
	var r state.Record
	kit.Must(t, json.Unmarshal([]byte(h.read("root/7/job.json")), &r))
	if r.Lease.RunnerPID != state.Runner() || !r.Lease.Alive() {
		t.Errorf("the lease is %+v, want that of process %d", r.Lease, state.Runner())
	}
	h.checkTrail(t, r)
	r.Lease, r.Proof, r.Version, r.Audit = state.Lease{}, "", 0, audit.Trail{}
	return r
}

// checkTrail checks that the record leads to the audit log of the policy file, if there is
// one, and says whose job it is.
func (h *host) checkTrail(t *testing.T, r state.Record) {
	t.Helper()
	if r.Audit.Path == "" && h.read("audit") == "" {
		return
	}
	var e audit.Event
	kit.Must(t, json.Unmarshal(r.Audit.Job, &e))
	if r.Audit.Path != h.file("audit") || time.Since(r.Audit.Began) > time.Minute || e.JobID != "7" || e.Tenant != r.Tenant || e.JobProjectPath == "" {
		t.Errorf("the record leads to %s", r.Audit.Path)
	}
}

// TestIssue: a job of a tenant gets the env file, and leaves a record for the later
// stages.
func TestIssue(t *testing.T) {
	t.Parallel()
	h := newHost(t, newGitLab(t))
	c := newCall(t, h)
	if got := c.serve(); got.code != 0 || got.log != "" {
		t.Fatalf("%+v", got)
	}
	link := h.file("builds/alpha/protected/deploy.tmp/rolecall-7")
	if content, err := os.ReadFile(link + "/.aws.alpha.env"); err != nil || string(content) != "CLOUD_SECRET=0123456789abcdef\n" {
		t.Errorf("the env file is %q, %v", content, err)
	}
	want := state.Record{
		Project: 42, Tenant: "alpha", IDToken: "ALPHA_TOKEN", LinkDir: link, Backend: "toy", Data: json.RawMessage(toy.Data),
		Gate: state.Gate{Warn: true, ForeignKeys: "warn", MaxFiles: 1_000_000, MaxBytes: 7, MaxDuration: 3 * time.Minute}, Own: state.OwnHere,
	}
	if diff := cmp.Diff(want, h.record(t)); diff != "" {
		t.Errorf("the record differs (- wanted, + got):\n%s", diff)
	}
	if text := h.read("root/ledger"); !strings.Contains(text, "\t7\tsecret\tbase64\t16\t") || strings.Contains(text, "0123456789abcdef\n") {
		t.Errorf("the ledger is\n%s", text)
	}
	if diff := cmp.Diff([]audit.Event{allowed, issued}, h.events(t)); diff != "" {
		t.Errorf("the audit log differs (- wanted, + got):\n%s", diff)
	}
	if tools := []string{h.root + "/7/own", ".docker/config.json", ".aws/config", ".aws/credentials"}; !slices.Equal(h.box.given, tools) {
		t.Errorf("its own folder is furnished with %q, want %q", h.box.given, tools)
	}
	if o := h.cloud.asked; len(o) != 1 || o[0].Session != "GitLabRunner-42-9-7" || o[0].Lifetime != time.Hour || !strings.HasSuffix(c.environ[4], h.cloud.tokens[0]) {
		t.Errorf("the provider was asked for %+v with %q", o, h.cloud.tokens)
	}
}

// TestSpec: what the backend is told of a job.
func TestSpec(t *testing.T) {
	t.Parallel()
	h := newHost(t, newGitLab(t))
	if got := newCall(t, h).serve(); got.code != 0 || !h.box.ready || len(h.box.asked) != 1 {
		t.Fatalf("%+v, the backend was made ready: %v, and asked %d times", got, h.box.ready, len(h.box.asked))
	}
	got := h.box.asked[0]
	if got.Job.ID != 7 || got.Job.Project != 42 {
		t.Errorf("it was asked for the job %+v", got.Job)
	}
	want := backend.Spec{
		Job: got.Job, Store: h.root, Folder: "alpha/protected", BuildsDir: h.file("builds"), CacheDir: h.file("cache"),
		TempProject: h.file("builds/alpha/protected/deploy.tmp"), AsRoot: true, Limits: backend.Limits{OpenFiles: 99}, OwnHome: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the spec differs (- wanted, + got):\n%s", diff)
	}
}

// TestOwner: the files of a job belong to whom the backend names, and such a job has
// no link in the build directory.
func TestOwner(t *testing.T) {
	t.Parallel()
	h := newHost(t, newGitLab(t))
	h.box.owner = &backend.Owner{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	got := newCall(t, h).serve()
	if got.code != 0 || !strings.Contains(got.out, "  env file: "+h.root+"/7/secret/.aws.alpha.env\n") {
		t.Fatalf("%+v", got)
	}
	if r := h.record(t); r.LinkDir != "" || r.Owner == nil || *r.Owner != (state.Owner{UID: h.box.owner.UID, GID: h.box.owner.GID}) {
		t.Errorf("the record is %+v", r)
	}
}

// TestNoTenant: a job of no tenant leaves a record, and gets and prints nothing.
func TestNoTenant(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{"by the policy": {}, "without one": {"--no-policy"}} {
		h := newHost(t, newGitLab(t))
		c := newCall(t, h)
		c.unset("CUSTOM_ENV_TENANT")
		tools := []string{h.root + "/7/own", ".docker/config.json"} // no identity in a cloud
		c.set("CUSTOM_ENV_ALPHA_TOKEN=", "CUSTOM_ENV_RUNNER_TEMP_PROJECT_DIR="+h.file("builds/none/protected/deploy.tmp"))
		if len(args) > 0 {
			flags := program.Flags{NoPolicy: true}
			if os.Geteuid() == 0 {
				flags.RunAs, args = program.Root, append(args, "--run-as", program.Root)
			}
			c.args, tools = args, nil
			c.tell(t, flags)
		}
		if got := c.serve(); got != (result{}) || len(h.cloud.asked) > 0 || h.read("audit") != "" {
			t.Errorf("%s: %+v, the provider was asked %d times, the audit log is %q", name, got, len(h.cloud.asked), h.read("audit"))
		}
		if r := h.record(t); r.Tenant != "" || r.LinkDir != "" || r.Backend != "toy" || r.IDToken != "" {
			t.Errorf("%s: the record is %+v", name, r)
		}
		if left := h.left(); !slices.Equal(left, []string{h.root + "/7"}) {
			t.Errorf("%s: left %q", name, left)
		}
		if !slices.Equal(h.box.given, tools) {
			t.Errorf("%s: its own folder is furnished with %q, want %q", name, h.box.given, tools)
		}
	}
}

// TestNotes: what an author must know is in the job log, and in the record for the script
// stage.
func TestNotes(t *testing.T) {
	t.Parallel()
	h := newHost(t, newGitLab(t))
	c := newCall(t, h)
	c.set("CUSTOM_ENV_TENANT=", "CUSTOM_ENV_RUNNER_TEMP_PROJECT_DIR="+h.file("builds/none/protected/deploy.tmp"))
	h.edit(t, "response.json", `"id": 7`, `"id": 7,"image":{"name":"alpine"}`)
	const none = "this job has no tenant and no credentials: the job's variable TENANT is empty"
	const image = `this runner has no containers and does not use image: "alpine": scripts run on its host`
	if got := c.serve(); got.code != 0 || got.log != "rolecall: "+none+"\nrolecall: "+image+"\n" {
		t.Errorf("%+v", got)
	}
	if r := h.record(t); !slices.Equal(r.Notes, []state.Note{{Text: none}, {Text: image, Warn: true}}) {
		t.Errorf("the record has the notes %+v", r.Notes)
	}
}

// TestReport: what the job log shows of what was issued.
func TestReport(t *testing.T) {
	t.Parallel()
	const shortened = "  the role does not allow sessions of 2h0m0s: raise its maximum session duration if the job needs longer\n"
	for name, test := range map[string]struct {
		change      func(*creds.Credential)
		title, rows string
	}{
		"plain":     {func(*creds.Credential) {}, "valid until UNTIL", "  role:     arn:role\n  session:  session-of-7\n  until:    UNTIL (LEFT from now)\n"},
		"no expiry": {func(c *creds.Credential) { c.Expires = time.Time{} }, "which do not expire", "  role:     arn:role\n  session:  session-of-7\n"},
		"shortened": {func(c *creds.Credential) {
			c.Facts = creds.Facts{{Name: "region", Value: "eu-west-1"}, {Name: "shortened_duration", Value: "2h0m0s"}}
		}, "valid until UNTIL", "  region:   eu-west-1\n  until:    UNTIL (LEFT from now)\n" + shortened},
	} {
		h := newHost(t, newGitLab(t))
		until := regexp.QuoteMeta(h.cloud.gives.Expires.UTC().Format(time.RFC3339))
		test.change(&h.cloud.gives)
		got := newCall(t, h).serve()
		want := "section_start:[0-9]+:rolecall\\[collapsed=true\\]\r\x1b\\[0KAWS credentials of tenant alpha, " + test.title + "\n  tenant:   alpha\n" + regexp.QuoteMeta(test.rows) +
			"  env file: " + regexp.QuoteMeta(h.file("builds/alpha/protected/deploy.tmp/rolecall-7/.aws.alpha.env")) + "\n(  This host has no tmpfs.*\n)?section_end:[0-9]+:rolecall\r\x1b\\[0K\n"
		want = strings.NewReplacer("UNTIL", until, "LEFT", "(1h0m0s|59m[0-9]+s)").Replace(want)
		if !regexp.MustCompile("^" + want + "$").MatchString(got.out) {
			t.Errorf("%s: the report is %q, want %q", name, got.out, want)
		}
	}
}

// TestReportTmpfs: where the env file lies on a disk, the report says so.
func TestReportTmpfs(t *testing.T) {
	t.Parallel()
	memory, err := os.MkdirTemp("/dev/shm", "rolecall-test") //nolint:usetesting // t.TempDir may be on a disk
	kit.Must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(memory) })
	disk, err := os.MkdirTemp("/var/tmp", "rolecall-test") //nolint:usetesting // t.TempDir may be in memory
	kit.Must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(disk) })
	for _, root := range []string{memory, disk} {
		h := newHost(t, newGitLab(t))
		c := newCall(t, h)
		c.set("ROLECALL_STORE=" + root)
		got := c.serve()
		const note = "  This host has no tmpfs for the env file: the file is on a disk until the job ends.\n"
		if says := strings.Contains(got.out, note); got.code != 0 || says == state.OnTmpfs(root) {
			t.Errorf("%s, in memory: %v: %+v", root, state.OnTmpfs(root), got)
		}
	}
}

// TestServiceEnvironment: the provider sees no variable of the service that it ignores.
func TestServiceEnvironment(t *testing.T) {
	h := newHost(t, newGitLab(t))
	c := newCall(t, h)
	for name, value := range map[string]string{"AWS_PROFILE": "x", "AWS_CA_BUNDLE": "/c", "OTHER_PROFILE": "y"} {
		t.Setenv(name, value)
		c.set(name + "=" + value)
	}
	var seen string
	h.cloud.before = func() {
		_, profile := os.LookupEnv("AWS_PROFILE")
		seen = fmt.Sprint(profile, os.Getenv("AWS_CA_BUNDLE"), os.Getenv("OTHER_PROFILE"))
	}
	if got := c.serve(); got.code != 0 || seen != "false/cy" {
		t.Errorf("%+v, the provider saw %s", got, seen)
	}
}

// Furnish notes the folder, and the files with their ends.
func (b *box) Furnish(_ json.RawMessage, dir string, tools []backend.ToolFile, _ []string) error {
	b.given = append(b.given, dir)
	for _, tool := range tools {
		b.given = append(b.given, tool.Path+tool.End)
	}
	return nil
}

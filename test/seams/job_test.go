package seams_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/audit"
	"rolecall/internal/sweep"
	"rolecall/test/auditlog"
	"rolecall/test/fakests"
	"rolecall/test/kit"
	"rolecall/test/toy"
)

// wanted is what a job of a tenant must get.
type wanted struct {
	env    []string // the lines of the env file
	hidden []string // what no log may hold
	report []string // in the log of prepare
	issued []audit.Event
	tells  string // before the script
}

// clock is the time in the log of a script.
var clock = regexp.MustCompile(`\d\d:\d\d`)

// ofToys is what a job of tenant toys must get, of the toy alone.
func ofToys(j *job) wanted {
	word := "thefirstword-" + j.id + "-thelastword"
	return wanted{[]string{"TOY_WORD=" + word}, []string{word}, []string{"TOY credentials of tenant toys, valid until ", "  ending:   thelastword\n"}, []audit.Event{{Tenant: "toys"}}, "TOY: tenant toys, ending thelastword, UNTIL\n"}
}

// ofBoth is what a job of tenant both must get: what STS gave, and a word.
func ofBoth(j *job) wanted {
	word := "thesecondword-" + j.id + "-thelastword"
	var keys fakests.Credentials
	if requests := j.sts.Requests(); len(requests) == 1 {
		keys = requests[0].Issued
	}
	const role = "arn:aws:iam::111122223333:role/deploy"
	session := "GitLabRunner-42-9-" + j.id
	return wanted{
		env: []string{
			"AWS_ACCESS_KEY_ID=" + keys.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + keys.SecretAccessKey, "AWS_SESSION_TOKEN=" + keys.SessionToken,
			"AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1", "TOY_WORD=" + word,
		},
		hidden: []string{keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken, word},
		report: []string{"AWS credentials of tenant both, valid until ", "  role:     " + role + "\n", "TOY credentials of tenant both, valid until ", "  ending:   thelastword\n"},
		issued: []audit.Event{{Tenant: "both", RoleARN: role, RoleSessionName: session, AccessKeyID: keys.AccessKeyID}, {Tenant: "both"}},
		tells:  "AWS: tenant both, account 111122223333, role deploy, UNTIL\nTOY: tenant both, ending thelastword, UNTIL\n",
	}
}

// TestJob: a whole job of the toys, from config to cleanup.
func TestJob(t *testing.T) {
	t.Parallel()
	for tenant, of := range map[string]func(*job) wanted{"toys": ofToys, "both": ofBoth} {
		t.Run(tenant, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			j := w.newJob(t, tenant, map[string]string{"AWS_REGION": "eu-west-1"})
			if builds, shell := j.configure(t); builds != w.dir+"/builds/"+tenant+"/protected" || shell != "toy" {
				t.Errorf("the runner is told of the folder %q and the shell %q", builds, shell)
			}
			prepared := j.serve(w.prepare())
			want := of(j)
			if prepared.code != 0 || prepared.log != "" {
				t.Fatalf("prepare: %+v", prepared)
			}
			for _, text := range want.report {
				if strings.Count(prepared.out, text) != 1 {
					t.Errorf("prepare does not say %q once:\n%s", text, prepared.out)
				}
			}
			checkRecord(t, j)
			checkEnvFile(t, j, tenant, want)
			checkScripts(t, j, tenant, want)
			checkAudit(t, j, want)
			checkCleanup(t, j)
			checkEvents(t, j, want)
		})
	}
}

// checkRecord checks that the job is known to be the toy's.
func checkRecord(t *testing.T, j *job) {
	t.Helper()
	record := j.read("root/" + j.id + "/job.json")
	for _, want := range []string{`"backend":"toy"`, `"data":` + toy.Data} {
		if !strings.Contains(record, want) {
			t.Errorf("the record has no %s: %s", want, record)
		}
	}
}

// expires is the value of the variable that says when the credentials expire.
var expires = regexp.MustCompile(`(?m)^(ROLECALL_EXPIRES=)20.*Z$`)

// checkEnvFile checks what the job finds beside its work tree.
func checkEnvFile(t *testing.T, j *job, tenant string, want wanted) {
	t.Helper()
	content := j.read("builds/" + tenant + "/protected/deploy.tmp/rolecall-" + j.id + "/.aws." + tenant + ".env")
	if content != strings.Join(want.env, "\n")+"\n" {
		t.Errorf("the env file is\n%s, want\n%s", content, strings.Join(want.env, "\n"))
	}
}

// checkScripts runs a script of the runner's and one of the user's, which print all
// that is secret. The toy prints the environment before it.
func checkScripts(t *testing.T, j *job, tenant string, want wanted) {
	t.Helper()
	j.write(t, "script", strings.Join(want.hidden, "\n")+"\n")
	printed := strings.Repeat("[MASKED]\n", len(want.hidden))
	const guards = "AWS_EC2_METADATA_DISABLED=true\nTOY_SERVER=none\n"
	own := "/toy" + j.dir + "/root/" + j.id + "/own/"
	tools := fmt.Sprintf("DOCKER_CONFIG=%[1]s.docker\nAWS_CONFIG_FILE=%[1]s.aws/config\nAWS_SHARED_CREDENTIALS_FILE=%[1]s.aws/credentials\nTOY_FILE=%[1]s.toy/file\n", own)
	environ := "PATH=/bin\n"
	for _, line := range want.env {
		name, value, _ := strings.Cut(line, "=")
		if slices.Contains(want.hidden, value) {
			value = "[MASKED]"
		}
		environ += name + "=" + value + "\n"
	}
	environ += tools + guards + "ROLECALL_ENV_FILE=/toy" + j.dir + "/builds/" + tenant + "/protected/deploy.tmp/rolecall-" + j.id + "/.aws." + tenant + ".env\nROLECALL_EXPIRES=\n"
	for stage, wanted := range map[string]result{
		"get_sources": {out: "PATH=/bin\n" + tools + guards + printed}, "build_script": {out: environ + printed, log: strings.ReplaceAll(want.tells, "UNTIL", "until HH:MM UTC (60 min)")},
	} {
		got := j.serve(j.run(), filepath.Join(j.dir, "script"), stage)
		got.out, got.log = expires.ReplaceAllString(got.out, "$1"), clock.ReplaceAllString(got.log, "HH:MM")
		if diff := cmp.Diff(wanted, got, cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("%s: differs (- wanted, + got):\n%s", stage, diff)
		}
	}
}

// checkAudit checks that the audit log has the decision and a line for each provider.
func checkAudit(t *testing.T, j *job, want wanted) {
	t.Helper()
	var got []audit.Event
	for i, e := range j.events(t)[:1+len(want.issued)] {
		if kind := audit.Issued; i == 0 && e.Event != audit.Decision || i > 0 && e.Event != kind || e.Allowed == nil || !*e.Allowed || e.JobID != j.id {
			t.Errorf("line %d of the audit log: %+v", i+1, e)
		}
		got = append(got, audit.Event{Tenant: e.Tenant, RoleARN: e.RoleARN, RoleSessionName: e.RoleSessionName, AccessKeyID: e.AccessKeyID})
	}
	decision := want.issued[0]
	decision.AccessKeyID = ""
	if diff := cmp.Diff(append([]audit.Event{decision}, want.issued...), got); diff != "" {
		t.Errorf("the audit log differs (- wanted, + got):\n%s", diff)
	}
	for _, secret := range want.hidden {
		if content := j.read("audit"); strings.Contains(content, secret) && secret != want.issued[0].AccessKeyID {
			t.Errorf("the audit log has a secret:\n%s", content)
		}
	}
}

// checkEvents checks what the audit log has of the whole job, which has printed secrets in
// two stages.
func checkEvents(t *testing.T, j *job, want wanted) {
	t.Helper()
	kinds := []audit.Kind{audit.Decision}
	for range want.issued {
		kinds = append(kinds, audit.Issued)
	}
	kinds = append(kinds, audit.Masked, audit.Masked, audit.Ended)
	var got []audit.Kind
	for _, e := range j.events(t) {
		got = append(got, e.Event)
	}
	if diff := cmp.Diff(kinds, got); diff != "" {
		t.Errorf("the events of the job differ (- wanted, + got):\n%s", diff)
	}
	auditlog.Check(t, []byte(j.read("audit")))
}

// checkCleanup ends the job: it is reaped once, and nothing of it is left.
func checkCleanup(t *testing.T, j *job) {
	t.Helper()
	for range 2 { // the second time there is nothing to do
		if got := j.serve(j.cleanup()); got != (result{}) {
			t.Errorf("cleanup: %+v", got)
		}
	}
	checkGone(t, j)
}

// checkGone checks that the job was reaped by the toy, once, and that the issuer's keys
// and the ledger are the only files that are left.
func checkGone(t *testing.T, j *job) {
	t.Helper()
	if want := []string{j.id + " " + toy.Data}; !slices.Equal(j.box.Reaped, want) {
		t.Errorf("reaped %q, want %q", j.box.Reaped, want)
	}
	kit.Must(t, filepath.WalkDir(j.dir, func(path string, entry fs.DirEntry, err error) error {
		name, _ := filepath.Rel(j.dir, path)
		ours := slices.Contains([]string{"rolecall.toml", "response.json", "script", "audit"}, name) || name == "root/ledger" || filepath.Dir(name) == "root/keys"
		if !entry.IsDir() && !ours || strings.Contains(name, j.id) {
			t.Errorf("left: %s", name)
		}
		return err
	}))
}

// TestSweep: a job whose runner has died is reaped by the toy, and nothing of it is left.
func TestSweep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	j := w.newJob(t, "toys", nil)
	j.configure(t)
	if got := j.serve(w.prepare()); got.code != 0 {
		t.Fatalf("prepare: %+v", got)
	}
	record := regexp.MustCompile(`"expires":\d+`).ReplaceAllString(j.read("root/"+j.id+"/job.json"), `"expires":1`)
	w.write(t, "root/"+j.id+"/job.json", record)
	places, err := w.sweep().Find([]string{"--config", w.dir + "/rolecall.toml"}, os.Stderr)
	kit.Must(t, err)
	var out strings.Builder
	kit.Must(t, w.sweep().Run(sweep.Places{Roots: places.Roots[len(places.Roots)-1:]}, &out)) // Serve would sweep the folders of this host too
	if want := "removed what job " + j.id + " left in " + w.dir + "/root\n"; out.String() != want {
		t.Errorf("sweep prints %q, want %q", &out, want)
	}
	checkGone(t, j)
}

package e2e_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rolecall/test/awscli"
	"rolecall/test/document"
	"rolecall/test/kit"
)

// reader is an admin who types what the pages say, on a host on which jobs have run: 1042 is a job
// that had credentials, and 1015 one that was refused.
type reader struct {
	host
	names   *strings.Replacer // of the pages, and what this host has in their place
	refused string
}

// TestAdminPages: the commands that the pages tell an admin to type do what the pages say, on a host that
// is set up as docs/install.md says, after jobs.
func TestAdminPages(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.setUp(t)
	r := h.reader(t)
	r.checkJournal(t)
	r.checkLog(t)
	r.checkSuspension(t)
	r.checkMetrics(t)
	r.checkPackages(t)
	r.checkSpans(t)
}

// reader runs a job that gets credentials, one that is refused, and one for which the admin must act.
func (h host) reader(t *testing.T) reader {
	t.Helper()
	first := h.enqueue(sharedToken, h.shop("alpha", "echo $AWS_ACCESS_KEY_ID > /dev/null"))
	if result := wait(t, first); result.State != "success" {
		t.Fatalf("%+v; log:\n%s", result, first.Text())
	}
	other := h.shop("alpha", "true")
	other.Ref = "feature/x"
	second := h.enqueue(sharedToken, other)
	wait(t, second)
	contains(t, second.Text(), "RC103")
	h.sh(t, "chmod 0666 "+auditFile)
	contains(t, h.fail(t, sharedToken, h.shop("alpha", "true")), "RC308")
	h.sh(t, "chmod 0600 "+auditFile)
	session := h.issued(t)
	id := fmt.Sprint(first.ID())
	return reader{h, strings.NewReplacer("ASIAIOSFODNN7EXAMPLE", session.Key, "GitLabRunner-22-301-1042", session.Name, "KEY|SESSION|JOB", session.Key, "1042", id,
		" ID", " "+id, " NAME", " alpha", " TENANT", " alpha", " FILE", " response.json", " URL", " "+h.gitlab.URL(),
		" KEYS", " name=gamma,role=arn:aws:iam::111122223333:role/gamma,project=acme/shop", " N", " 1", "/var/lib/rolecall", filepath.Join(h.Root, "var/lib/rolecall")), fmt.Sprint(second.ID())}
}

// auditFile is the audit log of docs/install.md.
const auditFile = "/var/lib/rolecall/audit.jsonl"

// logged is what the audit log has of a session.
type logged struct {
	Event string `json:"event"`
	Key   string `json:"access_key_id"`
	Name  string `json:"role_session_name"`
}

// issued returns the session of the log.
func (h host) issued(t *testing.T) logged {
	t.Helper()
	for line := range strings.Lines(h.sh(t, "cat "+auditFile)) {
		var s logged
		kit.Must(t, json.Unmarshal([]byte(line), &s))
		if s.Event == "issued" {
			return s
		}
	}
	t.Fatal("the audit log has no session")
	return logged{}
}

// here runs a command on this machine, for programs that the host lacks, with a standard input.
func here(t *testing.T, input, command string) string {
	t.Helper()
	kit.NeedProgram(t, "jq", "jq")
	c := exec.CommandContext(t.Context(), "bash", "-ec", command)
	c.Stdin = strings.NewReader(input)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}

// says fails the test unless what a command prints has a text.
func says(t *testing.T, command, out, want string) {
	t.Helper()
	if !strings.Contains(out, want) {
		t.Errorf("%s prints no %q:\n%s", command, want, out)
	}
}

// checkJournal: the journal has the warnings and errors of jobs.
func (r reader) checkJournal(t *testing.T) {
	t.Helper()
	job := strings.NewReplacer("1042", r.refused, "1015", r.refused)
	find := func(command string) {
		want := `tenant "alpha" refuses this job: rule refs`
		if !strings.Contains(command, "JOB_ID=") {
			want = "others may write to it; chmod go-w " + auditFile
		}
		says(t, command, r.sh(t, job.Replace(command)), want)
	}
	document.Run(t, "docs/audit.md", "The journal", func(s document.Step) { find(s.Command) })
	document.RunSpans(t, "CONTRIBUTING.md", "Debugging a job", find)
	document.RunSpans(t, "docs/limits.md", "Limits", find)
	document.RunSpans(t, "docs/policy.md", "Who decides", find)
}

// checkLog: a session leads to its job, and a job to what AWS knows of it.
func (r reader) checkLog(t *testing.T) {
	t.Helper()
	session := r.issued(t)
	do := func(s document.Step) {
		command := r.names.Replace(s.Command)
		if before, after, piped := strings.Cut(command, " | "); piped && strings.HasPrefix(before, "rolecall ") {
			kit.Must(t, r.Write("/root/job.json", r.sh(t, before), 0o600))
			command = "cat " + filepath.Join(r.Root, "root/job.json") + " | " + after
		}
		switch {
		case strings.Contains(command, "aws "):
			_, asked := awscli.Run(t, t.TempDir(), "", command)
			if text := strings.Join(asked, "\n"); !strings.Contains(text, session.Key) && !strings.Contains(text, "PutRolePolicy") {
				t.Errorf("%s asks AWS\n%s", command, text)
			}
		case strings.HasPrefix(command, "jq "):
			says(t, command, here(t, "", command), `"access_key_id": "`+session.Key)
		default:
			says(t, command, r.sh(t, command), session.Name)
		}
	}
	document.Run(t, "docs/audit.md", "Which job has done that in AWS", do)
	document.Run(t, "docs/operations.md", "Revoke what a tenant has", do)
	document.Run(t, "docs/operations.md", "Join with CloudTrail", do)
}

// checkSuspension: a tenant is suspended by each command of the page, and by its file.
func (r reader) checkSuspension(t *testing.T) {
	t.Helper()
	want := map[string]string{"suspend alpha": `tenant "alpha"`, "suspend --all": "all tenants", "resume alpha": `the suspension of tenant "alpha" has ended`}
	document.Run(t, "docs/operations.md", "Stop a tenant", func(s document.Step) {
		if s.File != "" {
			r.write(t, s.File, s.Content, 0o644)
			says(t, s.File, r.sh(t, "rolecall check || true"), "suspended")
			return
		}
		words := strings.Fields(s.Command)
		says(t, s.Command, r.sh(t, s.Command), want[strings.Join(words[2:4], " ")])
	})
	r.sh(t, "rolecall resume --all")
}

// checkMetrics: with the key of the page, the sweep writes the file.
func (r reader) checkMetrics(t *testing.T) {
	t.Helper()
	var file string
	document.Run(t, "docs/operations.md", "Watch", func(s document.Step) {
		content := r.sh(t, "cat "+s.File)
		file = regexp.MustCompile(`"(.*)"`).FindStringSubmatch(s.Content)[1]
		r.write(t, s.File, s.Content+content, 0o600)
	})
	r.sh(t, "mkdir -p "+filepath.Dir(file))
	document.RunSpans(t, "docs/operations.md", "Watch", func(command string) {
		if strings.HasPrefix(command, "apt ") {
			r.checkInstall(t, command)
			return
		}
		r.sh(t, command)
	})
	says(t, file, r.sh(t, "cat "+file), `rolecall_decisions_total{tenant="alpha",result="refused",code="RC103",rule="refs"} 1`)
}

// checkPackages: Debian has the packages that the pages name.
func (r reader) checkPackages(t *testing.T) {
	t.Helper()
	document.RunSpans(t, "CONTRIBUTING.md", "Build and test", func(command string) { r.checkInstall(t, command) })
	document.Run(t, "README.md", "Try it", func(s document.Step) {
		if strings.HasPrefix(s.Command, "sudo apt-get ") {
			r.checkInstall(t, s.Command)
		}
	})
}

// checkInstall lets apt look for the packages of a command, and install none.
func (r reader) checkInstall(t *testing.T, command string) {
	t.Helper()
	says(t, command, r.sh(t, strings.Replace(command, " install ", " --simulate install ", 1)+" 2>&1"), "\nConf "+command[strings.LastIndex(command, " ")+1:]+" ")
}

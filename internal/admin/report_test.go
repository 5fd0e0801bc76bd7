package admin_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"rolecall/internal/audit"
	"rolecall/test/kit"
)

// reported is a world with a log in which authors have written all they can, and the flags of its
// report.
func reported(t *testing.T) (*world, []string) {
	t.Helper()
	w := newWorld(t)
	path := logOf(t,
		line(t, "70", 0, audit.Issued, issuedAs("ASIA1", "x")),
		line(t, "71", time.Minute, audit.Issued, issuedAs("ASIA2", "x"))+
			line(t, "72", time.Minute, audit.Decision, func(e *audit.Event) {
				refusedBy(evil, evil, "RC103")(e)
			})+
			line(t, "73", time.Minute, audit.Failed, func(e *audit.Event) { e.Code, e.Side = "RC203", "aws-account" })+"cut\n",
	)
	w.policy = strings.Replace(w.policy, `refs = ["main", "release/*"]`, `refs = ["main", "<b>&/*"]`, 1)
	flags := w.asked(t, path)
	w.folder(t, 71, "alpha", os.Getpid(), line(t, "71", 0, "", func(e *audit.Event) { e.Ref, e.UserLogin = evil, evil }))
	return w, append(flags, "--runner-config", "/none")
}

// TestReport: the report is one file that has all it promises, no script and nothing of others,
// and texts of authors are texts in it.
func TestReport(t *testing.T) {
	t.Parallel()
	_, flags := reported(t)
	got := run("", append([]string{"report", "--html"}, flags...)...)
	if got.code != 0 || got.errors != "" {
		t.Fatalf("%+v", got)
	}
	for _, want := range []string{
		"<th>rolecall</th><td>0.", "<th>its hash</th><td>", "<th>kernel</th><td>Linux ", "<h3>alpha</h3>", "<th>gives its jobs</th><td>aws arn:aws:iam::111122223333:role/deploy-alpha</td>",
		`<th>refs</th><td>main, &lt;b&gt;&amp;/*</td>`, `<td>a\u001b]0;x\u0007\u009b&lt;script&gt;&amp;\u202eb</td>`, "<td>alpha</td><td class=\"number\">2</td>", "<td>RC103</td>", "<td>failed</td><td>RC203</td>",
		`<td class="fix">to fix</td>`, "1 lines of the audit log could not be read", "@media print", "default-src &#39;none&#39;",
	} {
		if text := strings.ReplaceAll(got.out, "default-src 'none'", "default-src &#39;none&#39;"); !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, got.out)
		}
	}
	if bad := regexp.MustCompile(`(?i)<(script|link|img|iframe|object|embed|base|form)|\son\w+=|url\(|@import|(src|href)=|[^\x20-\x7e\n]`).FindAllString(got.out, -1); bad != nil {
		t.Errorf("the page has %q", bad)
	}
	reader := xml.NewDecoder(strings.NewReader(got.out))
	reader.Strict, reader.AutoClose, reader.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		if _, err := reader.Token(); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Errorf("the page is not well-formed: %v", err)
			}
			break
		}
	}
	as := run("", append([]string{"report", "--json"}, flags...)...)
	var value struct {
		Tenants  []struct{ Name string }
		Sessions []struct{ Count int }
		Live     []struct {
			ID string `json:"job_id"`
		}
	}
	if err := json.Unmarshal([]byte(as.out), &value); err != nil || len(value.Tenants) != 2 || value.Sessions[0].Count != 2 || len(value.Live) != 1 || value.Live[0].ID != "71" {
		t.Errorf("%v: %+v in\n%s", err, value, as.out)
	}
}

// TestReportFile: the file is the admin's alone, a file that is there stays, and --force replaces it.
func TestReportFile(t *testing.T) {
	t.Parallel()
	w, flags := reported(t)
	path := filepath.Join(w.dir, "report.html")
	to := func(args ...string) result {
		return run("", append(append([]string{"report", "--html", path}, args...), flags...)...)
	}
	if got := to("--since", "1d"); got.code != 0 || got.out != "" {
		t.Errorf("%+v", got)
	}
	info, err := os.Stat(path)
	kit.Must(t, err)
	if info.Mode() != 0o600 || info.Size() < 1000 {
		t.Errorf("%v, %d bytes", info.Mode(), info.Size())
	}
	kit.Must(t, os.WriteFile(path, []byte("mine"), 0o600))
	if got := to(); got.code != 1 || !strings.Contains(got.errors, path+" exists, and is left unchanged; --force replaces it") {
		t.Errorf("%+v", got)
	}
	if content, _ := os.ReadFile(path); string(content) != "mine" {
		t.Errorf("%q", content)
	}
	if got := to("--force"); got.code != 0 {
		t.Errorf("%+v", got)
	}
	if content, _ := os.ReadFile(path); !strings.HasPrefix(string(content), "<!DOCTYPE html>") {
		t.Errorf("%.80q", content)
	}
	for _, args := range [][]string{{"report"}, {"report", "--html", "--json"}, {"report", "--html", "a", "b"}, {"report", "--json", "a"}} {
		if got := run("", append(args, flags...)...); got.code != 2 || !strings.Contains(got.errors, "say --html [FILE] or --json") {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

// TestFullDisk: a report and a bundle that do not fit leave nothing.
func TestFullDisk(t *testing.T) {
	if !kit.InMounts(t, "a full disk") {
		return
	}
	w, flags := reported(t)
	disk := filepath.Join(w.dir, "disk")
	kit.Must(t, os.Mkdir(disk, 0o700))
	kit.Mount(t, disk, "size=4k", 0)
	kit.Must(t, os.WriteFile(disk+"/mine", []byte("x"), 0o600))
	for _, args := range [][]string{{"report", "--html", disk + "/file"}, {"bundle", "--output", disk + "/file"}} {
		got := run("", append(args, flags...)...)
		entries, err := os.ReadDir(disk)
		if got.code != 1 || !strings.Contains(got.errors, syscall.ENOSPC.Error()) || err != nil || len(entries) != 1 || entries[0].Name() != "mine" {
			t.Errorf("%q: %+v, %v left, %v", args, got, entries, err)
		}
	}
	policy, cases := w.write(t, "rolecall.toml", []byte(w.policy)), w.write(t, "cases.toml", []byte("[[case]]\nname = \"x\"\nproject = \"acme/deploy\"\nref = \"main\"\nexpect = \"alpha\"\n"))
	kit.Must(t, os.Mkdir(disk+"/111122223333", 0o700))
	kit.Must(t, os.Link(disk+"/mine", disk+"/111122223333/rolecall.tf")) // a file that is replaced
	for _, args := range [][]string{{"trust-policy", "--all", "--account", "111122223333", "--format", "terraform", "--out-dir", disk}, {"test", cases, "--junit", disk + "/file"}} {
		got := run("", append(args, "--config", policy)...)
		entries, _ := filepath.Glob(disk + "/*/*")
		mine, _ := os.ReadFile(disk + "/111122223333/rolecall.tf")
		left, _ := os.ReadDir(disk)
		if got.code != 1 || !strings.Contains(got.errors, syscall.ENOSPC.Error()) || len(entries) != 1 || len(left) != 2 || string(mine) != "x" {
			t.Errorf("%q: %+v, %q and %v left, with %q", args, got, entries, left, mine)
		}
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	kit.Must(t, err)
	defer full.Close()
	if code := runTo(full, append([]string{"report", "--html"}, flags...)...); code != 1 {
		t.Errorf("exit code %d", code)
	}
}

// TestNoFile: a device or a link is not replaced by a file.
func TestNoFile(t *testing.T) {
	t.Parallel()
	w, flags := reported(t)
	link := filepath.Join(w.dir, "link")
	kit.Must(t, os.Symlink("/dev/null", link))
	for _, args := range [][]string{{"report", "--force", "--html", link}, {"bundle", "--force", "--output", link}} {
		got := run("", append(args, flags...)...)
		if target, err := os.Readlink(link); got.code != 1 || !strings.Contains(got.errors, link+" is no regular file, and is left unchanged") || target != "/dev/null" || err != nil {
			t.Errorf("%q: %+v, %q, %v", args, got, target, err)
		}
	}
}

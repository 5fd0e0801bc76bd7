package check_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/account"
	"rolecall/internal/admin/check"
)

// TestLogin starts login shells of users with startup files that harm scripts.
func TestLogin(t *testing.T) {
	t.Parallel()
	skel := "if [ \"$SHLVL\" = 1 ]; then\n  [ -x /usr/bin/clear_console ] && /usr/bin/clear_console -q\n  false\nfi\n"
	for name, c := range map[string]struct {
		file, content string
		state         check.State // "": nothing is found
		what          string
	}{
		"no home":          {"", "", "", ""},
		"Debian's":         {".bash_logout", skel, "", ""},
		"bad logout":       {".bash_logout", "echo bye; false\n", check.Fix, "ends with 1 after a script that succeeded: bye"},
		"profile ends it":  {".bash_profile", "exit 3\n", check.Fix, "ends the login shell"},
		"profile succeeds": {".profile", "exit 0\n", check.Fix, "ends the login shell"},
		"profile talks":    {".bash_login", "echo 'welcome\033[1m'\n", check.Look, `prints into every job log: welcome\x1b[1m`},
		"profile shouts":   {".profile", "head -c 10000000 /dev/zero | tr '\\0' x\n", check.Look, "xxxxxxxx"},
		"profile sleeps":   {".profile", "sleep 600\n", check.Fix, "has not ended after 5s"},
		"profile is AWS":   {".profile", "export AWS_PROFILE=SECRET AWS_REGION=eu-central-1\nAWS_ROLE_ARN=x\n", check.Look, "exports AWS_PROFILE: every job can read"},
		"profile is local": {".profile", "export AWS_DEFAULT_REGION=eu-central-1 AWS_PAGER=\n", "", ""},
		"profile closes":   {".profile", "exec 3>&-\n", check.Look, "3: Bad file descriptor"},
		"profile kills it": {".profile", "kill -9 $$\n", check.Fix, "ends the login shell"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := userWithHome(t, c.file, c.content)
			began := time.Now()
			findings := check.CheckLogin(a)
			if time.Since(began) > 20*time.Second {
				t.Errorf("it took %v", time.Since(began))
			}
			if c.state == "" && len(findings) > 0 || c.state != "" && (len(findings) != 1 || findings[0].State != c.state ||
				!strings.Contains(findings[0].What, c.what) || len(findings[0].What) > 1000 || !strings.Contains(findings[0].Do, a.Home)) {
				t.Errorf("%+v, want %s: %s", findings, c.state, c.what)
			}
		})
	}
}

// TestNoHome: where a user cannot enter its HOME, the login shell starts in /, and tells.
func TestNoHome(t *testing.T) {
	t.Parallel()
	closed, file := userWithHome(t, ".profile", ""), userWithHome(t, "", "")
	for _, err := range []error{os.Chown(closed.Home, 0, 0), os.Chmod(closed.Home, 0o700), os.WriteFile(file.Home, nil, 0o644)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range []account.Account{closed, file} {
		got := check.CheckLogin(a)
		if len(got) != 1 || !strings.Contains(got[0].What, "after a script that succeeded: bash: ") || !strings.Contains(got[0].Do, "a user who cannot enter the folder") {
			t.Errorf("%s: %+v", a.Home, got)
		}
	}
}

// userWithHome returns a user whose home holds a file, where there is a name for it.
func userWithHome(t *testing.T, file, content string) account.Account {
	t.Helper()
	a := account.Account{Name: "ci-test", UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()), Home: filepath.Join(t.TempDir(), "home"), Shell: "/usr/sbin/nologin"}
	if os.Geteuid() == 0 {
		a.UID, a.GID = 4711, 4711
	}
	for dir := filepath.Dir(a.Home); strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if file == "" {
		return a
	}
	for _, err := range []error{
		os.Mkdir(a.Home, 0o755), os.WriteFile(filepath.Join(a.Home, file), []byte(content), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return a
}

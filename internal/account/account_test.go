package account_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/account"
)

const passwd = `root:x:0:0:root:/root:/bin/bash
toor::00:7:spare root:/root:/bin/sh

# a comment: of, no, use, here, :::
+nis:x:700:700:::
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
ci-alpha:x:2001:2001:Alpha,,,:/home/ci-alpha:/bin/bash
ci-alphabet:x:2003:2001::/home/abc:
_b:x:4294967294:2002::/home/b:/bin/sh
rootly:x:2010:0::/:/bin/sh
member:x:2011:2011::/:/bin/sh
one:x:2020:2020::/:/bin/sh
two:x:2020:2021::/:/bin/sh
padded:x:02020:2021::/:/bin/sh
twice:x:2030:2030::/:/bin/sh
twice:x:2031:2031::/:/bin/sh
short:x:2040:2040
words:x:none:2041::/:/bin/sh
negative:x:-1:2041::/:/bin/sh
nobody-at-all:x:4294967295:2041::/:/bin/sh
no-group:x:2042:4294967295::/:/bin/sh
no-gid:x:2043:::/:/bin/sh
too-big:x:4294967296:2044::/:/bin/sh
strong:x:2050:2050::/:/bin/sh
last:x:2099:2099::/:/bin/last`

const group = `root:x:0:member
docker:x:999:strong,ci-alphabet,other
ci-alpha:x:2001:
wheel:x:998:strong
audio:x:29:last,ci-alpha
kvm:x:30:strong
video:x:44:ci-alpha
again:x:44:ci-alpha
+nis:::
# a comment: with : commas:ci-alpha
short:x:4000
odd:x:none:ci-alpha
none:x:4294967295:ci-alpha
sudo:x:2050:
lastgroup:x:2099:ci-alpha`

// files writes the two files and returns their paths.
func files(t *testing.T, passwd, group string) (string, string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"passwd": passwd, "group": group} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "passwd"), filepath.Join(dir, "group")
}

// TestRefused: no script runs as root, and no two tenants share a user.
func TestRefused(t *testing.T) {
	t.Parallel()
	users, groups := files(t, passwd, group)
	for name, want := range map[string]string{
		"root":                           "uid is 0",
		"toor":                           "uid is 0",
		"rootly":                         "gid 0",
		"member":                         "gid 0",
		"one":                            "uid 2020 is shared by one and two and padded: ",
		"two":                            "uid 2020 is shared by one and two and padded: ",
		"padded":                         "uid 2020 is shared by one and two and padded: ",
		"twice":                          "it occurs twice in /etc/passwd",
		"short":                          "has 4 fields, want 7",
		"words":                          `"none"`,
		"negative":                       `"-1"`,
		"nobody-at-all":                  "4294967295 means no id",
		"no-group":                       "4294967295 means no id",
		"no-gid":                         "its gid",
		"too-big":                        "out of range",
		"ghost":                          "not in /etc/passwd; users of LDAP or sssd cannot be used",
		"nis":                            "not in /etc/passwd",
		"ci-alph":                        "not in /etc/passwd",
		"last" + strings.Repeat("t", 28): "not in /etc/passwd",
		"last" + strings.Repeat("t", 29): "want a name",
		"":                               "want a name",
		"2001":                           "want a name",
		"-ci":                            "want a name",
		"ci.alpha":                       "want a name",
		"CI":                             "want a name",
		"ci-alpha\n":                     "want a name",
		"ci-alpha:x:9:9::/:":             "want a name",
		"# a comment":                    "want a name",
		"+nis":                           "want a name",
		"../ci-alpha":                    "want a name",
	} {
		got, err := account.LookupIn(users, groups, name)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "user ") {
			t.Errorf("%q: error %v, want one with %q", name, err, want)
		}
		if got.Name != "" || got.UID != 0 || got.Groups != nil {
			t.Errorf("%q: the error comes with %+v", name, got)
		}
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	users, groups := files(t, passwd, group)
	for name, want := range map[string]struct {
		uid, gid    uint32
		groups      []uint32
		home, shell string
		powerful    []string
	}{
		"daemon":      {1, 1, []uint32{1}, "/usr/sbin", "/usr/sbin/nologin", nil},
		"ci-alpha":    {2001, 2001, []uint32{2001, 29, 44, 2099}, "/home/ci-alpha", "/bin/bash", nil},
		"ci-alphabet": {2003, 2001, []uint32{2001, 999}, "/home/abc", "", []string{"docker"}},
		"_b":          {4294967294, 2002, []uint32{2002}, "/home/b", "/bin/sh", nil},
		"strong":      {2050, 2050, []uint32{2050, 999, 998, 30}, "/", "/bin/sh", []string{"docker", "wheel", "sudo"}},
		"last":        {2099, 2099, []uint32{2099, 29}, "/", "/bin/last", nil},
	} {
		got, err := account.LookupIn(users, groups, name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got.Name != name || got.UID != want.uid || got.GID != want.gid || got.Home != want.home || got.Shell != want.shell {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
		if !slices.Equal(got.Groups, want.groups) || !slices.Equal(got.Powerful(), want.powerful) {
			t.Errorf("%s: groups %v, powerful %q, want %v and %q", name, got.Groups, got.Powerful(), want.groups, want.powerful)
		}
	}
}

// TestFilesOfTheHost: every host has the user nobody, and root is refused.
func TestFilesOfTheHost(t *testing.T) {
	t.Parallel()
	got, err := account.Lookup("nobody")
	if err != nil || got.UID == 0 {
		t.Errorf("nobody: %+v, %v", got, err)
	}
	if _, err := account.Lookup("root"); err == nil {
		t.Error("root is found")
	}
}

func TestFilesThatAreMissing(t *testing.T) {
	t.Parallel()
	users, groups := files(t, passwd, group)
	for _, paths := range [][2]string{{users + "x", groups}, {users, groups + "x"}} {
		if _, err := account.LookupIn(paths[0], paths[1], "last"); err == nil || !strings.Contains(err.Error(), "x: no such file") {
			t.Errorf("%q: %v", paths, err)
		}
	}
}

func TestRunnableBy(t *testing.T) {
	t.Parallel()
	a := account.Account{Name: "ci-alpha", UID: 2001}
	for euid, ok := range map[int]bool{0: true, 2001: true, 2002: false} {
		if err := a.RunnableBy(euid); (err == nil) != ok {
			t.Errorf("by %d: %v", euid, err)
		}
	}
}

// FuzzLookup: whatever the files hold, root is never found.
func FuzzLookup(f *testing.F) {
	f.Add(passwd, group, "ci-alpha")
	f.Add("a:::::::\na:x:0:0::", "::0:a", "a")
	f.Add("a:x:1:2:::\n", "r:x:0:,a", "a")
	f.Fuzz(func(t *testing.T, passwd, group, name string) {
		users, groups := files(t, passwd, group)
		got, err := account.LookupIn(users, groups, name)
		if err == nil && (got.UID == 0 || got.GID == 0 || slices.Contains(got.Groups, 0) || got.Groups[0] != got.GID) {
			t.Errorf("%+v", got)
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	for b.Loop() {
		if _, err := account.Lookup("nobody"); err != nil {
			b.Fatal(err)
		}
	}
}

package script_test

import (
	"os"
	"strings"
	"testing"

	"rolecall/internal/script"
	"rolecall/test/kit"
)

// odd is a value that a shell would take apart if it were not quoted.
const odd = "a b'c\"$(id)`id`\\\n*~;#é"

// bounds are the variables of these tests.
func (d *driver) bounds() {
	d.orders.Unset = []string{"CLOUD_*", "TOY"}
	d.orders.Set = []string{"CLOUD_KEY=" + odd, "TOY=x"}
	d.orders.Env = append(d.orders.Env, d.orders.Set...)
}

// withProfile returns a driver for a script of a user who has that profile.
func withProfile(t *testing.T, profile, text string) *driver {
	t.Helper()
	d := newDriver(t, text)
	d.bounds()
	kit.Must(t, os.WriteFile(d.file(".bash_profile"), []byte(profile), 0o600))
	return d
}

// TestProfilesDoNotWin: a variable that the script must have is that of the driver, one
// that it must not have is gone, and all else is as the profile left it.
func TestProfilesDoNotWin(t *testing.T) {
	t.Parallel()
	const text = "env -0 | grep -z -E '^(CLOUD|TOY|TOYS|OTHER)' | sort -z | tr '\\0' '|'\necho \" $# ${-//[!euvx]/}\"\n"
	const own = "CLOUD_KEY=" + odd + "|"
	for profile, want := range map[string]string{
		"":                     own + "TOY=x| 0 \n",
		"export CLOUD_KEY=bad": own + "TOY=x| 0 \n",
		"export CLOUD_PROFILE=host CLOUD_=1 CLOUD_B_C='d e' TOY=y TOYS=z OTHER=1": own + "OTHER=1|TOY=x|TOYS=z| 0 \n",
		"unset CLOUD_KEY TOY":                             own + "TOY=x| 0 \n",
		"IFS=_C; CLOUD_LOCAL=1; set -f; export CLOUD_X=1": own + "TOY=x| 0 \n",
		"set -eu":                       own + "TOY=x| 0 eu\n",
		"set -ux 2>/dev/null; set -- q": own + "TOY=x| 0 ux\n",
		"head -c 10485760 /dev/zero | tr '\\0' p >&2; export TOY=y": own + "TOY=x| 0 \n",
	} {
		d := withProfile(t, profile+"\n", text)
		d.start(t)
		if r := d.end(t)[0]; r.Code != 0 || r.Err != "" || d.stdout.String() != want {
			t.Errorf("%q: %+v, output %q, want %q", profile, r, d.stdout.String(), want)
		}
	}
}

// TestOpeningIsNotSeen: no option of a profile prints or keeps the values, and no argument
// has them.
func TestOpeningIsNotSeen(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"set -x", "set -v", "set -xv", "set -o history; HISTFILE=~/kept; HISTSIZE=100", "exec 7>~/kept; BASH_XTRACEFD=7; set -x"} {
		d := withProfile(t, profile+"\n", "set +x\ncat ~/kept 2>/dev/null\ntr '\\0' ' ' < /proc/$$/cmdline\n")
		d.orders.Set[0], d.orders.Env[len(d.orders.Env)-2] = "CLOUD_KEY=hunter2", "CLOUD_KEY=hunter2"
		d.start(t)
		r := d.end(t)[0]
		kept, _ := os.ReadFile(d.file("kept"))
		if all := d.stdout.String() + d.stderr.String() + string(kept); r.Code != 0 || strings.Contains(all, "hunter2") || !strings.HasSuffix(d.stdout.String(), "bash -l ") {
			t.Errorf("%s: %+v\n%s", profile, r, all)
		}
	}
}

// TestReadOnly: a script does not begin if a profile has made one of its variables
// read-only; bash names the variable.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	for profile, name := range map[string]string{
		"readonly CLOUD_KEY=bad": "CLOUD_KEY", "declare -rx CLOUD_PROFILE=host": "CLOUD_PROFILE", "set -e; readonly TOY": "TOY", "set -o posix; readonly TOY=x": "TOY",
	} {
		d := withProfile(t, profile+"\n", "echo it ran\nexit 0\n")
		d.start(t)
		if r := d.end(t)[0]; r.Code != 1 || r.Read != script.Barred || d.stdout.Len() > 0 || !strings.Contains(d.stderr.String(), name+": ") {
			t.Errorf("%s: %+v, output %q, errors %q", profile, r, d.stdout.String(), d.stderr.String())
		}
	}
}

// TestProgressAfterOpening: who has ended the shell is told as without an opening.
func TestProgressAfterOpening(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(": a line that bash reads with many others\n", 2000)
	for _, test := range []struct {
		profile, text string
		code          int
		want          script.Progress
	}{
		{"exit 3", "echo it ran\n", 3, script.Unread},
		{"sleep 0.1; exit 0", long, 0, script.Unread},
		{"", "exit 1\n" + long, 1, script.Begun},
		{"", "(exit 7); exit 1\n" + long, 1, script.Begun},
		{"", "", 0, script.Begun},
		{"", "exit 1\n", 1, script.Begun},
		{"", "true\nexit 0\n", 0, script.AllRead},
		{"", long + "exit 0\n", 0, script.AllRead},
		{"trap 'exit 1' EXIT", long + "exit 0\n", 1, script.AllRead},
	} {
		d := withProfile(t, test.profile+"\n", test.text)
		d.start(t)
		if r := d.end(t)[0]; r.Code != test.code || r.Read != test.want || r.Err != "" {
			t.Errorf("%q, %.20q: %+v, want %d and %s", test.profile, test.text, r, test.code, test.want)
		}
	}
}

// TestOpeningStaysAsItIs: what bash reads cannot be changed by the script, whoever runs it.
func TestOpeningStaysAsItIs(t *testing.T) {
	t.Parallel()
	d := withProfile(t, "", "exec 3<&0\nfor f in /proc/$$/fd/3; do (echo x >> $f); (echo x 1<> $f); (: > $f); done 2>&1 | sed 's/.*: //'\necho same\n")
	d.start(t)
	if r := d.end(t)[0]; r.Err != "" || d.stdout.String() != strings.Repeat("Operation not permitted\n", 3)+"same\n" {
		t.Errorf("%+v, output %q, errors %q", r, d.stdout.String(), d.stderr.String())
	}
}

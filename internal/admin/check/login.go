package check

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"rolecall/internal/account"
	"rolecall/internal/creds/aws"
	"rolecall/internal/script"
)

// loginTime bounds the time of a login shell whose script does nothing.
const loginTime = 5 * time.Second

// maxShown bounds how many bytes of a login shell's output are shown.
const maxShown = 200

// loginScript says which settings of AWS the shell exports, and does nothing else. It has
// the form of the scripts of GitLab Runner.
const loginScript = "set -eo pipefail\ncompgen -e AWS_ >&3 || true\n: | eval ':'\nexit 0\n"

// login is what a login shell did with loginScript.
type login struct {
	said    string          // the beginning of its output
	code    int             // exit code
	read    script.Progress // how far the shell read the script
	exports string          // names of AWS's settings, other than the region, that it exports
	err     string          // why it is not known what it did; empty: it is known
}

// checkLogin starts the login shell of a user as a stage does, with each of the HOMEs. It
// reports startup files that end the shell, print something or export an identity in AWS.
func checkLogin(ctx context.Context, area string, a account.Account, homes []home) []Finding {
	logins := make([]login, len(homes))
	gather(len(homes), func(i int) []Finding {
		logins[i] = logIn(ctx, a, homes[i])
		return nil
	})
	var findings []Finding
	for i, l := range logins {
		if slices.Index(logins, l) < i {
			continue
		}
		var sources []string
		for j, other := range logins {
			if other == l && homes[j].source != "" {
				sources = append(sources, homes[j].source)
			}
		}
		findings = append(findings, l.findings(area, a.Name, sources)...)
	}
	return findings
}

// findings returns what is wrong with a login of a user. The sources are the folders
// whose startup files the shell read.
func (l login) findings(area, user string, sources []string) []Finding {
	shown := strings.Trim(fmt.Sprintf("%.*q", maxShown, strings.TrimSpace(l.said)), `"`)
	files, logout := "/etc/profile and /etc/profile.d", "correct the files in /etc that bash reads at its end"
	if len(sources) > 0 {
		where := strings.Join(sources, " and ")
		files = fmt.Sprintf("/etc/profile, /etc/profile.d, and .bash_profile, .bash_login, .profile and .bash_logout in %s", where)
		logout = "remove .bash_logout from " + where + "; a user who cannot enter the folder needs another one"
	}
	var findings []Finding
	switch {
	case l.err != "":
		findings = append(findings, fix(idLoginFails, area, fmt.Sprintf("the login shell of user %q: %s: %s", user, l.err, shown), "check "+files))
	case l.read == script.Unread:
		findings = append(findings, fix(idLoginFails, area, fmt.Sprintf("a profile ends the login shell of user %q with %d, and no script runs: %s", user, l.code, shown), "correct "+files))
	case l.code != 0:
		findings = append(findings, fix(idLoginFails, area, fmt.Sprintf("the login shell of user %q ends with %d after a script that succeeded: %s", user, l.code, shown), logout))
	case shown != "":
		findings = append(findings, look(idLoginPrints, area, fmt.Sprintf("the login shell of user %q prints into every job log: %s", user, shown), "correct "+files))
	}
	if l.exports != "" { // scripts do not get them, except those of jobs without a tenant on a runner with --no-policy
		findings = append(findings, look(idLoginExports, area, fmt.Sprintf("the login shell of user %q exports %s: every job can read the files that say so", user, l.exports), "remove them from "+files))
	}
	return findings
}

// logIn runs loginScript as the user.
func logIn(ctx context.Context, a account.Account, in home) login {
	input, err := unnamed(loginScript)
	if err != nil {
		return login{err: err.Error()}
	}
	defer input.Close()
	exports, err := unnamed("") // and no pipe, which a process that stays could keep open
	if err != nil {
		return login{err: err.Error()}
	}
	defer exports.Close()
	out := &head{max: 4 * maxShown}
	code, err := runShell(ctx, a, in, shellFiles{input, exports, out})
	names, readErr := io.ReadAll(io.NewSectionReader(exports, 0, maxExports))
	l := login{out.String(), code, script.Read(input, 0), overriding(string(names)), ""}
	if err := cmp.Or(err, readErr); err != nil {
		l.err = err.Error()
	}
	l.said = strings.ReplaceAll(l.said, in.path, cmp.Or(in.source, "HOME")) // a temporary one is none of the reader's
	return l
}

// overriding returns those of the names that are AWS's settings, other than the region.
func overriding(names string) string {
	return strings.Join(slices.DeleteFunc(strings.Fields(names), func(name string) bool { return !aws.Overrides(name) }), ", ")
}

// maxExports bounds how many bytes of the names are read: a startup file can write there.
const maxExports = 16 << 10

// unnamed returns a temporary file without a name that contains text.
func unnamed(text string) (*os.File, error) {
	file, err := os.CreateTemp("", "rolecall-check-")
	if err != nil {
		return nil, err
	}
	_, writeErr := file.WriteString(text)
	_, seekErr := file.Seek(0, io.SeekStart)
	if err := errors.Join(os.Remove(file.Name()), writeErr, seekErr); err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// head keeps the first max bytes of what is written to it.
type head struct {
	bytes.Buffer

	max int
}

// Write accepts all of p, and keeps as much as there is room for.
func (h *head) Write(p []byte) (int, error) {
	_, _ = h.Buffer.Write(p[:min(len(p), max(0, h.max-h.Len()))])
	return len(p), nil
}

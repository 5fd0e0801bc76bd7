package helper_test

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/creds/external"
	"rolecall/internal/creds/external/helper"
	"rolecall/internal/fault"
	"rolecall/test/kit"
)

// answers prints a good answer.
const answers = `echo '{"version":1,"env":{"PASSWORD":"hunter2hunter2"}}'` + "\n"

// alive returns which processes are left whose ids a script has written to its file pids.
func (h *helped) alive(t *testing.T) (left []int) {
	t.Helper()
	for _, text := range strings.Fields(h.read(t, "pids")) {
		pid, err := strconv.Atoi(text)
		kit.Must(t, err)
		if unix.Kill(pid, 0) == nil {
			left = append(left, pid)
		}
	}
	return left
}

// TestHangs: a helper that does not end is killed at its deadline, with its children, those in other
// sessions too.
func TestHangs(t *testing.T) {
	h := newHelped(t, external.Rolecall, `echo $$ >> "$1/pids"
sleep 300 & echo $! >> "$1/pids"
setsid sh -c 'echo $$ >> "$0/pids"; echo lease >&2; touch "$0/up"; exec sleep 300' "$1" &
trap '' TERM
while [ ! -e "$1/up" ]; do sleep 0.01; done
echo up > "$1/ready"
sleep 300
`)
	h.terms.Timeout = 2 * time.Second
	begin := time.Now()
	err := h.refusal(t, "it hangs", fault.NoSource, "the helper did not end within 2s, and was killed")
	if took := time.Since(begin); took > 9*time.Second || took < 2*time.Second {
		t.Errorf("it took %v", took)
	}
	if left := h.alive(t); len(left) > 0 || h.read(t, "ready") != "up\n" || !strings.Contains(rows(err), "helper="+h.terms.Command[0]) {
		t.Errorf("left: %v, rows %s", left, rows(err))
	}
}

// TestDaemon: a helper may give its answer and leave a process in the background. That is killed, and
// neither the pipe that it holds nor its session keeps the job waiting.
func TestDaemon(t *testing.T) {
	h := newHelped(t, external.Rolecall, `setsid sh -c 'echo $$ >> "$0/pids"; setsid sh -c "echo \$\$ >> \"\$0/pids\"; touch \"\$0/up\"; exec sleep 300" "$0" & exec sleep 300' "$1" &
while [ ! -e "$1/up" ]; do sleep 0.01; done
`+answers)
	begin := time.Now()
	c, err := h.issue(t)
	kit.Must(t, err)
	if left := h.alive(t); len(left) > 0 || len(strings.Fields(h.read(t, "pids"))) != 2 || len(c.Env) != 1 || time.Since(begin) > 9*time.Second {
		t.Errorf("left: %v of %q, after %v", left, h.read(t, "pids"), time.Since(begin))
	}
}

// TestOthers: a process that was started before the helper lives on.
func TestOthers(t *testing.T) {
	other, err := os.StartProcess("/bin/sleep", []string{"sleep", "300"}, &os.ProcAttr{})
	kit.Must(t, err)
	_, err = newHelped(t, external.Rolecall, answers).issue(t)
	kit.Must(t, err)
	if err := other.Signal(unix.Signal(0)); err != nil {
		t.Error(err)
	}
	kit.Must(t, other.Kill())
	_, err = other.Wait()
	kit.Must(t, err)
}

// TestFloods: a helper that writes without end is killed at once.
func TestFloods(t *testing.T) {
	h := newHelped(t, external.Rolecall, `echo $$ > "$1/pids"; trap '' PIPE; while :; do head -c 1048576 /dev/zero; done`)
	h.refused(t, "1 MiB and more", fault.BadSource, "the helper writes more than 65536 bytes, and was killed")
	if left := h.alive(t); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	h = newHelped(t, external.Rolecall, "head -c 4194304 /dev/zero | tr '\\0' x >&2\n"+answers)
	c, err := h.issue(t)
	kit.Must(t, err)
	if said := c.Facts.Get(external.SaidFact); said != strings.Repeat("x", 300)+"..." {
		t.Errorf("it says %d bytes", len(said))
	}
	for script, lines := range map[string]int{"yes short | head -n 200": 51, "yes $(head -c 400 /dev/zero | tr '\\0' x) | head -n 200": 41} {
		c, err := newHelped(t, external.Rolecall, script+" >&2\n"+answers).issue(t)
		kit.Must(t, err)
		if said := strings.Split(c.Facts.Get(external.SaidFact), "\n"); len(said) != lines {
			t.Errorf("%s: it says %d lines, want %d", script, len(said), lines)
		}
	}
	h = newHelped(t, external.Rolecall, `printf '{"version":1,"env":{"PASSWORD":"hunter2hunter2"}}'; head -c 65486 /dev/zero | tr '\0' ' '`)
	_, err = h.issue(t)
	kit.Must(t, err)
}

// TestExits: how a helper ends says who must act, if it does not say so itself.
func TestExits(t *testing.T) {
	failure := func(class, exit string) string {
		return `printf %s '{"version":1,"error":{"class":"` + class + `","message":"no\nrole","help":"get one"}}'; exit ` + exit
	}
	for name, test := range map[string]struct {
		script string
		code   fault.Code
		want   string
	}{
		"1":                   {"echo sorry >&2; exit 1", fault.BadSource, "it says=sorry\n"},
		"2":                   {"exit 2", fault.NoSource, "the helper has failed (exit code 2)"},
		"3":                   {"exit 3", fault.BadSource, "the helper has failed (exit code 3)"},
		"a signal":            {"kill -9 $$", fault.BadSource, "the helper has failed (signal: killed)"},
		"1, an answer":        {answers + "exit 1", fault.BadSource, "the helper has failed (exit code 1)"},
		"the author's":        {failure("author", "1"), fault.Refused, "the helper refuses this job: no role; get one"},
		"the author's, 0":     {failure("author", "0"), fault.Refused, "the helper refuses this job: no role; get one"},
		"the admin's":         {failure("admin", "1"), fault.BadSource, "the helper gives no credential: no role; get one"},
		"infrastructure's":    {failure("infrastructure", "2"), fault.NoSource, "the helper can give no credential now: no role; get one"},
		"the author's, 3":     {failure("author", "3"), fault.BadSource, "the helper has failed (exit code 3)"},
		"no interpreter":      {"", fault.BadSource, "the helper cannot be started: "},
		"changed since":       {"", fault.BadSource, "has mode 0757, so others may write to it"},
		"an unreadable token": {"exec 0<&-; exit 3", fault.BadSource, "exit code 3"},
	} {
		h := newHelped(t, external.Rolecall, test.script)
		switch name {
		case "no interpreter":
			kit.Must(t, os.WriteFile(h.terms.Command[0], []byte("#!/nonexistent/sh\n"), 0o755))
		case "changed since":
			kit.Must(t, os.Chmod(h.terms.Command[0], 0o757))
		}
		h.refused(t, name, test.code, test.want)
	}
}

// TestSays: what a helper writes to its standard error is shown, line by line, without the job's token
// and without the secrets of the answer; what could hold secrets that nobody knows is not.
func TestSays(t *testing.T) {
	const says = `{ sed 's/.*"id_token"/asked: id_token/'; echo; printf 'got hunter2hunter2\033[31m for lease-of-the-job\n'; printf 'and hunter2hun' ; } >&2` + "\n"
	h := newHelped(t, external.Rolecall, says+`echo '{"version":1,"env":{"PASSWORD":"hunter2hunter2"},"state":"lease-of-the-job"}'`)
	c, err := h.issue(t)
	kit.Must(t, err)
	said := c.Facts.Get(external.SaidFact)
	if want := "asked: id_token:\"[MASKED]\"}\ngot [MASKED] [31m for [MASKED]\nand hunter2hun"; said != want {
		t.Errorf("it says:\n%s", said)
	}
	for name, test := range map[string]struct{ answer, want string }{
		"not in sets":    {`echo '{"version":1,"env":{"OTHER":"hunter2hunter2"}}'`, "got [MASKED] "},
		"a failure":      {"exit 1", "got hunter2hunter2 "}, // the helper has given nothing
		"prints nothing": {"true", "got hunter2hunter2 "},
		"not readable":   {"echo 'PASSWORD=hunter2hunter2'", ""},
		"another format": {`echo '{"version":2,"env":{"PASSWORD":"hunter2hunter2"}}'`, ""},
		"fails after it": {answers + "exit 1", ""},
		"too short":      {`echo '{"version":1,"env":{"PASSWORD":"hunter2"}}'`, ""},
	} {
		err := newHelped(t, external.Rolecall, says+test.answer).refusal(t, name, fault.BadSource, test.want)
		if got := strings.Contains(rows(err), "it says="); got != (test.want != "") || strings.Contains(rows(err), token) {
			t.Errorf("%s: rows\n%s", name, rows(err))
		}
	}
}

// TestRevokeHangs: a helper that does not revoke in the time of its caller is killed.
func TestRevokeHangs(t *testing.T) {
	h := newHelped(t, external.Rolecall, `if grep -q revoke; then echo $$ > "$1/pids"; sleep 300; fi
echo '{"version":1,"env":{"PASSWORD":"hunter2hunter2"},"state":"x"}'`)
	_, err := h.issue(t)
	kit.Must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for {
			if content, _ := os.ReadFile(h.dir + "/pids"); len(content) > 0 {
				cancel()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	err = helper.Provider{}.Revoke(ctx, []byte(h.held[0].Terms.Reveal()))
	if fault.CodeOf(err) != fault.NoSource || !strings.Contains(err.Error(), "the helper did not end in time, and was killed") || len(h.alive(t)) > 0 {
		t.Errorf("%v, left %v", err, h.alive(t))
	}
}

package message_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"rolecall/internal/fault"
	"rolecall/internal/message"
	"rolecall/internal/version"
)

// check compares a message with the lines that it must have.
func check(t *testing.T, name, got string, want ...string) {
	t.Helper()
	if text := strings.ReplaceAll(strings.Join(want, "\n")+"\n", "VERSION", version.Version); got != text {
		t.Errorf("%s:\n%q, want\n%q", name, got, text)
	}
}

// denied is an error with all that a message can show.
func denied() error {
	err := fault.New(fault.AccessDenied, errors.New("AWS refuses the role"), "let the policy allow it; add:\n\"a\": {\n  \"b\": 1 }").
		With("who acts", "the owner of account 7").With("role", "arn:role").With("empty", "").With("this job", "sub  x\naud  y")
	err.Trace = "AWS request id 4d7d"
	return err
}

func TestError(t *testing.T) {
	t.Parallel()
	check(t, "all", message.Case{Job: "1015"}.Error(denied()),
		"rolecall: AWS refuses the role",
		"  who acts   the owner of account 7",
		"  role       arn:role",
		"  this job   sub  x",
		"             aud  y",
		"  fix        let the policy allow it; add:",
		"               \"a\": {",
		"                 \"b\": 1 }",
		"  AWS request id 4d7d · job 1015 · rolecall VERSION · RC203")
	check(t, "wrapped", message.Case{}.Error(fmt.Errorf("tenant %q: %w", "a", fault.New(fault.NoToken, errors.New("no token"), "add it"))),
		"rolecall: tenant \"a\": no token", "  who acts   the author of the pipeline", "  fix        add it", "  rolecall VERSION · RC101")
	check(t, "lines", message.Case{}.Error(errors.New("one\ntwo\n\nthree")),
		"rolecall: one", "  who acts   nobody yet: run the job again; if that fails too, the runner's admin",
		"  more       two", "             ", "             three", "  rolecall VERSION · RC500")
	check(t, "colours", message.Case{Job: "7", Colours: true}.Error(fault.New(fault.BadFlags, errors.New("x"), "")),
		"\x1b[31;1mrolecall: x\x1b[0m", "  who acts   the runner's admin (not the pipeline)", "\x1b[2m  job 7 · rolecall VERSION · RC301\x1b[0m")
}

// TestLongHead: a head that is too long ends at a colon, and the rest is a row.
func TestLongHead(t *testing.T) {
	t.Parallel()
	const admin, nobody = "  who acts   the runner's admin (not the pipeline)", "  who acts   nobody yet: run the job again; if that fails too, the runner's admin"
	const words = "b c d"
	long := strings.Repeat("ä", message.Longest-3)
	err := fault.New(fault.BadFlags, errors.New("no: entry"), "y").With("z", "1").Detail("d", "2")
	check(t, "short enough", message.Case{}.Error(errors.New(long+": 1")), "rolecall: "+long+": 1", nobody, "  rolecall VERSION · RC500")
	check(t, "too long", message.Case{}.Error(fmt.Errorf("a: %s: %w", words+long, err)),
		"rolecall: a: "+words+long, admin, "  why        no: entry", "  z          1", "  d          2", "  fix        y", "  rolecall VERSION · RC301")
	check(t, "a name before it", message.Case{}.Error(fmt.Errorf("tenant b: %s: %w", long, err)),
		"rolecall: tenant b: "+long, admin, "  why        no: entry", "  z          1", "  d          2", "  fix        y", "  rolecall VERSION · RC301")

	check(t, "words before it", message.Case{}.Error(errors.New(words+": "+long)), "rolecall: "+words, nobody, "  why        "+long, "  rolecall VERSION · RC500")
	check(t, "no colon", message.Case{}.Error(errors.New(long+long)), "rolecall: "+long+long, nobody, "  rolecall VERSION · RC500")
	check(t, "a colon at its end", message.Case{}.Error(errors.New(long+"abc:")), "rolecall: "+long+"abc:", nobody, "  rolecall VERSION · RC500")
}

// TestAdvice: what errors of lower rooms say after a semicolon is what to do, if the error
// does not say otherwise.
func TestAdvice(t *testing.T) {
	t.Parallel()
	for what, want := range map[string]string{
		"x: y; z":           "rolecall: x: y\n  who acts   nobody: the runner tries again (try 1 of 3)\n  fix        z\n",
		`"x; y" is in; z`:   "rolecall: \"x; y\" is in\n  who acts   nobody: the runner tries again (try 1 of 3)\n  fix        z\n",
		`open "x; y": none`: "rolecall: open \"x; y\": none\n  who acts   nobody: the runner tries again (try 1 of 3)\n  rolecall ",
	} {
		if got := (message.Case{Try: 1}).Error(errors.New(what)); !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	got := message.Case{}.Error(fault.New(fault.BadUser, errors.New("x; y"), "z"))
	check(t, "both", got, "rolecall: x; y", "  who acts   the runner's admin (not the pipeline)", "  fix        z", "  rolecall VERSION · RC306")
}

// TestJoined: joined errors are messages of their own, however they were joined. An error
// that quotes others in one line is one message.
func TestJoined(t *testing.T) {
	t.Parallel()
	a, b := fault.New(fault.NoToken, errors.New("a"), "x"), fault.New(fault.BadFlags, errors.New("b"), "")
	got := message.Case{}.Error(errors.Join(a, errors.Join(b, errors.New("c"))))
	for _, want := range []string{"rolecall: a\n", "RC101\nrolecall: b\n", "RC301\nrolecall: c\n", "RC500\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q has no %q", got, want)
		}
	}
	if got := (message.Case{}).Error(fmt.Errorf("%w and %w", a, b)); strings.Count(got, "who acts") != 1 {
		t.Errorf("an error in one line is %q", got)
	}
}

// TestWhoActs: who must act follows from the code, the contact and the try.
func TestWhoActs(t *testing.T) {
	t.Parallel()
	what := errors.New("x")
	for _, test := range []struct {
		c    message.Case
		err  error
		want string
	}{
		{message.Case{Contact: "#ci"}, fault.New(fault.Refused, what, ""), "the author of the pipeline"},
		{message.Case{Contact: "#ci"}, fault.New(fault.RegionOff, what, ""), "the owner of the AWS account (not the pipeline)"},
		{message.Case{Contact: "#ci"}, fault.New(fault.BadPolicy, what, ""), "the runner's admin, #ci (not the pipeline)"},
		{message.Case{}, fault.New(fault.BadPolicy, syscall.ENOSPC, ""), "nobody yet: run the job again; if that fails too, the runner's admin"},
		{message.Case{Contact: "#ci"}, what, "nobody yet: run the job again; if that fails too, the runner's admin, #ci"},
		{message.Case{Try: 1}, what, "nobody: the runner tries again (try 1 of 3)"},
		{message.Case{Try: 2}, what, "nobody: the runner tries again (try 2 of 3)"},
		{message.Case{Try: 3, Contact: "#ci"}, what, "the runner's admin, #ci: all 3 tries have failed"},
	} {
		if got := test.c.Error(test.err); !strings.Contains(got, "\n  who acts   "+test.want+"\n") {
			t.Errorf("%+v, %v: %q, want %q", test.c, test.err, got, test.want)
		}
	}
}

func TestOtherLines(t *testing.T) {
	t.Parallel()
	err := fault.New(fault.NoAnswer, errors.New("x"), "y")
	check(t, "again", message.Case{Try: 2}.Again(err), "rolecall: try 2 of 3 has failed like the one before (RC502)")
	check(t, "the last", message.Case{Try: 3}.Again(err), "rolecall: try 3 of 3 has failed like the one before (RC502): the runner's admin: all 3 tries have failed")
	check(t, "warning", message.Case{Colours: true}.Warning("look"), "\x1b[33mrolecall: warning: look\x1b[0m")
	check(t, "note", message.Note("look"), "rolecall: look")
}

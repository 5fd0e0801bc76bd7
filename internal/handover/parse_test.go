package handover_test

import (
	"fmt"
	"strings"
	"testing"

	"rolecall/internal/handover"
	"rolecall/test/kit"
)

// texts returns values as NAME=value, with a * where they are secrets.
func texts(values []handover.Value) string {
	var all []string
	for _, v := range values {
		text := v.Name + "=" + v.Value.Reveal()
		if v.Secret {
			text += "*"
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

// files returns the two files of a script.
func files(plain, secret string) []handover.File {
	return []handover.File{{Name: handover.Out, Content: []byte(plain)}, {Name: handover.SecretOut, Content: []byte(secret), Secret: true}}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ plain, secret, want string }{
		"nothing":             {"", "", ""},
		"empty lines":         {"\n\r\n\n", "\n", ""},
		"both":                {"VERSION=1.2\n", "DB_URL=postgres://u:p@h/d?a=b\n", "DB_URL=postgres://u:p@h/d?a=b* VERSION=1.2"},
		"no final newline":    {"A=1\nB=2", "", "A=1 B=2"},
		"CRLF":                {"A=1\r\nB=2\r\n", "", "A=1 B=2"},
		"as it stands":        {"A=\"x\"\nB= y \nC='$(id)'\nD==", "", "A=\"x\" B= y  C='$(id)' D=="},
		"lower case":          {"TF_VAR_db=x\nkey=1", "", "TF_VAR_db=x key=1"},
		"twice, one value":    {"A=1\nA=1\n", "", "A=1"},
		"in both, one value":  {"A=longenough\n", "A=longenough\n", "A=longenough*"},
		"the shortest secret": {"", "A=12345678", "A=12345678*"},
		"the longest value":   {"A=" + strings.Repeat("x", 16<<10), "", "A=" + strings.Repeat("x", 16<<10)},
		"as many as may be":   {lines(handover.MaxValues), "", strings.TrimSpace(strings.ReplaceAll(lines(handover.MaxValues), "\n", " "))},
	} {
		got, err := handover.Parse(files(test.plain, test.secret), nil)
		if err != nil || texts(got) != test.want {
			t.Errorf("%s: %q, %v, want %q", name, texts(got), err, test.want)
		}
	}
}

// lines returns n values, one a line.
func lines(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "A%03d=x\n", i)
	}
	return text.String()
}

// TestParseRefuses: what is wrong is named, nothing of a value is, and nothing counts.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const value = "hunter2hunter2"
	for want, test := range map[string]struct{ plain, secret string }{
		"line 2 of the file of ROLECALL_OUT: want NAME=value":                                                                                {"A=1\n" + value, ""},
		"line 3 of the file of ROLECALL_OUT: A comes twice, with two values":                                                                 {"A=1\nB=1\nA=" + value, ""},
		"A comes twice, with two values":                                                                                                     {"A=12345678", "A=" + value},
		"line 1 of the file of ROLECALL_OUT: the name of a variable is not made":                                                             {"=" + value, ""},
		"line 1 of the file of ROLECALL_OUT: the name of a variable is not made of":                                                          {"A =" + value, ""},
		"line 1 of the file of ROLECALL_OUT: the name of a variable is not made of letters":                                                  {"export A=" + value, ""},
		"line 1 of the file of ROLECALL_OUT: the name of a variable is not made of letters A":                                                {"#A=" + value, ""},
		"line 1 of the file of ROLECALL_OUT: the name of a variable is not made of letters A-":                                               {"1A=" + value, ""},
		"line 1 of the file of ROLECALL_OUT: the name of a variable is not made of letters A-Z":                                              {"\ufeffA=" + value, ""},
		"line 1 of the file of ROLECALL_OUT: the value of A has 0 bytes":                                                                     {"A=", ""},
		"line 1 of the file of ROLECALL_OUT: the value of A has 16385 bytes":                                                                 {"A=" + strings.Repeat("x", 16<<10+1), ""},
		"the file of ROLECALL_OUT has more than 65536 bytes":                                                                                 {"A=" + strings.Repeat("x", 70<<10), ""},
		"line 1 of the file of ROLECALL_OUT: the value of A has a control character":                                                         {"A=" + value + "\x1b[0m", ""},
		"line 1 of the file of ROLECALL_OUT: the value of A has a line break":                                                                {"A=" + value + "\rB=1", ""},
		"the file of ROLECALL_OUT is not text in UTF-8":                                                                                      {"A=" + value + "\x00", ""},
		"the file of ROLECALL_SECRET_OUT is not text in UTF-8":                                                                               {"", "A=" + value + "\xff"},
		"line 1 of the file of ROLECALL_SECRET_OUT: the value of A has 7 bytes: a secret must":                                               {"", "A=hunter2"},
		"line 1 of the file of ROLECALL_OUT: variable PATH has a meaning to shells":                                                          {"PATH=" + value, ""},
		"line 1 of the file of ROLECALL_OUT: variable LD_PRELOAD has a meaning":                                                              {"LD_PRELOAD=" + value, ""},
		"line 1 of the file of ROLECALL_OUT: variable BASH_ENV has a meaning":                                                                {"BASH_ENV=" + value, ""},
		"line 1 of the file of ROLECALL_OUT: variable GIT_SSH_COMMAND could change how a script or a tool runs, as all that begin with GIT_": {"GIT_SSH_COMMAND=" + value, ""},
		"line 1 of the file of ROLECALL_OUT: variable AWS_PROFILE could change":                                                              {"AWS_PROFILE=" + value, ""},
		"line 1 of the file of ROLECALL_SECRET_OUT: variable CI_JOB_TOKEN could change":                                                      {"", "CI_JOB_TOKEN=" + value},
		"line 1 of the file of ROLECALL_OUT: variable https_proxy could change how a script or a tool runs":                                  {"https_proxy=" + value, ""},
		"line 1 of the file of ROLECALL_OUT: variable PGPASSWORD belongs to the credentials of the tenant":                                   {"PGPASSWORD=" + value, ""},
		"a job can hand over 100 values, and this one has 101":                                                                               {lines(handover.MaxValues + 1), ""},
	} {
		got, err := handover.Parse(files(test.plain, test.secret), []string{"PG*"})
		if err == nil || !strings.HasPrefix(err.Error(), want) || got != nil {
			t.Errorf("%q, %v, want %s", texts(got), err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error holds the value: %v", err)
		}
	}
}

// FuzzParse: what Parse returns is what Decode takes, and no error has a value.
func FuzzParse(f *testing.F) {
	f.Add("A=1\r\nB=2", "C=12345678")
	f.Add("A", "=\n\n")
	f.Fuzz(func(t *testing.T, plain, secret string) {
		got, err := handover.Parse(files(plain, secret), nil)
		if err != nil {
			return
		}
		p := handover.Parcel{Values: got}
		back, err := handover.Decode(handover.Encode(p), p.Scope)
		kit.Must(t, err)
		if texts(back.Values) != texts(got) {
			t.Errorf("%q became %q", texts(got), texts(back.Values))
		}
	})
}

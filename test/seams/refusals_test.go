package seams_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOverride: a variable of the job that would win over the word is refused, and
// nothing is left.
func TestOverride(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	j := w.newJob(t, "both", map[string]string{"TOY_WORD": "x"})
	j.configure(t)
	const want = "rolecall: error [RC106]: variables of the job would override its tenant's credentials; remove"
	if got := j.serve(w.prepare()); got.code != 1 || got.out != "" || !strings.HasPrefix(got.log, want) {
		t.Errorf("prepare: %+v, want %q", got, want)
	}
	if events := w.events(t); len(events) != 1 || *events[0].Allowed || events[0].Tenant != "both" || len(w.sts.Requests()) > 0 {
		t.Errorf("the audit log has %+v, and STS was asked %d times", events, len(w.sts.Requests()))
	}
	if _, err := os.Stat(filepath.Join(w.dir, "root", j.id)); !os.IsNotExist(err) {
		t.Errorf("the folder of the job: %v, want none", err)
	}
}

// TestPolicyErrors: what is wrong with a key of the toy is reported with its line.
func TestPolicyErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ from, to, want string }{
		{`"thelastword"`, `"short"`, `rolecall.toml:12: [toy] ending: want 8 letters or more`},
		{`"thefirstword"`, `"no"`, `rolecall.toml:18: tenant "toys": toy_word: want 8 letters or more`},
		{`"thefirstword"`, `7`, `rolecall.toml:18: toy_word: want a text in quotes`},
		{`toy_word = "these`, `toy_wrod = "these`, `rolecall.toml:23: unknown key "toy_wrod" in [tenant]`},
		{`[toy]`, `[tyo]`, `rolecall.toml:11: unknown table "tyo"; known are gitlab, sts, toy, gate, containers, handover, defaults and tenant`},
	} {
		w := newWorld(t)
		w.write(t, "rolecall.toml", strings.Replace(w.read("rolecall.toml"), test.from, test.to, 1))
		j := w.newJob(t, "toys", nil)
		if got := j.serve(w.config()); got.code != 1 || got.out != "" || !strings.HasPrefix(got.log, "rolecall: error [RC303]: policy file: ") || !strings.Contains(got.log, test.want) {
			t.Errorf("%s: %+v, want %q", test.to, got, test.want)
		}
	}
}

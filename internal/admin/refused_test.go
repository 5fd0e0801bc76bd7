package admin_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestRefused: jobs that got nothing are listed and counted, as far back as is asked for.
func TestRefused(t *testing.T) {
	t.Parallel()
	path := story(t)
	type answer struct {
		Refused []struct{ Reason, Ref string } `json:"refused"`
		Counts  []struct {
			Tenant, Rule, Code string
			Count              int
		} `json:"counts"`
	}
	for args, want := range map[string]string{
		"":                         "3 [{alpha refs RC103 2} {beta  RC101 1}]",
		"--since 3d":               "4 [{alpha refs RC103 2} {alpha projects RC103 1} {beta  RC101 1}]",
		"--since 1h --tenant beta": "1 [{beta  RC101 1}]",
		"--since 1m":               "0 []",
	} {
		var a answer
		got := ask(t, path, &a, append([]string{"refused"}, strings.Fields(args)...)...)
		if have := fmt.Sprint(len(a.Refused), " ", a.Counts); got.code != 0 || have != want {
			t.Errorf("refused %s: exit code %d, %s, want %s\n%s", args, got.code, have, want, got.out)
		}
	}
	got := ask(t, path, new(any), "refused")
	for _, want := range []string{
		`TIME         JOB          PROJECT                   REF               TENANT       RULE OR CODE`,
		`  1043         acme/shop                 a\x1b]0;x\a\u00…  alpha        refs`, `  beta         RC101`,
		"\n    tenant \"alpha\" refuses this job: rule refs: \\x1b[31mthe ref is not", "COUNT  TENANT  RULE  CODE\n2      alpha   refs  RC103\n1      beta    -     RC101\n", "\n3 decisions since ",
	} {
		if !strings.Contains(strings.ReplaceAll(got.out, `\"`, `"`), want) {
			t.Errorf("no %q in\n%s", want, got.out)
		}
	}
	if got := run("", "refused", "--since", "1m", "--log", path); !strings.Contains(got.out, "no job was refused since ") {
		t.Errorf("%+v", got)
	}
	for _, since := range []string{"0h", "-1h", "0d", "d", "1.5d", "40000d", "week"} {
		if got := run("", "refused", "--since", since, "--log", path); got.code != 2 || !strings.Contains(got.errors, "want a duration above 0, such as 24h or 7d") {
			t.Errorf("--since %s: %+v", since, got)
		}
	}
}

// TestJob: all that a log has of a job is shown, and jobs of two servers apart.
func TestJob(t *testing.T) {
	t.Parallel()
	path := story(t)
	var a struct {
		Jobs []struct {
			Issuer string `json:"iss"`
			Events []struct{ Event string }
		}
	}
	got := ask(t, path, &a, "job", "1042")
	if have := fmt.Sprint(a.Jobs); got.code != 0 || have != "[{https://gitlab.example.com [{decision} {issued} {renewed} {masked} {ended}]} {https://other.example.com [{issued}]}]" {
		t.Errorf("exit code %d: %s\n%s", got.code, have, got.out)
	}
	for _, want := range []string{
		"job             1042 of https://gitlab.example.com\n", "job             1042 of https://other.example.com\n", "hosts           ci-1\n",
		"  allowed: tenant alpha, by projects acme/shop; refs main\n", "  issued: aws ASIA1 GitLabRunner-22-301-1042\n", "  renewed: logs of aws ASIA2 ", "  masked 3 times, in step_script\n", "  ended, by cleanup\n",
	} {
		if !strings.Contains(got.out, want) {
			t.Errorf("no %q in\n%s", want, got.out)
		}
	}
	got = ask(t, path, new(any), "job", "1043")
	if got.code != 0 || !strings.Contains(got.out, `  got nothing [RC103 author]: tenant \"alpha\" refuses this job`) {
		t.Errorf("%+v", got)
	}
	if got := ask(t, path, new(any), "job", "104"); got.code != 1 || !strings.Contains(got.out, "the log has no line about job 104\n") {
		t.Errorf("%+v", got)
	}
}

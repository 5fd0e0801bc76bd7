package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// answer is what the commands of rolecall that ask the audit log print, as far as the test looks.
type answer struct {
	Jobs     []told
	Sessions []session
	Valid    []session `json:"valid_without_job"`
	Refused  []struct {
		ID   string `json:"job_id"`
		Rule string `json:"rule"`
	} `json:"refused"`
}

// told is a job in an answer.
type told struct {
	ID     string   `json:"job_id"`
	Tenant string   `json:"tenant"`
	Stage  string   `json:"stage"`
	Keys   []string `json:"access_key_ids"`
	Events []struct {
		Event string `json:"event"`
	} `json:"events"`
}

// session is a session in an answer.
type session struct {
	ID  string                  `json:"job_id"`
	Key string                  `json:"access_key_id"`
	End *struct{ Event string } `json:"end"`
}

// ask runs a command of rolecall, which must succeed.
func (p *policyWorld) ask(t *testing.T, args ...string) answer {
	t.Helper()
	programs, err := lab.Binaries()
	kit.Must(t, err)
	cmd := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(programs.Run), "rolecall"), append(args, "--json", "--config", p.policy)...)
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v\n%s", args, err, out)
	}
	var a answer
	kit.Must(t, json.Unmarshal(out, &a))
	return a
}

// TestQuestions: a job that runs is among the jobs that are in now, with its key and its stage, and
// none that has ended; its key leads to it; what has happened to it is told, and who was refused.
func TestQuestions(t *testing.T) {
	t.Parallel()
	p := newPolicyWorld(t)
	end := filepath.Join(t.TempDir(), "end")
	run := p.enqueue(sharedToken, p.alpha("echo THE SCRIPT RUNS", "until [ -e "+end+" ]; do sleep 0.1; done"))
	untilLog(t, run, "THE SCRIPT RUNS")
	id := fmt.Sprint(run.ID())
	now := p.ask(t, "sessions")
	i := slices.IndexFunc(now.Jobs, func(j told) bool { return j.ID == id })
	if i < 0 || now.Jobs[i].Tenant != "alpha" || len(now.Jobs[i].Keys) != 1 || !strings.HasSuffix(now.Jobs[i].Stage, "_script") {
		t.Fatalf("job %s in %+v", id, now.Jobs)
	}
	key := now.Jobs[i].Keys[0]
	if who := p.ask(t, "who", key); len(who.Sessions) != 1 || who.Sessions[0].ID != id || who.Sessions[0].End != nil {
		t.Errorf("who %s: %+v", key, who.Sessions)
	}
	kit.Must(t, os.WriteFile(end, nil, 0o600))
	wait(t, run)
	p.awaitKinds(t, run, "decision issued ended")
	p.settle(t)
	refused := p.alpha("true")
	refused.Ref = "feature"
	rejected := p.enqueue(sharedToken, refused)
	wait(t, rejected)
	p.checkAnswers(t, run, rejected, key)
}

// checkAnswers asks about a job that has ended, which had a key, and about one that was refused.
func (p *policyWorld) checkAnswers(t *testing.T, run, rejected *coordinator.Run, key string) {
	t.Helper()
	id := fmt.Sprint(run.ID())
	after := p.ask(t, "sessions", "--all")
	for _, j := range after.Jobs {
		if j.ID == id {
			t.Errorf("job %s has ended, and is in: %+v", id, after.Jobs)
		}
	}
	for what, sessions := range map[string][]session{"sessions --all": after.Valid, "who": p.ask(t, "who", key).Sessions} {
		if len(sessions) != 1 || sessions[0].Key != key || sessions[0].End == nil || sessions[0].End.Event != "ended" {
			t.Errorf("%s: %+v", what, sessions)
		}
	}
	if story := p.ask(t, "job", id).Jobs; len(story) != 1 || fmt.Sprint(story[0].Events) != "[{decision} {issued} {ended}]" {
		t.Errorf("%+v", story)
	}
	if all := p.ask(t, "refused").Refused; len(all) != 1 || all[0].ID != fmt.Sprint(rejected.ID()) || all[0].Rule != "refs" {
		t.Errorf("%+v", all)
	}
}

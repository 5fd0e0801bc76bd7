package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"rolecall/internal/audit/reading"
)

const (
	auditRounds = 3
	auditJob    = "4711"
	auditLimit  = 2  // times zgrep, for each time that a question reads the log
	auditMemory = 64 // MiB
)

// auditLog compares questions about a job, in a log of 2 GiB that logrotate has rotated, with zgrep:
// their time of the CPU, and the memory that they have at most.
func (b bencher) auditLog(ctx context.Context) ([]result, error) {
	log, err := makeRotated(b.dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.remove() }() // the folder is removed anyway
	policy := filepath.Join(b.dir, "audit.toml")
	text := fmt.Sprintf("audit_log = %q\n[gitlab]\nissuer = %q\n[[tenant]]\nname = \"alpha\"\nrole_arn = %q\naudience = %q\nprojects = [\"acme/*\"]\n", log.path, auditIssuer, role, audience)
	if err := os.WriteFile(policy, []byte(text), 0o600); err != nil {
		return nil, err
	}
	questions := [][]string{{"job", auditJob}, {"explain", "--job-id", auditJob}, {"who", auditJob}}
	reads := []float64{1, 1, 2} // who looks for sessions, then for their ends
	peaks := make([]sample, len(questions))
	contenders := []contender{log.zgrep}
	for i, question := range questions {
		args := append(append([]string{}, question...), "--json", "--config", policy, "--log", log.path)
		contenders = append(contenders, func(ctx context.Context) (time.Duration, error) {
			took, peak, err := b.ask(ctx, args)
			peaks[i] = append(peaks[i], peak)
			return took, err
		})
	}
	samples, err := compare(ctx, auditRounds, contenders...)
	if err != nil {
		return nil, err
	}
	var results []result
	for i, question := range questions {
		what := "rolecall " + strings.Join(question, " ")
		results = append(results,
			result{what: what + " in 2 GiB of audit log", times: samples[i+1], against: "zgrep, time of the CPU", base: samples[0], limit: auditLimit * reads[i]},
			result{what: "its memory, in units of a MiB", times: peaks[i], against: fmt.Sprintf("%d MiB", auditMemory), base: sample{auditMemory * time.Millisecond}, limit: 1})
	}
	return results, nil
}

// ask lets the program answer a question, whose answer must have all that the log has. It returns the
// time of the CPU, and the memory that the program had at most, in MiB as milliseconds.
func (b bencher) ask(ctx context.Context, args []string) (took, peak time.Duration, err error) {
	cmd := exec.CommandContext(ctx, b.programs.Admin, args...)
	var answer, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &answer, &problems
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	ended := make(chan struct{})
	go func() { err = cmd.Wait(); close(ended) }()
	peak = highest(cmd.Process.Pid, ended)
	if err != nil && cmd.ProcessState.ExitCode() != 1 { // 1: today's policy file refuses the job
		return 0, 0, fmt.Errorf("%s: %w: %s", cmd, err, &problems)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), peak, check(answer.Bytes())
}

// highest returns the memory that a process had at most before it ended. The kernel keeps that, and what
// it says of a child that has ended counts its parent too: so it is asked all the time.
func highest(pid int, ended chan struct{}) (peak time.Duration) {
	for {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // it may have ended
		_, rest, _ := strings.Cut(string(status), "\nVmHWM:")
		kib, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		if n, err := strconv.Atoi(kib); err == nil {
			peak = max(peak, time.Duration(n)*time.Millisecond/1024)
		}
		select {
		case <-ended:
			return peak
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// check fails unless an answer knows the job of each of the files, and that lines could not be read.
func check(answer []byte) error {
	var all struct {
		Jobs []struct {
			Events  []json.RawMessage
			Decided *json.RawMessage
		}
		Sessions []json.RawMessage
		Log      struct{ Unread reading.Unread }
	}
	if err := json.Unmarshal(answer, &all); err != nil {
		return fmt.Errorf("%w: %.200s", err, answer)
	}
	found := len(all.Sessions) == rotatedFiles
	if len(all.Jobs) == 1 {
		found = (len(all.Jobs[0].Events) == 2*rotatedFiles || all.Jobs[0].Decided != nil) && all.Log.Unread.Cut > 0 && all.Log.Unread.Foreign > 0
	}
	if !found {
		return fmt.Errorf("the answer lacks lines: %.500s", answer)
	}
	return nil
}

// zgrep looks for the job.
func (l rotated) zgrep(ctx context.Context) (time.Duration, error) {
	return cpu(exec.CommandContext(ctx, "zgrep", append([]string{"-hF", string(reading.Field("job_id", auditJob))}, l.files()...)...))
}

// cpu runs a command and returns how much time of the CPU it took, with its children.
func cpu(cmd *exec.Cmd) (time.Duration, error) {
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%s: %w", cmd, err)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// remove removes the files.
func (l rotated) remove() (err error) {
	for _, path := range l.files() {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

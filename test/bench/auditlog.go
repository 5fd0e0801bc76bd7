package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/gzip"

	"rolecall/internal/audit"
	"rolecall/internal/audit/reading"
)

const (
	auditSize   = 512 << 20 // of each of two files, one of them compressed
	auditRounds = 5
	auditJob    = "4711"
	auditLimit  = 2         // times zgrep
	findMode    = "-find"   // this program as a reader that looks for the lines of auditJob
	newestMode  = "-newest" // the same, the newest first
)

// finder is the program in one of these modes. Its input is the path of the log.
func finder(mode string) error {
	var path string
	if _, err := fmt.Fscan(os.Stdin, &path); err != nil {
		return err
	}
	log, err := reading.Open(path)
	if err != nil {
		return err
	}
	defer log.Close()
	read, n := log.Oldest, 0
	if mode == newestMode {
		read = log.Newest
	}
	for e := range read(reading.Filter{Any: [][]byte{reading.Field("job_id", auditJob)}}) {
		if e.JobID == auditJob {
			n++
		}
	}
	if n != 2 || log.Unread().Lines() > 0 {
		return fmt.Errorf("%d lines, want 2: %+v", n, log.Unread())
	}
	return log.Err()
}

// auditLog compares a search for a job in a log of a gigabyte with zgrep.
func (b bencher) auditLog(ctx context.Context) ([]result, error) {
	path := filepath.Join(b.dir, "audit.jsonl")
	if err := errors.Join(writeAudit(path, false), writeAudit(path+".1.gz", true)); err != nil {
		return nil, err
	}
	defer func() { _ = errors.Join(os.Remove(path), os.Remove(path+".1.gz")) }() // the folder is removed anyway
	find := func(mode string) func(context.Context) (time.Duration, error) {
		return func(ctx context.Context) (time.Duration, error) { return b.searched(ctx, mode, path) }
	}
	zgrep := func(ctx context.Context) (time.Duration, error) {
		return cpu(exec.CommandContext(ctx, "zgrep", "-hF", string(reading.Field("job_id", auditJob)), path+".1.gz", path))
	}
	samples, err := compare(ctx, auditRounds, find(findMode), find(newestMode), zgrep)
	if err != nil {
		return nil, err
	}
	against := "zgrep, time of the CPU"
	return []result{
		{what: "a job in 1 GiB of audit log", times: samples[0], against: against, base: samples[2], limit: auditLimit},
		{what: "the same, the newest first", times: samples[1], against: against, base: samples[2], limit: auditLimit},
	}, nil
}

// searched measures a finder.
func (b bencher) searched(ctx context.Context, mode, path string) (time.Duration, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	given := filepath.Join(b.dir, "path")
	if err := os.WriteFile(given, []byte(path), 0o600); err != nil {
		return 0, err
	}
	in, err := os.Open(given)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	cmd := exec.CommandContext(ctx, self, mode)
	cmd.Stdin, cmd.Stderr = in, os.Stderr
	return cpu(cmd)
}

// cpu runs a command and returns how much time of the CPU it took, with its children.
func cpu(cmd *exec.Cmd) (time.Duration, error) {
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%s: %w", cmd, err)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// writeAudit writes a file of an audit log.
func writeAudit(path string, compressed bool) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if !compressed {
		return auditLines(f)
	}
	z := gzip.NewWriter(f)
	return errors.Join(auditLines(z), z.Close())
}

// auditLines writes lines like those of real jobs.
func auditLines(to io.Writer) error {
	w := bufio.NewWriter(to)
	e := audit.Event{
		Event: audit.Issued, Host: "ci-1", Program: "prepare", Version: "0.1.0", Allowed: new(true), Rule: "projects acme/shop; refs main", Tenant: "alpha",
		RoleARN: "arn:aws:iam::111122223333:role/deploy-alpha", RoleSessionName: "GitLabRunner-22-301-1042", PipelineID: "301", ProjectID: "22", ProjectPath: "acme/shop",
		JobProjectID: "22", JobProjectPath: "acme/shop", Ref: "main", RefType: "branch", RefProtected: "true", UserID: "7", UserLogin: "jane", RunnerID: "5", Issuer: "https://gitlab.example.com",
	}
	now := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	for id, size := 1000, 0; size < auditSize; id++ {
		e.Time, e.JobID = now.Add(time.Duration(id)*time.Second), fmt.Sprint(id)
		e.TokenID, e.AccessKeyID = fmt.Sprintf("%x", id*id*7919), fmt.Sprintf("ASIA%016X", id*id*104729)
		line, err := json.Marshal(e)
		if err != nil {
			return err
		}
		n, err := w.Write(append(line, '\n'))
		if err != nil {
			return err
		}
		size += n
	}
	return w.Flush()
}

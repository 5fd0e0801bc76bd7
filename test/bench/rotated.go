package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/gzip"

	"rolecall/internal/audit"
)

const (
	rotatedFiles = 4
	rotatedSize  = 512 << 20 // of each, before it is compressed
	auditIssuer  = "https://gitlab.example.com"
	oddEvery     = 1000 // lines are cut, foreign or no JSON
)

// rotated is an audit log that logrotate has rotated: it compresses a file a turn late.
type rotated struct{ path string }

// files returns the files of the log, the oldest first.
func (l rotated) files() []string {
	return []string{l.path + ".3.gz", l.path + ".2.gz", l.path + ".1", l.path}
}

// makeRotated writes a log below the folder dir. All of its files have the same lines.
func makeRotated(dir string) (rotated, error) {
	l := rotated{filepath.Join(dir, "audit.jsonl")}
	plain, err := os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return l, err
	}
	defer plain.Close()
	packed, err := os.OpenFile(l.path+".2.gz", os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return l, err
	}
	defer packed.Close()
	z := gzip.NewWriter(packed)
	if err := errors.Join(auditLines(io.MultiWriter(plain, z)), z.Close()); err != nil {
		return l, err
	}
	return l, errors.Join(copyFile(l.path, l.path+".1"), copyFile(l.path+".2.gz", l.path+".3.gz"))
}

// copyFile copies a file.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// auditLines writes lines like those of real jobs, and some that are none.
func auditLines(to io.Writer) error {
	w := bufio.NewWriter(to)
	e := audit.Event{
		Host: "ci-1", Program: "prepare", Version: "0.1.0", Allowed: new(true), Rule: "projects acme/shop; refs main", Tenant: "alpha",
		RoleARN: "arn:aws:iam::111122223333:role/deploy-alpha", RoleSessionName: "GitLabRunner-22-301-1042", PipelineID: "301", ProjectID: "22", ProjectPath: "acme/shop",
		JobProjectID: "22", JobProjectPath: "acme/shop", Ref: "main", RefType: "branch", RefProtected: "true", UserID: "7", UserLogin: "jane", RunnerID: "5", Issuer: auditIssuer,
	}
	now := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	for id, size := 1000, 0; size < rotatedSize; id++ {
		e.Time, e.JobID = now.Add(time.Duration(id)*time.Second), fmt.Sprint(id)
		e.TokenID, e.AccessKeyID = fmt.Sprintf("%x", id*id*7919), fmt.Sprintf("ASIA%016X", id*id*104729)
		for _, e.Event = range []audit.Kind{audit.Decision, audit.Issued} {
			line, err := json.Marshal(e)
			if err != nil {
				return err
			}
			n, err := w.Write(append(line, odd(id, line)...))
			if err != nil {
				return err
			}
			size += n
		}
	}
	return w.Flush()
}

// odd returns the end of a line, and now and then lines behind it that cannot be read.
func odd(id int, line []byte) string {
	if id%oddEvery > 0 {
		return "\n"
	}
	return "\n" + string(line[:len(line)/2]) + "\nnot of an audit log\n\x00\x01\n"
}

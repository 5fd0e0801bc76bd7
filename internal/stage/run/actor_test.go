package run_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/creds"
	"rolecall/internal/endpoint"
	"rolecall/internal/mask"
	"rolecall/test/kit"
	"rolecall/test/toy"
)

// The files beside an actor: what it says, that it may begin, what it is answered, and a line
// for each of its starts.
const saysFile, beginFile, answersFile, startsFile = "says", "begin", "answers", "starts"

// actor is the program endpoint of these tests. It says what stands in a file, once the file
// begin is there, and writes to a file what it is answered. Without such a file it ends at once.
func actor() {
	dir := filepath.Dir(os.Args[0])
	note(filepath.Join(dir, startsFile), "started\n")
	says, err := os.ReadFile(filepath.Join(dir, saysFile))
	if err != nil {
		return
	}
	in := bufio.NewReader(os.Stdin)
	order, _ := in.ReadBytes('\n')
	for !exists(filepath.Join(dir, beginFile)) && json.Valid(order) {
		time.Sleep(time.Millisecond)
	}
	_, _ = os.Stdout.Write(says)
	answer, _ := in.ReadString('\n')
	note(filepath.Join(dir, answersFile), answer)
	_, _ = io.Copy(io.Discard, in) // until the stage ends it
}

// note adds a text to a file.
func note(path, text string) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, _ = f.WriteString(text)
		_ = f.Close()
	}
}

// exists reports whether there is a file.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// besideMe returns the path of a file beside this program.
func besideMe(t *testing.T, name string) string {
	t.Helper()
	self, err := os.Executable()
	kit.Must(t, err)
	return filepath.Join(filepath.Dir(self), name)
}

// patient is a toy whose scripts run until the actor was answered.
type patient struct {
	*toy.Backend

	t      *testing.T
	before func() // called when the actor has started, before it may begin
}

// Run lets the actor begin, waits for the answer, and runs the script.
func (p patient) Run(ctx context.Context, data json.RawMessage, s backend.Script) (backend.Result, error) {
	kit.Await(p.t, "a start", func() bool { return exists(besideMe(p.t, startsFile)) })
	p.before()
	note(besideMe(p.t, beginFile), "x")
	kit.Await(p.t, "an answer", func() bool { return exists(besideMe(p.t, answersFile)) })
	return p.Backend.Run(ctx, data, s)
}

// client is a toy whose scripts are clients of their endpoint: they end when it does.
type client struct{ *toy.Backend }

// Run connects to the endpoint, and waits until the connection ends.
func (c client) Run(ctx context.Context, data json.RawMessage, s backend.Script) (backend.Result, error) {
	for _, entry := range s.Env {
		if address, ok := strings.CutPrefix(entry, "ROLECALL_ENDPOINT=http://"); ok {
			conn, err := net.Dial("tcp4", address)
			if err != nil {
				continue // an endpoint that ends at once resets even a new connection
			}
			_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
		}
	}
	return c.Backend.Run(ctx, data, s)
}

// served is what an endpoint serves to the jobs of these tests. It was issued ago.
func served(ago time.Duration) creds.Credential {
	c := issued()[0]
	c.Expires = time.Now().Add(time.Hour - ago)
	c.Served = &creds.Served{Answer: mask.NewSecret(`{"secret":"0123456789abcdef"}`), URL: "CLOUD_URL", Token: "CLOUD_TOKEN", Since: time.Now().Add(-ago)}
	return c
}

// fresh is what takes its place.
func fresh() creds.Credential {
	c, secret := served(0), mask.NewSecret("fedcba9876543210")
	c.Env, c.Secrets = []creds.Variable{{Name: "CLOUD_SECRET", Value: secret}}, []mask.Named{{Kind: "secret", Value: secret}}
	c.Served.Answer = mask.NewSecret(`{"secret":"fedcba9876543210"}`)
	return c
}

// order is the order of what is served.
func order() creds.Order { return creds.Order{Provider: "cloud", Served: true} }

// ask runs a script of c whose endpoint says something, and returns what it is answered.
func ask(t *testing.T, c *call, says endpoint.Message, before func()) (endpoint.Answer, result) {
	t.Helper()
	for _, name := range []string{beginFile, answersFile, startsFile} {
		_ = os.Remove(besideMe(t, name))
	}
	line, err := endpoint.Encode(says)
	kit.Must(t, err)
	kit.Must(t, os.WriteFile(besideMe(t, saysFile), line, 0o600))
	got := c.with(patient{&toy.Backend{}, t, before})
	text, err := os.ReadFile(besideMe(t, answersFile))
	kit.Must(t, err)
	var a endpoint.Answer
	kit.Must(t, json.NewDecoder(bytes.NewReader(text)).Decode(&a))
	return a, got
}

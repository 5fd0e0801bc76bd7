package script_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"rolecall/internal/script"
	"rolecall/test/kit"
)

// randomFile makes a file of n random bytes and returns its digest.
func randomFile(t *testing.T, path string, n int64) [32]byte {
	t.Helper()
	file, err := os.Create(path)
	kit.Must(t, err)
	digest := sha256.New()
	source := rand.NewChaCha8([32]byte{1})
	_, err = io.CopyN(io.MultiWriter(file, digest), source, n)
	kit.Must(t, err)
	kit.Must(t, file.Close())
	return [32]byte(digest.Sum(nil))
}

// TestMuchOutput: 50 MB of random bytes arrive unchanged, also the end without a
// newline.
func TestMuchOutput(t *testing.T) {
	t.Parallel()
	d := newDriver(t, "cat big; cat small >&2\nexit 9\n")
	big, small := randomFile(t, d.file("big"), 50<<20), randomFile(t, d.file("small"), 1<<20+1)
	d.start(t)
	if r := d.end(t)[0]; r.Code != 9 || r.Err != "" {
		t.Errorf("code %d, error %q", r.Code, r.Err)
	}
	if d.stdout.Len() != 50<<20 || sha256.Sum256(d.stdout.Bytes()) != big {
		t.Errorf("standard output differs: %d bytes", d.stdout.Len())
	}
	if d.stderr.Len() != 1<<20+1 || sha256.Sum256(d.stderr.Bytes()) != small {
		t.Errorf("standard error differs: %d bytes", d.stderr.Len())
	}
}

// TestBytes: every byte arrives, in order.
func TestBytes(t *testing.T) {
	t.Parallel()
	var all []byte
	for i := range 256 {
		all = append(all, byte(i))
	}
	d := newDriver(t, "cat all\n")
	kit.Must(t, os.WriteFile(d.file("all"), all, 0o600))
	d.start(t)
	d.end(t)
	if !bytes.Equal(d.stdout.Bytes(), all) {
		t.Errorf("output %q", d.stdout.Bytes())
	}
}

// full is a writer whose buffer has no room now and then.
type full struct {
	bytes.Buffer

	calls int
}

func (f *full) AvailableBuffer() []byte {
	if f.calls++; f.calls%2 == 0 {
		return nil
	}
	return make([]byte, 0, 3)
}

// TestNoRoomInWriter: a writer that lends its buffer may have none to lend.
func TestNoRoomInWriter(t *testing.T) {
	t.Parallel()
	for _, output := range []string{"", "a", strings.Repeat("all of it\n", 5000)} {
		var empty bytes.Buffer
		var now full
		for _, to := range []interface {
			io.Writer
			String() string
		}{&empty, &now, &strings.Builder{}} {
			done := make(chan error, 1)
			go func() { done <- script.Carry(to, output) }()
			select {
			case err := <-done:
				if err != nil || to.String() != output {
					t.Errorf("%T: %d bytes of %d came, %v", to, len(to.String()), len(output), err)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("%T: a script of %d bytes does not end", to, len(output))
			}
		}
	}
}

// TestSlowReader: the runner reads nothing until long after the script's end, and
// a daemon holds the script's pipe. All that was written comes.
// TestSlowReader: the runner reads only long after the script's end, while a daemon
// holds the script's pipe. All output arrives.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	const size = 150 << 10 // more than one pipe, less than what is held on the way
	d := newDriver(t, "cat data\nsetsid -f sleep 1000\n: >written\n")
	want := randomFile(t, d.file("data"), size)
	reader, writer, err := os.Pipe()
	kit.Must(t, err)
	defer reader.Close()
	d.Stdout = writer
	d.start(t)
	kit.Must(t, writer.Close())
	d.await(t, "written")
	time.Sleep(2500 * time.Millisecond)
	got, err := io.ReadAll(reader)
	if err != nil || sha256.Sum256(got) != want {
		t.Errorf("%d bytes of %d came, %v", len(got), size, err)
	}
	if r := d.end(t)[0]; r.Code != 0 || r.Err != "" {
		t.Errorf("code %d, error %q", r.Code, r.Err)
	}
}

// TestCloggedReader: the runner reads a little at a time, with pauses longer than
// quietTime.
func TestCloggedReader(t *testing.T) {
	t.Parallel()
	d := newDriver(t, "cat data\nexit 2\n")
	want := randomFile(t, d.file("data"), 600<<10)
	reader, writer, err := os.Pipe()
	kit.Must(t, err)
	defer reader.Close()
	d.Stdout = writer
	d.start(t)
	kit.Must(t, writer.Close())
	digest := sha256.New()
	for pause := 1200 * time.Millisecond; err == nil; pause = 0 {
		if _, err = io.CopyN(digest, reader, 220<<10); err == nil {
			time.Sleep(pause + 100*time.Millisecond)
		}
	}
	if !errors.Is(err, io.EOF) || [32]byte(digest.Sum(nil)) != want {
		t.Errorf("the output differs: %v", err)
	}
	if r := d.end(t)[0]; r.Code != 2 || r.Err != "" {
		t.Errorf("code %d, error %q", r.Code, r.Err)
	}
}

// TestPrompt: output without a newline arrives at once, while the script runs.
func TestPrompt(t *testing.T) {
	t.Parallel()
	d := newDriver(t, "printf 'password: '\nsleep 100\n")
	reader, writer, err := os.Pipe()
	kit.Must(t, err)
	defer reader.Close()
	d.Stdout = writer
	d.start(t)
	kit.Must(t, writer.Close())
	kit.Must(t, reader.SetReadDeadline(time.Now().Add(10*time.Second)))
	got := make([]byte, 100)
	n, err := reader.Read(got)
	if err != nil || string(got[:n]) != "password: " {
		t.Errorf("read %q, %v", got[:n], err)
	}
	d.terminate(t)
	d.end(t)
}

// TestBrokenOutput: the runner no longer reads. The script gets SIGTERM and not
// SIGPIPE, and Run returns an error.
func TestBrokenOutput(t *testing.T) {
	t.Parallel()
	for name, redirect := range map[string]string{"stdout": "", "stderr": " >&2"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDriver(t, "trap ': >termed; exit 7' TERM\ntrap ': >piped' PIPE\nwhile :; do echo x"+redirect+"; sleep 0.01; done\n")
			reader, writer, err := os.Pipe()
			kit.Must(t, err)
			if name == "stdout" {
				d.Stdout = writer
			} else {
				d.Stderr = writer
			}
			d.start(t)
			kit.Must(t, writer.Close())
			_, err = reader.Read(make([]byte, 1))
			kit.Must(t, err)
			kit.Must(t, reader.Close())
			r := d.end(t)[0]
			if !strings.Contains(r.Err, "the runner stopped reading the job log: ") || !strings.Contains(r.Err, "broken pipe") {
				t.Errorf("error %q, want one of the output", r.Err)
			}
			if _, err := os.Stat(d.file("termed")); err != nil || r.Code != 7 {
				t.Errorf("the script did not end by SIGTERM: code %d, %v", r.Code, err)
			}
			if _, err := os.Stat(d.file("piped")); err == nil {
				t.Error("the script got SIGPIPE")
			}
		})
	}
}

// TestBrokenOutputOfDeafScript: a script that ignores SIGTERM is killed after the
// grace.
func TestBrokenOutputOfDeafScript(t *testing.T) {
	t.Parallel()
	d := newDriver(t, "trap '' TERM\nwhile :; do echo x; sleep 0.01; done\n")
	d.orders.Grace = 300 * time.Millisecond
	reader, writer, err := os.Pipe()
	kit.Must(t, err)
	d.Stdout = writer
	d.start(t)
	kit.Must(t, writer.Close())
	kit.Must(t, reader.Close())
	r := d.end(t)[0]
	if r.Code != 137 || !strings.Contains(r.Err, "stopped reading the job log") || r.Took > 5*time.Second {
		t.Errorf("code %d, error %q after %v", r.Code, r.Err, r.Took)
	}
}

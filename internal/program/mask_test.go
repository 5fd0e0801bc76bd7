package program_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"testing"

	"rolecall/internal/mask"
	"rolecall/internal/program"
)

// key returns text as the secret of a call.
func key(text string) mask.Named {
	return mask.Named{Kind: "key", Value: mask.NewSecret(text)}
}

// pipe returns a pipe, which is closed when the test ends.
func pipe(t *testing.T) (reader, writer *os.File) {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(reader.Close(), writer.Close()) })
	return reader, writer
}

// expect reads from each of outputs, and fails unless that is want.
func expect(t *testing.T, want string, outputs ...io.Reader) {
	t.Helper()
	for i, output := range outputs {
		got := make([]byte, len(want))
		if n, err := io.ReadFull(output, got); err != nil || string(got) != want {
			t.Fatalf("output %d of the stage: %q, %v, want %q", i, got[:n], err, want)
		}
	}
}

// TestMaskWhileAScriptPrints masks secrets one after another, while a script runs. No line
// ends with a secret: the masks hold what is behind one until it cannot belong to it.
func TestMaskWhileAScriptPrints(t *testing.T) {
	t.Parallel()
	stdout, stdoutWriter := pipe(t)
	stderr, stderrWriter := pipe(t)
	call, flush := program.NewCall(stdoutWriter, stderrWriter)
	script := exec.CommandContext(t.Context(), "tee", "/dev/stderr")
	script.Stdout, script.Stderr = call.Stdout, call.Stderr
	stdin, err := script.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := script.Start(); err != nil {
		t.Fatal(err)
	}
	for _, round := range []struct {
		mask []mask.Named
		want string
	}{
		{nil, "secret-1,secret-2.\n"},
		{[]mask.Named{key("secret-1")}, "[MASKED],secret-2.\n"},
		{[]mask.Named{key("secret-2")}, "[MASKED],[MASKED].\n"},
	} {
		if err := call.Mask(round.mask...); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(stdin, "secret-1,secret-2.\n"); err != nil {
			t.Fatal(err)
		}
		expect(t, round.want, stdout, stderr)
	}
	if err := errors.Join(stdin.Close(), script.Wait()); err != nil {
		t.Fatal(err)
	}
	call.Log.Info("secret-1 is not secret-2")
	flush()
	expect(t, "rolecall: [MASKED] is not [MASKED]\n", stderr)
}

func TestMaskRefuses(t *testing.T) {
	t.Parallel()
	call, _ := program.NewCall(io.Discard, io.Discard)
	const want = "mask the log: the key has 5 bytes, need at least 8 to mask it"
	if err := call.Mask(key("short")); err == nil || err.Error() != want {
		t.Errorf("Mask of a short secret: %v, want %s", err, want)
	}
}

func TestFlush(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	call, flush := program.NewCall(&stdout, &stderr)
	if err := call.Mask(key("secret-1")); err != nil {
		t.Fatal(err)
	}
	for _, w := range []io.Writer{call.Stdout, call.Stderr} {
		if _, err := io.WriteString(w, "a sec"); err != nil {
			t.Fatal(err)
		}
	}
	if stdout.String() != "a " || stderr.String() != "a " {
		t.Errorf("%q and %q came out before the end, want what begins no secret", &stdout, &stderr)
	}
	if flush(); stdout.String() != "a sec" || stderr.String() != "a sec" {
		t.Errorf("%q and %q came out, want all", &stdout, &stderr)
	}
}

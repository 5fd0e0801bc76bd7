package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"rolecall/internal/mask"
)

const (
	logSize    = 200 << 20
	hostile    = 16 << 20
	maskRounds = 7
	copyLimit  = 1.25
	copyAim    = 1.0
	copyMode   = "-copy" // this program as a plain copier from its input to its output
	maskMode   = "-mask" // and as a copier that masks
	manyMode   = "-many" // what six sources give
)

// secrets are like those of a real job: as long, and of the same letters. In manyMode they are those
// of six sources.
func secrets(mode string) []mask.Secret {
	random := rand.New(rand.NewPCG(1, 2))
	text := func(prefix, letters string, n int) mask.Secret {
		secret := make([]byte, n)
		for i := copy(secret, prefix); i < n; i++ {
			secret[i] = letters[random.IntN(len(letters))]
		}
		return mask.NewSecret(string(secret))
	}
	const upper, all = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	given := []mask.Secret{
		text("ASIA", upper, 20), text("", all, 40), text("IQoJb3JpZ2luX2Vj", all, 1200), text("eyJhbGciOiJSUzI1NiIs", all[:62], 2000),
	}
	if mode == manyMode {
		for range 5 {
			given = append(given, text("v-jwt-", all[:62], 24), text("", all[:62], 32), text("postgres://v-jwt-", all[:62], 90), text("hvs.CAESI", all[:62], 800))
		}
	}
	return given
}

// copier is the program in one of its modes: it copies by 64 KiB, as the run
// stage does.
func copier(mode string) error {
	var to io.Writer = os.Stdout
	buffer := make([]byte, 64<<10)
	available := func() []byte { return buffer }
	if mode != copyMode {
		needles, err := mask.NewNeedles(secrets(mode)...)
		if err != nil {
			return err
		}
		w := mask.NewWriter(os.Stdout, needles)
		defer func() { _ = w.Close() }()
		to, available = w, func() []byte { b := w.AvailableBuffer(); return b[:cap(b)] }
	}
	for {
		b := available()
		n, err := os.Stdin.Read(b)
		if _, broken := to.Write(b[:n]); broken != nil {
			return broken
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// ciLog returns n bytes like the log of a build. With hits, a secret is in it
// every MiB.
func ciLog(n int, hits bool) []byte {
	lines := []string{
		"\x1b[32;1m$ go test -race ./...\x1b[0;m\r\n",
		"ok  \tgitlab.example.com/group/project/internal/service\t%d.%03ds\n",
		"npm WARN deprecated inflight@1.0.%d: This module is not supported, and leaks memory.\n",
		"2026-01-02T10:11:%02d.%03dZ INFO  [main] ApplicationTests - Started in %d seconds\n",
		"sha256:%x%x Pulling fs layer\n",
	}
	random, given := rand.New(rand.NewPCG(3, 4)), secrets(maskMode)
	log := make([]byte, 0, n+4096)
	for next := 1 << 20; len(log) < n; {
		line := lines[random.IntN(len(lines))]
		values := make([]any, strings.Count(line, "%"))
		for i := range values {
			values[i] = random.IntN(1 << 30)
		}
		log = fmt.Appendf(log, line, values...)
		if hits && len(log) > next {
			log = append(log, given[random.IntN(len(given))].Reveal()...)
			next += 1 << 20
		}
	}
	return log[:n]
}

// masking compares a copier that masks with one that does not, each between two
// pipes, as a stage is between a script and the runner.
func (b bencher) masking(ctx context.Context) ([]result, error) {
	first := secrets(maskMode)[2].Reveal()[:1]
	inputs := []struct {
		what  string
		data  []byte
		limit float64
	}{
		{"mask a log of 200 MB", ciLog(logSize, false), copyLimit},
		{"with a secret every MiB", ciLog(logSize, true), copyLimit},
		{"16 MB of a secret's first byte", bytes.Repeat([]byte(first), hostile), 1.5},
	}
	var results []result
	for _, in := range inputs {
		path := filepath.Join(b.dir, "log")
		if err := os.WriteFile(path, in.data, 0o600); err != nil {
			return nil, err
		}
		measure := func(mode string) func(context.Context) (time.Duration, error) {
			return func(ctx context.Context) (time.Duration, error) { return carried(ctx, path, mode) }
		}
		samples, err := compare(ctx, maskRounds, measure(maskMode), measure(copyMode))
		if err != nil {
			return nil, err
		}
		results = append(results, result{what: in.what, times: samples[0], against: "plain copy, the same pipes", base: samples[1], floor: samples[1], limit: in.limit, aim: copyAim})
	}
	return results, nil
}

// carried measures how long the file at path takes through a copier in that mode.
func carried(ctx context.Context, path, mode string) (time.Duration, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	source := exec.CommandContext(ctx, "cat", path)
	copies := exec.CommandContext(ctx, self, mode)
	if copies.Stdin, err = source.StdoutPipe(); err != nil {
		return 0, err
	}
	out, err := copies.StdoutPipe()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := errors.Join(source.Start(), copies.Start()); err != nil {
		return 0, err
	}
	_, copied := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{out}, make([]byte, 64<<10))
	took := time.Since(began)
	return took, errors.Join(copied, copies.Wait(), source.Wait())
}

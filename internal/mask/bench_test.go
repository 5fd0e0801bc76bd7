package mask_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"rolecall/internal/mask"
)

// ciLog returns n bytes like the log of a build, with a secret from hits about
// every 64 KiB if there are any.
func ciLog(n int, hits ...string) []byte {
	random := rand.New(rand.NewPCG(3, 4))
	templates := []string{
		"\x1b[32;1m$ go test -race -count=1 ./internal/...\x1b[0;m\r\n",
		"ok  \tgitlab.example.com/group/project/internal/service%d\t%d.%03ds\n",
		"%d/%d Compiling regex-automata v0.4.%d (registry+https://github.com/rust-lang/crates.io-index)\n",
		"npm WARN deprecated inflight@1.0.%d: This module is not supported, and leaks memory. Do not use it.\n",
		"2026-01-02T10:11:%02d.%03dZ INFO  [main] c.e.app.ApplicationTests - Started ApplicationTests in %d seconds\n",
		"sha256:%x%x Pulling fs layer\n",
		"Downloading from central: https://repo.maven.apache.org/maven2/org/apache/maven/plugins/%d/%d.jar\n",
		"/builds/group/project/src/main/java/com/example/Module%d.java:%d: warning: [deprecation] get(int) is deprecated\n",
	}
	log := make([]byte, 0, n+4096)
	for next := 1 << 16; len(log) < n; {
		template := templates[random.IntN(len(templates))]
		var values []any
		for range bytes.Count([]byte(template), []byte("%")) {
			values = append(values, random.IntN(1000000))
		}
		log = fmt.Appendf(log, template, values...)
		if len(log) > next && len(hits) > 0 {
			log = append(log, "AWS_SECRET="+hits[random.IntN(len(hits))]+"\n"...)
			next += 1 << 16
		}
	}
	return log[:n]
}

// rawSearch is the baseline: it masks three raw needles with a bytes.Index pass
// each, and carries what a write may have cut.
type rawSearch struct {
	to      io.Writer
	needles [][]byte
	longest int
	buffer  []byte
	carried int
}

func (r *rawSearch) Write(p []byte) (int, error) {
	data := p
	if r.carried > 0 {
		r.buffer = append(r.buffer[:r.carried], p...)
		data = r.buffer
	}
	for _, needle := range r.needles {
		for i := bytes.Index(data, needle); i >= 0; i = bytes.Index(data, needle) {
			data = slices.Concat(data[:i], []byte(mask.Masked), data[i+len(needle):])
		}
	}
	keep := min(len(data), r.longest-1)
	if _, err := r.to.Write(data[:len(data)-keep]); err != nil {
		return 0, err
	}
	r.buffer = append(r.buffer[:0], data[len(data)-keep:]...)
	r.carried = keep
	return len(p), nil
}

// pour writes data to to in pieces of size and returns the time that took.
func pour(b *testing.B, to io.Writer, data []byte, size int) time.Duration {
	start := time.Now()
	for piece := range slices.Chunk(data, size) {
		if _, err := to.Write(piece); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start)
}

// compare runs two measurements in turn and returns the ratio of their best times.
func compare(b *testing.B, ours, theirs func() time.Duration) {
	best := [2]time.Duration{time.Hour, time.Hour}
	for b.Loop() {
		best[0] = min(best[0], ours())
		best[1] = min(best[1], theirs())
	}
	b.ReportMetric(best[0].Seconds()/best[1].Seconds(), "time-ratio")
	b.ReportMetric(best[1].Seconds()/best[0].Seconds(), "speed-ratio")
}

// BenchmarkAgainstIndex compares, in process at 64 KiB writes, a Writer that
// looks for all forms with a search for three raw secrets.
func BenchmarkAgainstIndex(b *testing.B) {
	c := newCredentials()
	for name, data := range map[string][]byte{"clean": ciLog(16 << 20), "hits": ciLog(16<<20, c.key, c.session, c.jwt)} {
		b.Run(name, func(b *testing.B) {
			needles := needlesOf(b, c.texts()...)
			b.SetBytes(int64(len(data)))
			compare(b, func() time.Duration {
				return pour(b, mask.NewWriter(io.Discard, needles), data, 64<<10)
			}, func() time.Duration {
				raw := &rawSearch{to: io.Discard, needles: [][]byte{[]byte(c.key), []byte(c.session), []byte(c.jwt)}, longest: 2000}
				return pour(b, raw, data, 64<<10)
			})
		})
	}
}

// BenchmarkWriter masks a log at 64 KiB a piece, from the Writer's own buffer, with
// and without needles.
func BenchmarkWriter(b *testing.B) {
	c := newCredentials()
	needles := needlesOf(b, c.texts()...)
	for _, test := range []struct {
		name    string
		needles *mask.Needles
		data    []byte
	}{
		{"clean", needles, ciLog(16 << 20)},
		{"hits", needles, ciLog(16<<20, c.key, c.session, c.jwt)},
		{"without", nil, ciLog(16 << 20)},
	} {
		b.Run(test.name, func(b *testing.B) {
			w := mask.NewWriter(io.Discard, test.needles)
			b.SetBytes(int64(len(test.data)))
			for b.Loop() {
				for piece := range slices.Chunk(test.data, 64<<10) {
					if _, err := w.Write(append(w.AvailableBuffer(), piece...)); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// BenchmarkOneByteWrites writes the beginning of a secret again and again.
func BenchmarkOneByteWrites(b *testing.B) {
	c := newCredentials()
	for name, prefix := range map[string]string{"session": c.session[:1199], "short": c.session[:12], "id": c.id[:19], "first": c.jwt[:1]} {
		b.Run(name, func(b *testing.B) {
			data := bytes.Repeat([]byte(prefix), 1+(1<<20)/len(prefix))
			w := mask.NewWriter(io.Discard, needlesOf(b, c.texts()...))
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				pour(b, w, data, 1)
			}
		})
	}
}

// BenchmarkConstruction makes what one process needs: the needles and two Writers.
func BenchmarkConstruction(b *testing.B) {
	c := newCredentials()
	var secrets []mask.Secret
	for _, text := range c.texts() {
		secrets = append(secrets, mask.NewSecret(text))
	}
	b.ReportAllocs()
	for b.Loop() {
		needles, err := mask.NewNeedles(secrets...)
		if err != nil {
			b.Fatal(err)
		}
		mask.NewWriter(io.Discard, needles)
		mask.NewWriter(io.Discard, needles)
	}
}

package main

import (
	"bytes"
	"context"
	cryptorand "crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws/keyform"
	"rolecall/internal/gate"
	"rolecall/internal/gate/scan"
	"rolecall/internal/job"
	"rolecall/internal/ledger"
	"rolecall/internal/ledger/seal"
	"rolecall/internal/mask"
)

const (
	treeFiles  = 20_000
	treeRounds = 5
	fewRounds  = 200
	fewLimit   = 2.0
	fewAim     = 1.7
	own        = 4  // secrets of the job
	otherJobs  = 50 // whose sessions have not expired
)

// tree is files like those of a job, and what to look for in them.
type tree struct {
	dir, needles string
	secrets      []mask.Named
	found        []string // the files that hold a secret, sorted
	issued       ledger.Ledger
}

// gate compares a scan for secrets in many files with grep for the same forms.
// Both walk the tree.
func (b bencher) gate(ctx context.Context) ([]result, error) {
	t := &tree{dir: filepath.Join(b.dir, "tree"), needles: filepath.Join(b.dir, "needles")}
	if err := t.make(); err != nil {
		return nil, err
	}
	samples, err := compare(ctx, treeRounds, t.grep, t.scan(1), t.scan(2))
	if err != nil {
		return nil, err
	}
	hello := filepath.Join(b.dir, "gate-hello")
	if err := build(ctx, hello, "./test/bench/floor/hello"); err != nil {
		return nil, err
	}
	few, err := compare(ctx, fewRounds, t.few(b.programs.Gate, t.secrets[:own], ledger.Ledger{}), t.few(b.programs.Gate, t.secrets, t.issued), starting(hello))
	if err != nil {
		return nil, err
	}
	const grep = "LC_ALL=C grep -rlaF -f needles"
	return []result{
		{what: "gate over 20,000 files, 2 GB, one worker", times: samples[1], against: grep, base: samples[0], limit: 0.9},
		{what: "with two workers", times: samples[2], against: grep, base: samples[0], limit: 0.5},
		{what: "gate, the program, over 10 small files", times: few[0], against: "Go hello-world", base: few[2], floor: few[2], limit: fewLimit, aim: fewAim},
		{what: "with sessions of 50 other jobs", times: few[1], against: "without", base: few[0]},
	}, os.RemoveAll(t.dir)
}

// make writes the tree, a secret in each thousandth file, and the needles.
func (t *tree) make() error {
	kinds := []string{"access key id", "secret access key", "session token", "ID token"}
	var needles []byte
	for i, secret := range secrets(maskMode) {
		t.secrets = append(t.secrets, mask.Named{Kind: kinds[i], Value: secret})
		needles = append(needles, bytes.Join(append(mask.Forms(secret), nil), []byte("\n"))...)
	}
	t.issue(otherJobs)
	if err := os.WriteFile(t.needles, needles, 0o600); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(5, 6))
	text, binary := sources(16<<20), make([]byte, 32<<20)
	for i := range binary {
		if binary[i] = byte(random.Uint32()); i%3 > 0 {
			binary[i] &= 0x11 // as code and tables have many equal bytes
		}
	}
	for i := range treeFiles {
		size, from := 1000+random.IntN(16<<10), text
		switch {
		case i%100 == 99: // 200 files of 8 MB are most of the 2 GB
			size, from = 8<<20-random.IntN(1<<20), binary
		case i%10 == 0:
			size = 30_000 + random.IntN(200_000)
		}
		at := random.IntN(len(from) - size)
		if err := t.write(i, from[at:at+size]); err != nil {
			return err
		}
	}
	slices.Sort(t.found)
	return nil
}

// issue makes a ledger of jobs, whose access key ids the gate looks for in all forms.
func (t *tree) issue(jobs int64) {
	var accounts [4]string // the account's number is in the characters after the first four of its ids
	for i := range accounts {
		accounts[i] = "ASIA" + cryptorand.Text()[:9]
	}
	for id := range jobs {
		key := mask.Named{Kind: "access key id", Value: mask.NewSecret(accounts[id%4] + cryptorand.Text()[:7])}
		secret := mask.Named{Kind: "secret access key", Value: mask.NewSecret((cryptorand.Text() + cryptorand.Text())[:40])}
		t.issued = seal.Add(t.issued, id, creds.Set{{Secrets: []mask.Named{secret}, Expires: time.Now().Add(time.Hour)}}, time.Now())
		t.secrets = append(t.secrets, key)
	}
}

// write writes file i of the tree.
func (t *tree) write(i int, content []byte) error {
	name := filepath.Join("node_modules", fmt.Sprintf("package%d", i/50), fmt.Sprintf("lib%d", i/10%5), fmt.Sprintf("file%d.js", i))
	if i%1000 == 500 {
		content = bytes.Clone(content)
		forms := mask.Forms(t.secrets[i/1000%4].Value)
		copy(content[len(content)-4000:], forms[i/4000%len(forms)])
		t.found = append(t.found, name)
	}
	path := filepath.Join(t.dir, name)
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600))
}

// sources returns n bytes like those of scripts and lock files.
func sources(n int) []byte {
	random := rand.New(rand.NewPCG(7, 8))
	words := []string{
		"function ", "return ", "const ", "module.exports = ", "require('./", "');\n", "    this.", " => {\n", "}\n\n", "if (",
		"\"resolved\": \"https://registry.npmjs.org/", "\",\n      \"integrity\": \"sha512-", "\"version\": \"1.", "// see ", "options",
	}
	text := make([]byte, 0, n+200)
	for len(text) < n {
		text = append(text, words[random.IntN(len(words))]...)
		if random.IntN(5) == 0 {
			text = fmt.Appendf(text, "%x", random.Uint64())
		}
	}
	return text[:n]
}

// grep measures grep. It exits with 1 where it finds nothing.
func (t *tree) grep(ctx context.Context) (time.Duration, error) {
	command := exec.CommandContext(ctx, "grep", "-rlaF", "-f", t.needles, ".")
	command.Dir, command.Env = t.dir, []string{"LC_ALL=C"}
	began := time.Now()
	out, err := command.Output()
	took := time.Since(began)
	if err != nil {
		return 0, fmt.Errorf("grep: %w", err)
	}
	names := strings.Fields(string(out))
	for i, name := range names {
		names[i] = strings.TrimPrefix(name, "./")
	}
	return took, t.check("grep", names)
}

// scan returns what measures the gate with a number of workers.
func (t *tree) scan(workers int) contender {
	return func(ctx context.Context) (time.Duration, error) {
		began := time.Now()
		got, err := scan.Scan(ctx, t.secrets, t.walk(), t.options(workers))
		took := time.Since(began)
		if err != nil {
			return 0, err
		}
		if got.Files != treeFiles || len(got.Problems) > 0 {
			return 0, fmt.Errorf("the gate looked at %d files with problems %v", got.Files, got.Problems)
		}
		var names []string
		for _, finding := range got.Findings {
			names = append(names, finding.Name)
		}
		return took, t.check("the gate", names)
	}
}

// options returns how the program gate scans.
func (t *tree) options(workers int) scan.Options {
	index := seal.NewIndex(t.issued, nil)
	return scan.Options{Dir: t.dir, Workers: workers, Issued: func() scan.Search { return index.Search() }, Foreign: func() scan.Search { return keyform.New() }, Strict: gate.IsEnvFile}
}

// check fails unless names are the files that hold a secret.
func (t *tree) check(who string, names []string) error {
	slices.Sort(names)
	if !slices.Equal(names, t.found) {
		return fmt.Errorf("%s found secrets in %q, want %q", who, names, t.found)
	}
	return nil
}

// walk returns the files of the tree.
func (t *tree) walk() iter.Seq[scan.File] {
	return func(yield func(scan.File) bool) {
		_ = filepath.WalkDir(t.dir, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && !yield(scan.File{Name: strings.TrimPrefix(path, t.dir+"/")}) {
				return fs.SkipAll
			}
			return err
		})
	}
}

// few returns what measures the program, as the run stage starts it, for a job that
// uploads a few small files, with what was issued to other jobs.
func (t *tree) few(program string, secrets []mask.Named, issued ledger.Ledger) contender {
	order := gate.Order{
		Secrets: secrets, Issued: issued,
		Stage: "upload_artifacts_on_success", Project: t.dir, MaxBytes: 10 << 30, MaxDuration: 10 * time.Minute,
		Uploads: job.Uploads{Artifacts: []job.Artifact{{Type: "archive", Format: "zip", Paths: []string{"node_modules/package0/lib0/"}}}},
	}
	return func(ctx context.Context) (time.Duration, error) {
		question, err := json.Marshal(order)
		if err != nil {
			return 0, err
		}
		cmd := command(ctx, nil, program)
		cmd.Stdin = bytes.NewReader(question)
		began := time.Now()
		answer, err := cmd.Output()
		took := time.Since(began)
		var report gate.Report
		if err = errors.Join(err, json.Unmarshal(answer, &report)); err == nil && report.Files < 10 {
			err = fmt.Errorf("the gate looked at %d files", report.Files)
		}
		return took, err
	}
}

// Package scan finds files that hold a secret, in any form of mask.FileForms, also inside
// archives.
//
// The scan searches the bytes and the name of each file. It also unpacks zip (and formats
// built on it, such as jar, whl and docx), tar, gzip and zstd. It recognises them by
// content, not by name. Archives may be nested up to MaxDepth. Each archive is a level,
// but a tar directly inside gzip or zstd is on their level: in
// "a.zip > b.tar.gz > c.jar > d", d is three levels deep. A file on the last level is
// searched; an archive there is not unpacked, and is a Problem.
//
// A zip is read by its central directory, as unpackers do. Other bytes may precede it (a
// self-extracting program), but not if the file is compressed. Such a zip may have a
// comment only if the other bytes begin as a program does. Bytes after the last member of
// a gzip file are searched as they are.
//
// The scan does not unpack other formats: bzip2, xz, lzma, lz4, brotli, compress, 7z, rar,
// ar (deb), cpio (rpm), squashfs and other images, or compressed data of a database. It
// does not find forms that mask.FileForms does not list.
package scan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/mask"
)

// MaxDepth is how deep archives may be nested to be unpacked.
const MaxDepth = 3

// maxReports bounds the number of findings and problems of a scan, and so their memory.
const maxReports = 10_000

// maxForeign bounds the number of foreign findings of a scan that are kept. They do not
// end a scan.
const maxForeign = 1000

// The reasons of Problems. A reason can also be an error of the system (unix.Errno). For
// ErrDepth and the reasons below it, the archive's own bytes have been searched.
var (
	// ErrIrregular: the file is a FIFO, a socket or a device.
	ErrIrregular = errors.New("neither file, folder nor symbolic link")
	// ErrShorter: the file has lost bytes between two reads of it.
	ErrShorter = errors.New("it became shorter while it was searched")
	// ErrBytes, ErrDuration and ErrReports end the scan.
	ErrBytes    = errors.New("more bytes to read and unpack than the limit")
	ErrDuration = errors.New("the search takes longer than the limit")
	ErrReports  = fmt.Errorf("more than %d findings and problems", maxReports)

	// ErrDepth: the archive is inside MaxDepth others.
	ErrDepth = fmt.Errorf("an archive deeper than %d levels", MaxDepth)
	// ErrDamaged: the content begins as an archive or ends as a zip, but cannot be
	// unpacked completely. The parts that could be unpacked have been searched.
	ErrDamaged = errors.New("a damaged archive")
	// ErrEncrypted: an entry of a zip needs a password.
	ErrEncrypted = errors.New("encrypted")
	// ErrMethod: an entry of a zip is neither stored nor compressed by deflate or zstd.
	ErrMethod = errors.New("compressed by a method that is not supported")
	// ErrMemory: zstd needs windows of more than 8 MiB, of one frame or of nested ones
	// together. The zstd command makes such frames with levels from 20 on or --long.
	ErrMemory = errors.New("needs too much memory to unpack")
	// ErrSpool: a zip inside an archive is too large for memory, and Options has no Temp or
	// the zip is larger than 1 GiB.
	ErrSpool = errors.New("an archive in an archive that is too large")
)

// Scan searches files for secrets. Besides its result it needs at most about 12 MiB of
// memory, whatever the files hold; a search with a long reach needs more. While it unpacks zstd with a window of more than
// 1 MiB, it makes the garbage collector of the process run more often.
//
// Scan fails if the context ends, if Options.Dir cannot be opened, or if a secret is too
// short. If the context ends, it returns a Result with the error.
func Scan(ctx context.Context, secrets []mask.Named, files iter.Seq[File], options Options) (Result, error) {
	needles, err := needlesOf(secrets, options)
	if err != nil {
		return Result{}, err
	}
	dir, err := unix.Open(cmp.Or(options.Dir, "."), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return Result{}, fmt.Errorf("open %s: %w", options.Dir, err)
	}
	defer func() { _ = unix.Close(dir) }()
	limited := ctx
	if options.MaxDuration > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeoutCause(ctx, options.MaxDuration, ErrDuration)
		defer cancel()
	}
	s := &scan{options: options, secrets: secrets, needles: needles, dir: dir, meter: newMeter(limited, options.MaxBytes)}
	s.run(files, cmp.Or(options.Workers, 2), options.Progress)
	return s.result(), ctx.Err()
}

// needlesOf returns what finds the secrets. There must be something to look for.
func needlesOf(secrets []mask.Named, options Options) (*mask.Needles, error) {
	if len(secrets) == 0 && options.Issued == nil && options.Foreign == nil {
		return nil, errors.New("nothing to look for")
	}
	return mask.NewFileNeedles(valuesOf(secrets)...)
}

// valuesOf returns the values of the secrets.
func valuesOf(secrets []mask.Named) []mask.Secret {
	values := make([]mask.Secret, len(secrets))
	for i, secret := range secrets {
		values[i] = secret.Value
	}
	return values
}

// scan is the state that the workers share.
type scan struct {
	options  Options
	secrets  []mask.Named
	needles  *mask.Needles
	dir      int
	meter    *meter
	zstdTurn sync.Mutex // held by the worker that unpacks zstd; only one does

	mu       sync.Mutex // guards what follows
	findings []Finding
	foreign  []Finding
	more     int // foreign findings that are not kept
	problems []Problem
}

// run lets workers search files until there are no more, or the meter stops.
func (s *scan) run(files iter.Seq[File], workers int, progress func(files, bytes int64)) {
	pull, stop := iter.Pull(files)
	defer stop()
	var mu sync.Mutex
	next := func() (File, bool) {
		mu.Lock()
		defer mu.Unlock()
		if s.meter.stopped() != nil {
			return File{}, false
		}
		return pull()
	}
	var group sync.WaitGroup
	for range min(workers, runtime.GOMAXPROCS(0)) {
		group.Go(func() {
			w := newWorker(s)
			for file, ok := next(); ok; file, ok = next() {
				w.searchFile(file)
			}
		})
	}
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	s.reportProgress(progress, done)
}

// reportProgress calls progress once a second until done is closed.
func (s *scan) reportProgress(progress func(files, bytes int64), done <-chan struct{}) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			if progress != nil {
				progress(s.meter.files.Load(), s.meter.bytes.Load())
			}
		}
	}
}

// addReport adds a worker's findings and problems of one file.
func (s *scan) addReport(findings, foreign []Finding, problems []Problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.findings = append(s.findings, findings...)
	s.problems = append(s.problems, problems...)
	kept := min(len(foreign), maxForeign-len(s.foreign))
	s.foreign, s.more = append(s.foreign, foreign[:kept]...), s.more+len(foreign)-kept
	if len(s.findings)+len(s.problems) > maxReports {
		s.meter.stop(ErrReports)
	}
}

// result returns the Result after run.
func (s *scan) result() Result {
	slices.SortFunc(s.findings, compareFindings)
	slices.SortFunc(s.foreign, compareFindings)
	slices.SortFunc(s.problems, compareProblems)
	return Result{s.findings, s.foreign, s.more, s.problems, s.meter.files.Load(), s.meter.bytes.Load(), s.meter.stopped()}
}

// compareFindings orders findings by name and place.
func compareFindings(a, b Finding) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Inside, b.Inside))
}

// compareProblems orders problems by name, place and reason.
func compareProblems(a, b Problem) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Inside, b.Inside), cmp.Compare(a.Reason.Error(), b.Reason.Error()))
}

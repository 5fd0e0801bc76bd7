// Package scan finds files that hold a secret, as it is or in a form that
// mask.Forms lists, also inside archives.
//
// Every file's bytes are searched as they are, whatever they mean, and so is its
// name. Beyond that, zip (jar, whl, docx and all else built on it), tar, gzip
// and zstd are unpacked, by their content and not by their name, up to MaxDepth
// one in another. Each is a level, but a tar that comes right out of gzip or
// zstd is of the same level: in "a.zip > b.tar.gz > c.jar > d", d lies three
// levels deep. A file at that depth is searched; an archive there is not
// unpacked, which is a Problem.
//
// A zip is read by its central directory, as unpackers do. It may follow other
// bytes (self-extracting programs), but not inside of something compressed, and
// then it may have a comment only if the bytes before it are of a program.
// Trailing bytes of gzip that begin no member are searched as they are.
//
// Not looked into are other formats: bzip2, xz, lzma, lz4, brotli, compress,
// 7z, rar, ar (deb), cpio (rpm), squashfs and other images, what a database
// compresses; nor what mask.Forms does not cover.
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

// MaxDepth is how many archives, one in another, are unpacked.
const MaxDepth = 3

// maxReports bounds the findings and problems of a scan, and so their memory.
const maxReports = 10_000

// What could not be looked at or into is a Problem for one of these reasons, or
// for an error of the system (unix.Errno). In all of those from ErrDepth on, the
// archive's own bytes have been searched.
var (
	// ErrIrregular is a FIFO, a socket or a device.
	ErrIrregular = errors.New("neither file, folder nor symbolic link")
	// ErrBytes, ErrDuration and ErrReports end the scan.
	ErrBytes    = errors.New("more to read and to unpack than the limit")
	ErrDuration = errors.New("takes longer than the limit")
	ErrReports  = fmt.Errorf("more than %d findings and problems", maxReports)

	// ErrDepth is an archive inside of MaxDepth others.
	ErrDepth = fmt.Errorf("an archive deeper than %d levels", MaxDepth)
	// ErrDamaged is what begins like an archive, or ends like a zip, and cannot
	// be unpacked to its end. What could be unpacked has been searched.
	ErrDamaged = errors.New("a damaged archive")
	// ErrEncrypted is an entry of a zip that needs a password.
	ErrEncrypted = errors.New("encrypted")
	// ErrMethod is an entry of a zip that is neither stored nor packed by deflate or zstd.
	ErrMethod = errors.New("compressed by a method that is not supported")
	// ErrMemory is what zstd has packed with a window, or with one in another,
	// of more than 8 MiB in sum (by its levels from 20 on, or --long).
	ErrMemory = errors.New("needs too much memory to unpack")
	// ErrSpool is a zip inside of an archive that does not fit the memory, while
	// Options has no Temp or the zip is greater than 1 GiB.
	ErrSpool = errors.New("an archive in an archive that is too large")
)

// File is what to look at. Of a folder that is its name, and of a symbolic link
// its name and the text that it holds, unless Follow is set.
type File struct {
	Name   string // relative to the folder of Options, or absolute
	Follow bool   // look at what a symbolic link leads to
}

// Options say how to scan. A limit of 0 is none.
type Options struct {
	Dir         string // what names are relative to
	Temp        string // for unlinked files of mode 0600; not on a tmpfs, as that is memory
	MaxBytes    int64  // read, and unpacked
	MaxDuration time.Duration
	Workers     int // 0 means 2, and no more than there are processors
	// Progress, if any, is told once a second how much has been looked at.
	Progress func(files, bytes int64)
}

// Finding is a place where secrets are. Its texts are masked, but may hold any
// other bytes, such as control characters.
type Finding struct {
	Name   string   // of the File
	Inside string   // the way in archives, such as "b.tar.gz > c"; empty for the file itself
	Kinds  []string // of the secrets, sorted
}

// Problem is what could not be looked at, with the first place of its file that
// this is the reason for. Its texts are like those of a Finding.
type Problem struct {
	Name, Inside string
	Reason       error // without the name
}

// Result is what a scan has found, sorted by name and place.
type Result struct {
	Findings []Finding
	Problems []Problem
	Files    int64 // looked at
	Bytes    int64 // read, and unpacked
	// Stopped tells why there may be files that have not been looked at:
	// ErrBytes, ErrDuration or ErrReports. The file at which the scan stopped is
	// a Problem for that reason. nil means that all have been looked at.
	Stopped error
}

// Scan looks for secrets in files. It needs about 12 MiB of memory at most,
// whatever the files are like, besides its result; while it unpacks zstd with a
// window of more than 1 MiB, it makes the garbage collector of the process work
// more often.
//
// An error is that of the context, of Options.Dir, or tells that a secret is too
// short to be found; a Result comes with that of the context only.
func Scan(ctx context.Context, secrets []mask.Named, files iter.Seq[File], options Options) (Result, error) {
	values := make([]mask.Secret, len(secrets))
	for i, secret := range secrets {
		values[i] = secret.Value
	}
	needles, err := mask.NewNeedles(values...)
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
	s := &scan{secrets: secrets, needles: needles, dir: dir, temp: options.Temp, meter: newMeter(limited, options.MaxBytes)}
	s.run(files, cmp.Or(options.Workers, 2), options.Progress)
	return s.result(), ctx.Err()
}

// scan is what workers share.
type scan struct {
	secrets  []mask.Named
	needles  *mask.Needles
	dir      int
	temp     string
	meter    *meter
	zstdTurn sync.Mutex // held by the one worker that unpacks zstd

	mu       sync.Mutex // guards what follows
	findings []Finding
	problems []Problem
}

// run lets workers look at files until there are no more, or the meter stops.
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
				w.file(file)
			}
		})
	}
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	s.report(progress, done)
}

// report tells progress once a second until done is closed.
func (s *scan) report(progress func(files, bytes int64), done <-chan struct{}) {
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

// add takes what a worker reports of a file.
func (s *scan) add(findings []Finding, problems []Problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.findings = append(s.findings, findings...)
	s.problems = append(s.problems, problems...)
	if len(s.findings)+len(s.problems) > maxReports {
		s.meter.stop(ErrReports)
	}
}

// result is the Result after run.
func (s *scan) result() Result {
	slices.SortFunc(s.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Inside, b.Inside))
	})
	slices.SortFunc(s.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Inside, b.Inside), cmp.Compare(a.Reason.Error(), b.Reason.Error()))
	})
	return Result{s.findings, s.problems, s.meter.files.Load(), s.meter.bytes.Load(), s.meter.stopped()}
}

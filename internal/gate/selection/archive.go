package selection

import (
	"io/fs"
	"strconv"
)

// archive is what the runner makes of an Upload: which of the files that it takes it reads.
type archive struct {
	what, format string
	devices      bool // it reads character devices

	taken, readable int    // files, as long as they are reviewed
	end             string // the first file that breaks a gzip off; "" means none
}

// newArchive returns the archive of an upload, before any file.
func newArchive(u Upload, vars Variables) archive {
	fast, err := strconv.ParseBool(vars.get("FF_USE_FASTZIP"))
	return archive{what: u.What, format: u.Format, devices: err == nil && !fast}
}

// review counts a file. Files come sorted by path. It reports whether the archive may read
// the file.
func (a *archive) review(r record) bool {
	a.taken++
	if a.format == "gzip" && a.end == "" && !r.mode.IsRegular() {
		a.end = r.path
	}
	may := a.mayRead(r)
	if may {
		a.readable++
	}
	return may
}

// read returns how many files the archive reads, after all were reviewed.
func (a *archive) read() int {
	if a.follows() && a.taken != 1 {
		return 0
	}
	return a.readable
}

// reads reports whether the archive reads a file, after all were reviewed.
func (a *archive) reads(r record) bool {
	return a.mayRead(r) && a.read() > 0
}

// follows reports whether the archive has the target of a symbolic link, not its text.
func (a *archive) follows() bool { return a.format == "raw" }

// mayRead reports whether the archive reads a file, if the files before it allow.
//
// raw_archiver.go opens a single file, without a check of its type. gzip_create.go reads
// files by path, and fails at the first one that is not a regular file. fastzip,
// tarzstd_archiver.go and zip_create.go store symbolic links as links and only the names of
// folders, and skip devices, FIFOs and sockets. But zip_create.go reads character devices.
func (a *archive) mayRead(r record) bool {
	switch {
	case a.format == "raw":
		return !r.mode.IsDir()
	case a.format == "gzip":
		return a.end == "" || r.path < a.end
	case r.mode == fs.ModeDevice|fs.ModeCharDevice:
		return a.devices
	}
	return r.mode == 0 || r.mode == fs.ModeSymlink
}

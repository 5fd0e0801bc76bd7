package scan

import "time"

// File is a file to search. For a folder only the name is searched, and for a symbolic
// link the name and the link's text, unless Follow is set.
type File struct {
	Name   string // relative to the folder of Options, or absolute
	Label  string // what the caller calls it; it is in each Finding and Problem
	Follow bool   // search the target of a symbolic link
}

// Options say how to scan. A limit of 0 means no limit.
type Options struct {
	Dir         string // folder that names are relative to
	Temp        string // folder for unlinked files of mode 0600; not on a tmpfs, which is memory
	MaxBytes    int64  // bound of the bytes that are read and unpacked
	MaxDuration time.Duration
	Workers     int // 0 means 2, and no more than there are processors
	// Issued makes a search for secrets that are known only by their hashes. nil: there are
	// none. What Issued and Foreign make is used by one goroutine.
	Issued func() Search
	// Foreign makes a search for keys that are no secrets of the scan. nil: they may be
	// anywhere.
	Foreign func() Search
	// Strict reports whether foreign keys are Findings in a file of that name, without its
	// folder. nil: in none.
	Strict func(name string) bool
	// OnlyStrict limits Foreign to the files that Strict names.
	OnlyStrict bool
	// Progress is called once a second with how much has been searched. It may be nil.
	Progress func(files, bytes int64)
}

// Finding is a place that holds secrets. Secrets in its texts are masked, but all other
// bytes stay, such as control characters.
type Finding struct {
	Name   string   // of the File
	Label  string   // of the File
	Hidden bool     // Name is not that of the file: a secret in it is masked
	Inside string   // the path through archives, such as "b.tar.gz > c"; empty for the file itself
	Kinds  []string // of the secrets, sorted
	Line   int      // of the first foreign key; 0 for all other findings
}

// Problem is a place that could not be searched. There is one Problem for each file and
// reason, with the first such place in the file. Its texts are as those of a Finding.
type Problem struct {
	Name, Label, Inside string
	Reason              error // without the name
}

// Result is what a scan has found, sorted by name and place.
type Result struct {
	Findings []Finding
	Foreign  []Finding // places with foreign keys, in files that are not Strict
	More     int       // how many more of these there are
	Problems []Problem
	Files    int64 // that were searched
	Bytes    int64 // that were read and unpacked
	// Stopped says why the scan stopped before all files were searched: ErrBytes,
	// ErrDuration or ErrReports. The file at which it stopped is a Problem with this
	// reason. nil: all files were searched.
	Stopped error
}

package selection

import (
	"io/fs"
	"maps"
	"slices"
	"strconv"
)

// read returns those of the taken files that an archiver of that format reads, by path.
func (s *search) read(format string) []File {
	switch format {
	case "raw":
		return s.raw()
	case "gzip":
		return s.gzip()
	}
	return s.archive()
}

// raw is raw_archiver.go: one file, opened without a look at what it is.
func (s *search) raw() []File {
	var files []File
	for path, e := range s.taken {
		if len(s.taken) == 1 && !e.mode.IsDir() {
			files = append(files, File{Path: path, Follow: true})
		}
	}
	return files
}

// gzip is gzip_create.go: by path, up to the first that is no regular file, at
// which the upload breaks off.
func (s *search) gzip() []File {
	var files []File
	for _, path := range slices.Sorted(maps.Keys(s.taken)) {
		if !s.taken[path].mode.IsRegular() {
			break
		}
		files = append(files, File{Path: path})
	}
	return files
}

// archive is fastzip, tarzstd_archiver.go and zip_create.go: links as links, of
// folders the name, and no devices, FIFOs and sockets, but for zip_create.go, which
// opens character devices.
func (s *search) archive() []File {
	fast, err := strconv.ParseBool(s.vars.get("FF_USE_FASTZIP"))
	legacy := err == nil && !fast
	files := make([]File, 0, len(s.taken))
	for _, path := range slices.Sorted(maps.Keys(s.taken)) {
		switch s.taken[path].mode {
		case 0, fs.ModeSymlink:
			files = append(files, File{Path: path})
		case fs.ModeDevice | fs.ModeCharDevice:
			if legacy {
				files = append(files, File{Path: path})
			}
		}
	}
	return files
}

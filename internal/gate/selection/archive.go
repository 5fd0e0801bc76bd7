package selection

import (
	"io/fs"
	"maps"
	"slices"
	"strconv"
)

// readable returns those of the taken files that the archiver of a format reads, sorted by
// path.
func (s *search) readable(format string) []File {
	switch format {
	case "raw":
		return s.raw()
	case "gzip":
		return s.gzip()
	}
	return s.archive()
}

// raw follows raw_archiver.go: it opens a single file, without a check of its type.
func (s *search) raw() []File {
	var files []File
	for path, e := range s.taken {
		if len(s.taken) == 1 && !e.mode.IsDir() {
			files = append(files, File{Path: path, Follow: true})
		}
	}
	return files
}

// gzip follows gzip_create.go: it reads files by path, and fails at the first one that is
// not a regular file.
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

// archive follows fastzip, tarzstd_archiver.go and zip_create.go: they store symbolic links
// as links and only the names of folders, and skip devices, FIFOs and sockets. But
// zip_create.go reads character devices.
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

package reading

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"rolecall/internal/adminfile"
)

// forms returns the ends of the names of compressed files. Of plain and compressed files of
// one name the first form is read: programs remove a file when they have compressed it.
func forms() []string { return []string{plain, ".gz", ".zst", ".bz2", ".xz", ".lz4", ".lzo", ".Z"} }

// formOf returns the form of a file, by its name.
func formOf(name string) string {
	form := filepath.Ext(name)
	if slices.Contains(forms(), form) {
		return form
	}
	return plain
}

// rotatedName reports whether name, without what says its form, is one that rotation gives to
// the file log: log.1, log-20260203, or with the extension of log at the end, log.1.jsonl.
func rotatedName(log, name string) bool {
	if rest, ok := strings.CutPrefix(name, log); ok && isNumber(rest) {
		return true
	}
	ext := filepath.Ext(log)
	rest, ok := strings.CutPrefix(strings.TrimSuffix(name, ext), strings.TrimSuffix(log, ext))
	return ok && ext != "" && strings.HasSuffix(name, ext) && isNumber(rest)
}

// isNumber reports whether a part of a name is a number or a time, with what divides it from
// the rest.
func isNumber(part string) bool {
	if len(part) < 2 || !strings.ContainsRune(".-_", rune(part[0])) || part[1] < '0' || part[1] > '9' {
		return false
	}
	return strings.Trim(part, "0123456789.:-_TZ") == ""
}

// openAll opens the files of the log at path, the oldest first. If the log is rotated
// meanwhile, it begins again. With an error it may return those that it could open.
func openAll(path string) ([]*file, error) {
	if err := adminfile.Check(filepath.Dir(path)); err != nil {
		return nil, err
	}
	const tries = 20 // a log is rotated once in a while
	for try := 1; ; try++ {
		before, err := list(path)
		if err != nil {
			return nil, err
		}
		files, problems := openListed(path, before)
		after, err := list(path)
		if err == nil && maps.Equal(before, after) || try == tries {
			return sorted(path, files), errors.Join(err, problems)
		}
		for _, f := range files {
			_ = f.Close() // only read
		}
	}
}

// list returns the names of the files of a log, with their inodes.
func list(path string) (map[string]uint64, error) {
	dir, log := filepath.Split(path)
	entries, err := os.ReadDir(dir)
	names := map[string]uint64{}
	for _, e := range entries {
		if e.Name() != log && !rotatedName(log, strings.TrimSuffix(e.Name(), formOf(e.Name()))) {
			continue
		}
		info, statErr := e.Info()
		if statErr != nil {
			continue // renamed meanwhile: the next list differs
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			names[e.Name()] = stat.Ino
		}
	}
	return names, err
}

// openListed opens files of a list, of several forms of one file the first one.
func openListed(path string, names map[string]uint64) ([]*file, error) {
	var files []*file
	var problems error
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if hasBetter(names, name) {
			continue
		}
		f, err := openFile(filepath.Join(filepath.Dir(path), name))
		if err == nil {
			files = append(files, f)
		} else if !errors.Is(err, fs.ErrNotExist) {
			problems = errors.Join(problems, err)
		}
	}
	return files, problems
}

// hasBetter reports whether a file of a list is there in a better form.
func hasBetter(names map[string]uint64, name string) bool {
	form := formOf(name)
	for _, better := range forms() {
		if better == form {
			return false
		}
		if _, ok := names[strings.TrimSuffix(name, form)+better]; ok {
			return true
		}
	}
	return false
}

// sorted sorts files by the times of their first lines: names do not say which of two is the
// older one. The log itself is the last one.
func sorted(path string, files []*file) []*file {
	slices.SortStableFunc(files, func(a, b *file) int {
		switch {
		case a.Name() == path:
			return 1
		case b.Name() == path:
			return -1
		}
		return cmp.Or(a.began().Compare(b.began()), a.last.Compare(b.last))
	})
	return files
}

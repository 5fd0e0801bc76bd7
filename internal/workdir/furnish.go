package workdir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"rolecall/internal/adminfile"
	"rolecall/internal/backend"
)

// maxTool bounds the size of a file that Furnish copies.
const maxTool = 1 << 20

// Source is a folder that Furnish copies files from.
type Source struct {
	Dir    string // empty: there is nothing to copy
	Admins bool   // only admins can change the folder; else it is a user's home
}

// Furnish makes copies of files of the source in the folder at path, which is empty and the
// driver's user's, and then gives the folder to the owner. The files are paths in the
// source, such as .aws/config; one that is not there, or is no regular file of at most 1
// MiB, is left out, but for its End. In a home only files are copied that the owner can read: the user of a
// home can put links and other people's files there.
func Furnish(path string, from Source, files []backend.ToolFile, owner Owner) error {
	target, err := os.OpenRoot(path)
	if err != nil {
		return err
	}
	defer target.Close()
	source, err := from.open()
	if err != nil {
		return err
	}
	if source != nil {
		defer source.Close()
	}
	for _, file := range files {
		if err := from.furnish(target, source, file, owner); err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(path, file.Path), err)
		}
	}
	return target.Chown(".", int(owner.UID), int(owner.GID))
}

// open opens the source, and returns nil if there is none.
func (s Source) open() (*os.Root, error) {
	if s.Dir == "" {
		return nil, nil
	}
	if s.Admins {
		if err := adminfile.Check(s.Dir); err != nil {
			return nil, err
		}
	}
	root, err := os.OpenRoot(s.Dir)
	if err != nil && !s.Admins {
		return nil, nil //nolint:nilerr // a home need not exist
	}
	return root, err
}

// furnish copies one file, if it is there, and makes the folder that it is in.
func (s Source) furnish(target, source *os.Root, file backend.ToolFile, owner Owner) error {
	dir := filepath.Dir(file.Path)
	if err := target.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	content, ok := s.read(source, file.Path, owner)
	if section := clash(content, file.End); section != "" {
		return fmt.Errorf("it has %s already, which the policy file gives to the job", section)
	}
	if ok || file.End != "" {
		if err := target.WriteFile(file.Path, ended(content, file.End), 0o600); err != nil {
			return err
		}
		if err := target.Lchown(file.Path, int(owner.UID), int(owner.GID)); err != nil {
			return err
		}
	}
	return target.Lchown(dir, int(owner.UID), int(owner.GID))
}

// clash returns a section of end that the content has too: a tool would read neither.
func clash(content []byte, end string) string {
	for line := range strings.Lines(end) {
		line = strings.TrimSpace(line)
		for other := range strings.Lines(string(content)) {
			if strings.HasPrefix(line, "[") && strings.TrimSpace(other) == line {
				return line
			}
		}
	}
	return ""
}

// ended returns a content with a text at its end, on lines of its own.
func ended(content []byte, end string) []byte {
	if len(content) > 0 && end != "" && content[len(content)-1] != '\n' {
		content = append(content, '\n')
	}
	return append(content, end...)
}

// read returns the content of a file of the source, and false if it is left out.
func (s Source) read(source *os.Root, file string, owner Owner) ([]byte, bool) {
	if source == nil {
		return nil, false
	}
	f, err := source.OpenFile(file, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || !s.Admins && !readable(info, owner) {
		return nil, false
	}
	content, err := io.ReadAll(io.LimitReader(f, maxTool+1))
	return content, err == nil && len(content) <= maxTool
}

// readable reports whether the rights of a file let the owner read it.
func readable(info fs.FileInfo, by Owner) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	rights := map[bool]fs.FileMode{true: 0o400}[stat.Uid == by.UID] | map[bool]fs.FileMode{true: 0o040}[stat.Gid == by.GID] | 0o004
	return info.Mode().Perm()&rights != 0
}

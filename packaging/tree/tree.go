// Package tree says which files are installed where. The packages, the archive and make
// install all take it from here.
package tree

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Entry is a file, a link or a folder.
type Entry struct {
	Path   string      // on the host, absolute
	Mode   fs.FileMode // with fs.ModeDir for a folder, fs.ModeSymlink for a link
	Source string      // of a file: what is copied; of a link: where it leads
	Text   []byte      // of a file without a Source
	Config bool        // an admin may change it
}

// Tree is what is installed. A folder stands before what is in it.
type Tree []Entry

// dir returns a folder.
func dir(path string, mode fs.FileMode) Entry { return Entry{Path: path, Mode: fs.ModeDir | mode} }

// file returns a file with the content of another one.
func file(path, source string) Entry { return Entry{Path: path, Mode: 0o644, Source: source} }

// text returns a file with this content.
func text(path string, content []byte) Entry { return Entry{Path: path, Mode: 0o644, Text: content} }

// program returns a program.
func program(path, source string) Entry { return Entry{Path: path, Mode: 0o755, Source: source} }

// config returns a file that an admin may change.
func config(path, source string) Entry {
	return Entry{Path: path, Mode: 0o644, Source: source, Config: true}
}

// link returns a symbolic link.
func link(path, to string) Entry { return Entry{Path: path, Mode: fs.ModeSymlink | 0o777, Source: to} }

// Join returns one tree of two. What both have is in it once.
func Join(a, b Tree) Tree {
	all := slices.Clone(a)
	for _, e := range b {
		if !slices.ContainsFunc(a, func(other Entry) bool { return other.Path == e.Path }) {
			all = append(all, e)
		}
	}
	return all
}

// Content returns the content of a file.
func (e Entry) Content() ([]byte, error) {
	if e.Source == "" {
		return e.Text, nil
	}
	return os.ReadFile(e.Source)
}

// Install writes the tree below the folder root, over what is there. Files get the time when,
// unless it is zero. A file is replaced by a rename: what runs goes on with the old one.
func (t Tree) Install(root string, when time.Time) error {
	for _, e := range t {
		if err := e.install(filepath.Join(root, e.Path), when); err != nil {
			return err
		}
	}
	return nil
}

// install writes one entry.
func (e Entry) install(path string, when time.Time) error {
	if err := mkdirs(filepath.Dir(path)); err != nil {
		return err
	}
	if e.Mode.IsDir() {
		return errors.Join(mkdirs(path), os.Chmod(path, e.Mode.Perm()))
	}
	temp := path + ".rolecall-new"
	if err := errors.Join(os.RemoveAll(temp), e.write(temp, when)); err != nil {
		return errors.Join(err, os.RemoveAll(temp))
	}
	return os.Rename(temp, path)
}

// write writes a file or a link to a path where nothing is.
func (e Entry) write(path string, when time.Time) error {
	if e.Mode&fs.ModeSymlink != 0 {
		return os.Symlink(e.Source, path)
	}
	content, err := e.Content()
	if err != nil {
		return err
	}
	now := time.Now()
	if !when.IsZero() {
		now = when
	}
	return cmp.Or(os.WriteFile(path, content, 0o600), os.Chmod(path, e.Mode.Perm()), os.Chtimes(path, now, now))
}

// mkdirs makes a folder, and those above it, which all may enter.
func mkdirs(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	if err := mkdirs(filepath.Dir(path)); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		return err
	}
	return os.Chmod(path, 0o755)
}

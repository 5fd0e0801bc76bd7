package lab

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rolecall/test/kit"
)

const (
	// maxNested is how deep archives may be nested to be searched.
	maxNested = 4
	// maxUnpacked bounds the unpacked size of a file, in bytes.
	maxUnpacked = 256 << 20
)

// Search searches all files below dirs for secrets. A path in dirs may also be a file,
// and need not exist. It searches contents, also unpacked (gzip, zlib as git uses it,
// zip), names, and the targets of symbolic links. It finds a secret unchanged and
// URL-escaped.
func Search(secrets []string, dirs ...string) (files int, found []string, err error) {
	s := newSearch(secrets)
	if len(s.needles) == 0 {
		return 0, nil, errors.New("search for secrets: none are given")
	}
	var errs []error
	for _, dir := range dirs {
		errs = append(errs, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err == nil {
				err = s.visit(path, entry)
			}
			if errors.Is(err, fs.ErrNotExist) {
				return nil // It has been removed meanwhile.
			}
			return err
		}))
	}
	return s.files, s.found, errors.Join(errs...)
}

// search is the state of a search.
type search struct {
	needles [][]byte
	files   int
	found   []string
}

// newSearch returns a search for the secrets, unchanged and URL-escaped.
func newSearch(secrets []string) *search {
	s := &search{}
	for _, secret := range secrets {
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
			if form != "" && !slices.ContainsFunc(s.needles, func(n []byte) bool { return string(n) == form }) {
				s.needles = append(s.needles, []byte(form))
			}
		}
	}
	return s
}

// visit searches one file, or the name of anything else.
func (s *search) visit(path string, entry fs.DirEntry) error {
	s.text(path, "its name", entry.Name())
	switch {
	case entry.Type()&fs.ModeSymlink != 0:
		s.files++
		target, err := os.Readlink(path)
		s.text(path, "its target", target)
		return err
	case entry.Type().IsRegular():
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return s.content(path, kit.WithoutKeyIDs(content), 0)
	}
	return nil
}

// text records that a text which belongs to a path holds a secret. The recorded name
// must not hold it.
func (s *search) text(path, what, text string) {
	if s.holds([]byte(text)) {
		s.found = append(s.found, fmt.Sprintf("%s (%s)", s.redact(path), what))
	}
}

// content searches the content of the file at path, and the content that is packed in
// it.
func (s *search) content(path string, content []byte, depth int) error {
	s.files++
	if s.holds(content) {
		s.found = append(s.found, s.redact(path))
	}
	if depth == maxNested {
		return nil
	}
	if archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content))); err == nil {
		return s.archive(path, archive, depth)
	}
	unpacked, err := unpack(content)
	if err != nil || unpacked == nil {
		return err
	}
	return s.content(path+" (unpacked)", unpacked, depth+1)
}

// archive searches the entries of a zip file. Their names are in the file unpacked, so
// content has searched them.
func (s *search) archive(path string, archive *zip.Reader, depth int) error {
	for _, entry := range archive.File {
		name := path + " (" + entry.Name + ")"
		file, err := entry.Open()
		if err != nil {
			return fmt.Errorf("%s: %w", s.redact(name), err)
		}
		content, err := io.ReadAll(io.LimitReader(file, maxUnpacked))
		if err := errors.Join(err, file.Close()); err != nil {
			return fmt.Errorf("%s: %w", s.redact(name), err)
		}
		if err := s.content(name, content, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// unpack unpacks gzip and zlib, as far as they can be read. It returns nil for anything
// else.
func unpack(content []byte) ([]byte, error) {
	var reader io.Reader
	var err error
	switch {
	case bytes.HasPrefix(content, []byte{0x1f, 0x8b}):
		reader, err = gzip.NewReader(bytes.NewReader(content))
	case bytes.HasPrefix(content, []byte{0x78}):
		reader, err = zlib.NewReader(bytes.NewReader(content))
	default:
		return nil, nil
	}
	if err != nil {
		return nil, nil // Not packed after all.
	}
	unpacked, _ := io.ReadAll(io.LimitReader(reader, maxUnpacked+1)) // What comes before an error counts.
	if len(unpacked) > maxUnpacked {
		return nil, fmt.Errorf("a file unpacks to more than %d MiB", maxUnpacked>>20)
	}
	return unpacked, nil
}

// holds reports whether a text holds a secret.
func (s *search) holds(text []byte) bool {
	return slices.ContainsFunc(s.needles, func(n []byte) bool { return bytes.Contains(text, n) })
}

// redact returns a path with its secrets replaced.
func (s *search) redact(path string) string {
	for _, needle := range s.needles {
		path = strings.ReplaceAll(path, string(needle), "[secret]")
	}
	return path
}

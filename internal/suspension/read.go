package suspension

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"rolecall/internal/adminfile"
	"rolecall/internal/fault"
)

const (
	// name is the name of the file.
	name = "suspended.json"
	// format is the number of its form.
	format = 1
	// maxFile bounds its size, in bytes.
	maxFile = 1 << 20
	// MaxReason bounds the length of a reason, in bytes.
	MaxReason = 200
)

// File is the file at Path, an absolute path.
type File struct{ Path string }

// Beside returns the file that lies beside the policy file at a path.
func Beside(policy string) File { return File{filepath.Join(filepath.Dir(policy), name)} }

// content is the form of the file.
type content struct {
	Format int  `json:"format"`
	List   List `json:"suspended"`
}

// Read returns what the file holds. A file that is not there holds nothing. One that cannot be
// read, is not as rolecall writes it, or that anybody but root and the process's user can have
// written, is a fault.BadSuspension.
func (f File) Read() (List, error) {
	l, err := f.read()
	if err == nil {
		return l, nil
	}
	return nil, fault.New(fault.BadSuspension, errors.New("it is not known which tenants are suspended, and none gets anything"),
		"correct "+f.Path+", or remove it: then no tenant is suspended").Detail("why", err.Error())
}

// read does what Read does. To know that there is no file takes one call of the kernel.
func (f File) read() (List, error) {
	if _, err := os.Lstat(f.Path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	text, err := adminfile.Read(f.Path, maxFile)
	if errors.Is(err, fs.ErrNotExist) { // it was removed meanwhile
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	l, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	return l, nil
}

// parse reads the content of the file. What it does not know could be a suspension of another
// version, and is an error.
func parse(text []byte) (List, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var c content
	if err := decoder.Decode(&c); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON value")
	}
	if c.Format != format {
		return nil, fmt.Errorf("format is %d, want %d", c.Format, format)
	}
	for _, s := range c.List {
		if err := s.check(); err != nil {
			return nil, err
		}
	}
	return c.List, nil
}

// check fails if a suspension is not one that rolecall has written.
func (s Suspension) check() error {
	switch {
	case s.All == (s.Tenant != ""):
		return errors.New("a suspension must have a tenant, or all")
	case s.Since.IsZero():
		return errors.New("a suspension has no time since")
	}
	return errors.Join(CheckText(s.Tenant), CheckText(s.Reason), CheckText(s.By))
}

// CheckText fails if a text is not one line of at most MaxReason bytes that can be printed.
func CheckText(text string) error {
	if len(text) > MaxReason {
		return fmt.Errorf("a text has %d bytes, want at most %d", len(text), MaxReason)
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Errorf("the text %q cannot be printed on one line", text)
	}
	return nil
}

// Refuse returns why a tenant gets nothing now: it is suspended, as a fault.Suspended, or the file
// cannot be read. It returns nil if the tenant gets what it should.
func (f File) Refuse(tenant string) error {
	_, err := f.Judge(tenant)
	return err
}

// Judge does what Refuse does. It also reports whether scripts of the tenant that run are ended.
func (f File) Judge(tenant string) (ends bool, err error) {
	l, err := f.Read()
	if err != nil {
		return false, err
	}
	s, ok := l.Of(tenant, time.Now())
	if !ok {
		return false, nil
	}
	return s.Now, s.refuse()
}

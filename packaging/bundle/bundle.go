// Package bundle makes packages and archives of a tree of files.
package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // a form of packages
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm" // as above

	"rolecall/packaging/build"
	"rolecall/packaging/tree"
)

// Bundle is what is made of a tree.
type Bundle struct {
	Source build.Source
	Arch   string
	Tree   tree.Tree
}

// Package writes a package in a format, deb or rpm, to the folder dist. The file settings says
// what the package says of itself.
func (b Bundle) Package(dist, settings, format string) error {
	info, err := b.info(settings, format)
	if err != nil {
		return err
	}
	stage, err := os.MkdirTemp("", "rolecall-package-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(stage) //nolint:errcheck // a temporary folder
	if err := b.Tree.Install(stage, b.Source.Time); err != nil {
		return err
	}
	info.Contents = b.contents(stage)
	packager, err := nfpm.Get(format)
	if err != nil {
		return err
	}
	if err := nfpm.PrepareForPackager(info, format); err != nil {
		return err
	}
	return write(filepath.Join(dist, packager.ConventionalFileName(info)), func(w io.Writer) error { return packager.Package(info, w) })
}

// info returns what the package says of itself.
func (b Bundle) info(settings, format string) (*nfpm.Info, error) {
	config, err := nfpm.ParseFile(filepath.Join(b.Source.Root, settings))
	if err != nil {
		return nil, err
	}
	info, err := config.Get(format)
	if err != nil {
		return nil, err
	}
	info.Arch, info.Platform, info.MTime = b.Arch, "linux", b.Source.Time
	info.Version, info.VersionSchema, info.Prerelease, info.Release = b.Source.Version, "none", b.Source.Prerelease, ""
	for _, script := range []*string{&info.Scripts.PostInstall, &info.Scripts.PreRemove, &info.Scripts.PostRemove} {
		*script = filepath.Join(b.Source.Root, *script)
	}
	return nfpm.WithDefaults(info), nil
}

// contents returns the tree as nfpm wants it. The files lie below the folder stage.
func (b Bundle) contents(stage string) files.Contents {
	var all files.Contents
	for _, e := range b.Tree {
		c := &files.Content{Destination: e.Path, FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: e.Mode.Perm(), MTime: b.Source.Time}}
		switch {
		case e.Mode.IsDir():
			c.Type = files.TypeDir
		case e.Mode&fs.ModeSymlink != 0:
			c.Type, c.Source = files.TypeSymlink, e.Source
		case e.Config:
			c.Type, c.Source = files.TypeConfigNoReplace, filepath.Join(stage, e.Path)
		default:
			c.Source = filepath.Join(stage, e.Path)
		}
		all = append(all, c)
	}
	return all
}

// Archive writes the tree to the folder dist, as an archive in whose one folder the host's
// folders are. Folders that others have too, such as /usr, are not in it.
func (b Bundle) Archive(dist string) error {
	name := fmt.Sprintf("rolecall-%s-linux-%s", b.Source.Full(), b.Arch)
	return write(filepath.Join(dist, name+".tar.gz"), func(out io.Writer) error {
		packed, err := gzip.NewWriterLevel(out, gzip.BestCompression)
		if err != nil {
			return err
		}
		w := tar.NewWriter(packed)
		for _, e := range b.Tree {
			if err := add(w, name, e, b.Source.Time); err != nil {
				return err
			}
		}
		return errors.Join(w.Close(), packed.Close())
	})
}

// add adds an entry to an archive.
func add(w *tar.Writer, folder string, e tree.Entry, when time.Time) error {
	header := tar.Header{Name: folder + e.Path, Mode: int64(e.Mode.Perm()), ModTime: when, Uname: "root", Gname: "root", Format: tar.FormatUSTAR}
	var content []byte
	switch {
	case e.Mode.IsDir():
		header.Typeflag, header.Name = tar.TypeDir, header.Name+"/"
	case e.Mode&fs.ModeSymlink != 0:
		header.Typeflag, header.Linkname = tar.TypeSymlink, e.Source
	default:
		var err error
		if content, err = e.Content(); err != nil {
			return err
		}
		header.Typeflag, header.Size = tar.TypeReg, int64(len(content))
	}
	if err := w.WriteHeader(&header); err != nil {
		return err
	}
	_, err := io.Copy(w, bytes.NewReader(content))
	return err
}

// write makes a file that all may read.
func write(path string, do func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(do(f), f.Chmod(0o644), f.Close())
}

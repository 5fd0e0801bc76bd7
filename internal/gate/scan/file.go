package scan

import (
	"cmp"
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

// bufferLen is how many bytes of a file are read at once. It fits the processor's cache,
// so the search finds the bytes there.
const bufferLen = 256 << 10

// descriptor is an open file.
type descriptor int

// ReadAt implements io.ReaderAt. Nothing is read behind the end that the file had when its
// bytes were searched: without them, an archive would look like a file that is none.
func (d descriptor) ReadAt(p []byte, offset int64) (int, error) {
	done := 0
	for done < len(p) {
		n, err := unix.Pread(int(d), p[done:], offset+int64(done))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return done, err
		case n == 0:
			return done, ErrShorter
		default:
			done += n
		}
	}
	return done, nil
}

// reading is a file that is unpacked. It remembers a read that has failed: an archive that
// cannot be read looks like a file that is none, or like one that is damaged.
type reading struct {
	descriptor
	failed error
}

// ReadAt implements io.ReaderAt.
func (r *reading) ReadAt(p []byte, offset int64) (int, error) {
	n, err := r.descriptor.ReadAt(p, offset)
	r.failed = cmp.Or(r.failed, err)
	return n, err
}

// searchFile searches one file and reports the results.
func (w *worker) searchFile(f File) {
	w.beginFile(f)
	w.searchName(f.Name)
	if err := w.open(f); err != nil {
		w.addProblem(err)
	}
	w.endFile()
	w.meter.files.Add(1)
}

// open opens a file and searches it, by its type. It returns why it could not.
func (w *worker) open(f File) error {
	flags := unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	if f.Follow {
		flags &^= unix.O_NOFOLLOW
	}
	fd, err := retry(func() (int, error) { return unix.Openat(w.dir, f.Name, flags, 0) })
	switch {
	case errors.Is(err, unix.ELOOP) && !f.Follow:
		return w.searchLink(f.Name)
	case errors.Is(err, unix.ENXIO):
		return ErrIrregular // a socket, or a device without a driver
	case err != nil:
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return err
	}
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return w.searchContent(fd)
	case unix.S_IFDIR:
		return nil
	}
	return ErrIrregular
}

// searchLink searches the text of a symbolic link.
func (w *worker) searchLink(name string) error {
	n, err := unix.Readlinkat(w.dir, name, w.buffer[:unix.PathMax])
	if err == nil {
		w.searchName(string(w.buffer[:n]))
	}
	return err
}

// searchContent searches the bytes of a file, and its members if it is an archive.
func (w *worker) searchContent(fd int) error {
	size, archive, err := w.searchBytes(fd)
	if err != nil || !archive || w.meter.stopped() != nil {
		return err
	}
	file := &reading{descriptor: descriptor(fd)}
	section := io.NewSectionReader(file, 0, size)
	w.search(input{stream: section, random: section, searched: true})
	return file.failed
}

// searchBytes searches the bytes of a file. It returns how many there are, and whether
// they may be an archive.
func (w *worker) searchBytes(fd int) (size int64, archive bool, err error) {
	last := 0
	w.whole.Reset()
	w.view.begin()
	defer w.view.end()
	for w.meter.stopped() == nil {
		n, err := retry(func() (int, error) { return unix.Read(fd, w.buffer) })
		if err != nil {
			return size, false, err
		}
		if n == 0 {
			break
		}
		if w.whole.Find(w.buffer[:n]) {
			w.addFound(w.whole)
		}
		w.view.add(w.buffer[:n])
		if size == 0 {
			archive = formatOf(w.buffer[:n]) != plain
		}
		size, last = size+int64(n), n
		w.meter.spend(n)
	}
	// If the end is in the buffer, it shows whether the file ends as a zip does.
	archive = archive || size >= endLen && (last < endLen || isEnd(w.buffer[last-endLen:]))
	return size, archive, nil
}

// retry calls a system call until no signal interrupts it.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

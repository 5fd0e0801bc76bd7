package scan

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

// bufferLen is how many bytes of a file are read at once. It fits a processor's
// cache, so that the search need not fetch again what the kernel has copied.
const bufferLen = 256 << 10

// descriptor is an open file.
type descriptor int

// ReadAt is that of io.ReaderAt.
func (d descriptor) ReadAt(p []byte, offset int64) (int, error) {
	done := 0
	for done < len(p) {
		n, err := unix.Pread(int(d), p[done:], offset+int64(done))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return done, err
		case n == 0:
			return done, io.EOF
		default:
			done += n
		}
	}
	return done, nil
}

// file looks at one file, and reports it.
func (w *worker) file(f File) {
	w.begin(f.Name)
	w.text(f.Name)
	if err := w.open(f); err != nil {
		w.problem(err)
	}
	w.end()
	w.meter.files.Add(1)
}

// open opens a file and looks at what it is. It returns why it cannot.
func (w *worker) open(f File) error {
	flags := unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	if f.Follow {
		flags &^= unix.O_NOFOLLOW
	}
	fd, err := retry(func() (int, error) { return unix.Openat(w.dir, f.Name, flags, 0) })
	switch {
	case errors.Is(err, unix.ELOOP) && !f.Follow:
		return w.link(f.Name)
	case errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV):
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
		return w.content(fd)
	case unix.S_IFDIR:
		return nil
	}
	return ErrIrregular
}

// link searches the text of a symbolic link.
func (w *worker) link(name string) error {
	n, err := unix.Readlinkat(w.dir, name, w.buffer[:unix.PathMax])
	if err == nil {
		w.text(string(w.buffer[:n]))
	}
	return err
}

// content searches the bytes of a file, and looks into it if it is an archive.
func (w *worker) content(fd int) error {
	size, last, packed := int64(0), 0, plain
	w.whole.Reset()
	for {
		n, err := retry(func() (int, error) { return unix.Read(fd, w.buffer) })
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		if w.whole.Find(w.buffer[:n]) {
			w.found(w.whole)
		}
		if size == 0 {
			packed = formatOf(w.buffer[:n])
		}
		size, last = size+int64(n), n
		if w.meter.spend(n) != nil {
			return nil
		}
	}
	if packed == plain && (size < endLen || last >= endLen && !isEnd(w.buffer[last-endLen:])) {
		return nil // The buffer shows that there is no zip at the end either.
	}
	section := io.NewSectionReader(descriptor(fd), 0, size)
	w.look(input{stream: section, random: section, searched: true})
	return nil
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

package scan

import (
	"archive/tar"
	"bufio"
	"errors"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	maxWindow  = 8 << 20  // of a zstd frame: every decoder should support this much (RFC 8878, 3.1.1.1.2)
	maxWindows = 11 << 20 // memory for the windows of nested zstd
	minWindow  = 1 << 20  // window that later frames may have in any case
)

// gunzip searches the content of a gzip file, which may have several members.
func (w *worker) gunzip(l *layer) error {
	if err := l.gzip.Reset(l.reader); err != nil {
		return err
	}
	return w.searchDecoded(&members{member: &l.gzip, from: l.reader}, true)
}

// members reads the content of all members of a gzip file. It ignores bytes after the
// last member, as gzip(1) does.
type members struct {
	member *gzip.Reader
	from   *bufio.Reader
	ended  bool
}

func (m *members) Read(p []byte) (int, error) {
	if m.ended {
		return 0, io.EOF
	}
	m.member.Multistream(false)
	n, err := m.member.Read(p)
	if errors.Is(err, io.EOF) {
		m.ended = m.member.Reset(m.from) != nil
		err = nil
	}
	return n, err
}

// unzstd searches the content of a zstd file. This can need much memory, so it waits until
// no other worker unpacks zstd. If unpacked is set, a tar in it is on the same level.
func (w *worker) unzstd(from *bufio.Reader, unpacked bool) error {
	window, err := windowOf(from)
	if err != nil || window == 0 {
		return err
	}
	cost := window + 1<<20 // the decoder's own memory
	if window > maxWindow || cost > w.window {
		return ErrMemory
	}
	if w.window == maxWindows {
		w.zstdTurn.Lock()
		defer w.zstdTurn.Unlock()
	}
	if window > minWindow {
		// By default the heap could double before garbage is collected.
		percent := debug.SetGCPercent(10)
		defer func() {
			runtime.GC()
			debug.SetGCPercent(percent)
		}()
	}
	w.window -= cost
	defer func() { w.window += cost }()
	decoder, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(window), zstd.IgnoreChecksum(true))
	if err != nil {
		return err
	}
	defer decoder.Close()
	return w.searchDecoded(decoder, unpacked)
}

// windowOf skips frames without content, and returns the window of the first other frame:
// how many bytes back it may refer. It returns at least minWindow, for later frames, and
// 0 if there is no frame with content.
func windowOf(from *bufio.Reader) (uint64, error) {
	for {
		head, err := from.Peek(zstd.HeaderMaxSize)
		if len(head) == 0 && errors.Is(err, io.EOF) {
			return 0, nil
		}
		var header zstd.Header
		if err := header.Decode(head); err != nil {
			return 0, err
		}
		if !header.Skippable {
			window := header.WindowSize
			if header.SingleSegment {
				window = header.FrameContentSize
			}
			return max(window, minWindow), nil
		}
		if _, err := io.CopyN(io.Discard, from, int64(header.HeaderSize)+int64(header.SkippableSize)); err != nil {
			return 0, err
		}
	}
}

// untar searches the members of a tar.
func (w *worker) untar(l *layer, in input) error {
	from := io.Reader(l.reader)
	if in.random != nil && in.searched {
		whole := io.NewSectionReader(in.random, 0, in.random.Size())
		from = seeker{metered{whole, w.meter}, whole} // seeks over bytes that need not be read
	}
	// If the bytes of the tar were searched and hold no secret, its members hold none.
	// Otherwise search each member, to name the one with the secret. A view also needs the
	// ends of each member.
	searched := in.searched && len(w.places) == 0 && w.view == nil
	for archive := tar.NewReader(from); w.meter.stopped() == nil; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return err
		}
		w.path = append(w.path, header.Name)
		w.searchName(header.Name)
		w.searchName(header.Linkname)
		w.search(input{stream: archive, searched: searched})
		w.path = w.path[:len(w.path)-1]
	}
	return nil
}

// seeker reads by one and seeks by another interface of the same content.
type seeker struct {
	io.Reader
	io.Seeker
}

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
	maxWindow  = 8 << 20  // of a zstd frame; RFC 8878, 3.1.1.1.2, wants that much of every decoder
	maxWindows = 11 << 20 // memory for the windows of zstd in zstd
	minWindow  = 1 << 20  // that need not be known before
)

// gunzip looks at what gzip has packed, in any number of members.
func (w *worker) gunzip(l *layer) error {
	if err := l.gzip.Reset(l.reader); err != nil {
		return err
	}
	return w.decoded(&members{member: &l.gzip, from: l.reader}, true)
}

// members is the text of all members of a gzip file. What follows them and is
// none does not count, as for the gzip command.
type members struct {
	member *gzip.Reader
	from   *bufio.Reader
	over   bool
}

func (m *members) Read(p []byte) (int, error) {
	if m.over {
		return 0, io.EOF
	}
	m.member.Multistream(false)
	n, err := m.member.Read(p)
	if errors.Is(err, io.EOF) {
		m.over = m.member.Reset(m.from) != nil
		err = nil
	}
	return n, err
}

// unzstd looks at what zstd has packed. Since it can need much memory, it waits
// until no other worker unpacks zstd. If unpacked, a tar in it is of its level.
func (w *worker) unzstd(from *bufio.Reader, unpacked bool) error {
	window, err := windowOf(from)
	if err != nil || window == 0 {
		return err
	}
	cost := window + 1<<20 // as the decoder needs that much more
	if window > maxWindow || cost > w.window {
		return ErrMemory
	}
	if w.window == maxWindows {
		w.zstdTurn.Lock()
		defer w.zstdTurn.Unlock()
	}
	if window > minWindow {
		// The heap must not grow by as much again before garbage is collected.
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
	return w.decoded(decoder, unpacked)
}

// windowOf returns how many bytes back the first frame that from begins with may
// refer, but at least minWindow, so that later frames may too; and 0 if there
// are only frames to skip, which it does.
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

// untar looks at the files of a tar.
func (w *worker) untar(l *layer, in input) error {
	from := io.Reader(l.reader)
	if in.random != nil && in.searched {
		from = seeker{metered{in.random, w.meter}, in.random} // passes over what need not be read
		if _, err := in.random.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
	// The tar has been searched with all that is in it. If something was found, or
	// if that is going on, members are searched again to know where.
	searched := in.searched && len(w.places) == 0
	for archive := tar.NewReader(from); w.meter.stopped() == nil; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return err
		}
		w.way = append(w.way, header.Name)
		w.text(header.Name)
		w.text(header.Linkname)
		w.look(input{stream: archive, searched: searched})
		w.way = w.way[:len(w.way)-1]
	}
	return nil
}

// seeker reads from one and seeks in the other, which is the same.
type seeker struct {
	io.Reader
	io.Seeker
}

package scan

import (
	"context"
	"io"
	"sync/atomic"
)

// meter counts what a scan reads, and stops it at its limits.
type meter struct {
	limited      context.Context //nolint:containedctx // it lives as long as the scan
	max          int64
	files, bytes atomic.Int64
	reason       atomic.Pointer[error]
}

// newMeter returns a meter that stops when the context is done, or at more than
// max bytes if that is not 0.
func newMeter(ctx context.Context, most int64) *meter {
	return &meter{limited: ctx, max: most}
}

// stop makes reason that of all later calls, if it is the first.
func (m *meter) stop(reason error) { m.reason.CompareAndSwap(nil, &reason) }

// stopped returns why the scan has stopped, or nil.
func (m *meter) stopped() error {
	if reason := m.reason.Load(); reason != nil {
		return *reason
	}
	if m.limited.Err() != nil {
		m.stop(context.Cause(m.limited))
		return *m.reason.Load()
	}
	return nil
}

// spend counts n bytes, and returns why the scan has stopped, or nil.
func (m *meter) spend(n int) error {
	if now := m.bytes.Add(int64(n)); m.max > 0 && now > m.max {
		m.stop(ErrBytes)
	}
	return m.stopped()
}

// metered counts what is read from a reader.
type metered struct {
	io.Reader
	meter *meter
}

// Read returns why the scan has stopped, if it has.
func (r metered) Read(p []byte) (int, error) {
	if err := r.meter.stopped(); err != nil {
		return 0, err
	}
	n, err := r.Reader.Read(p)
	if stopped := r.meter.spend(n); stopped != nil {
		return n, stopped
	}
	return n, err
}

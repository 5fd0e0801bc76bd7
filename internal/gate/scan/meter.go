package scan

import (
	"context"
	"io"
	"sync/atomic"
)

// meter counts the bytes and files of a scan, and stops it at its limits.
type meter struct {
	limited      context.Context //nolint:containedctx // it lives as long as the scan
	max          int64
	files, bytes atomic.Int64
	reason       atomic.Pointer[error]
}

// newMeter returns a meter. It stops the scan when the context is done or, unless most is
// 0, after more than most bytes.
func newMeter(ctx context.Context, most int64) *meter {
	return &meter{limited: ctx, max: most}
}

// stop stops the scan. Of several reasons, the first is kept.
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

// spend counts n bytes, and stops the scan if they are too many.
func (m *meter) spend(n int) {
	if now := m.bytes.Add(int64(n)); m.max > 0 && now > m.max {
		m.stop(ErrBytes)
	}
}

// metered counts the bytes that are read through it.
type metered struct {
	io.Reader
	meter *meter
}

// Read fails with the reason if the scan has stopped.
func (r metered) Read(p []byte) (int, error) {
	if err := r.meter.stopped(); err != nil {
		return 0, err
	}
	n, err := r.Reader.Read(p)
	r.meter.spend(n)
	return n, err
}

package broker

import (
	"cmp"
	"context"
	"time"

	"github.com/sirupsen/logrus"

	"rolecall/internal/audit"
	"rolecall/internal/broker/hold"
	"rolecall/internal/fault"
)

// told notes whether the audit log can be written, by the error of a step that writes to it, and
// returns the error.
func (s *source) told(err error) error {
	switch code := fault.CodeOf(err); {
	case err == nil:
		s.sick.Store(nil)
	case code == fault.BadAuditLog || code == fault.LogLocked || code == fault.Shortage:
		s.sick.Store(&err)
	}
	return err
}

// tellable returns why the audit log cannot be written. It looks again if a line could not be:
// nobody may ask before it can.
func (s *source) tellable() error {
	if s.sick.Load() == nil {
		return nil
	}
	return audit.Log{Path: s.auditPath()}.Ready()
}

// auditPath returns the path of the audit log.
func (s *source) auditPath() string {
	return cmp.Or(s.auditLog, s.force.Load().policy.Settings().AuditLog)
}

// ended counts a try, and logs its error. It returns the error.
func (s *source) ended(why string, a hold.Ask, err error) error {
	if err == nil {
		s.tried(why, "ok")
		return nil
	}
	s.tried(why, string(fault.CodeOf(err)))
	if s.lines.Allow() {
		s.log.WithFields(logrus.Fields{"client": a.Client, "path": a.Path, "code": fault.CodeOf(err)}).Warn(oneLine(err))
	}
	return err
}

// warn logs a problem that changes nothing. Clients can cause many.
func (s *source) warn(text string) {
	if s.lines.Allow() {
		s.log.Warn(text)
	}
}

// freshen keeps the keys of the issuer fresh until the context ends, so that no job waits for them.
func (s *source) freshen(ctx context.Context) {
	for {
		limited, cancel := context.WithTimeout(ctx, verifyTime)
		err := s.force.Load().keys.Refresh(limited)
		cancel()
		if err != nil && ctx.Err() == nil {
			s.log.Warn("the keys of the issuer cannot be fetched: " + oneLine(err))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(freshenTime):
		}
	}
}

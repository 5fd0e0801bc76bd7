package program

import (
	"cmp"
	"io"

	"github.com/sirupsen/logrus"

	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/journal"
	"rolecall/internal/message"
)

// newLog returns the log of a stage, whose lines appear in the job log. An entry with an
// error becomes the message about it.
func newLog(w io.Writer, c *Call) *logrus.Logger {
	log := logrus.New()
	log.SetOutput(w)
	log.SetFormatter(formatter{c})
	return log
}

// formatter gives entries the form of package message.
type formatter struct{ call *Call }

// Format formats an entry.
func (f formatter) Format(e *logrus.Entry) ([]byte, error) {
	about := f.call.about
	err, ok := e.Data[logrus.ErrorKey].(error)
	switch {
	case e.Level == logrus.WarnLevel:
		return []byte(about.Warning(e.Message)), nil
	case ok && f.call.again:
		return []byte(about.Again(err)), nil
	case ok:
		return []byte(about.Error(err)), nil
	}
	return []byte(message.Note(e.Message)), nil
}

// Warn logs a warning about an error, unless it is nil. The host's log gets its code.
func (c *Call) Warn(err error) {
	if err != nil {
		c.Log.WithError(err).Warn(err)
	}
}

// For names the tenant of the job, for the host's log. An empty name changes nothing.
func (c *Call) For(tenant string) { c.tenant = cmp.Or(tenant, c.tenant) }

// toHost passes warnings and errors to the host's log, masked.
type toHost struct {
	call *Call
	to   journal.Log
}

// Levels returns the levels that are passed on.
func (h toHost) Levels() []logrus.Level { return []logrus.Level{logrus.ErrorLevel, logrus.WarnLevel} }

// Fire passes an entry on. It reads the job's id now: where nothing is to be said, nothing
// is done.
func (h toHost) Fire(e *logrus.Entry) error {
	if h.to == (journal.Log{}) {
		return nil
	}
	line := journal.Line{Priority: journal.Warning, Message: h.call.Masked(e.Message), Tenant: h.call.tenant}
	if key, err := job.ReadKey(h.call.Env.ResponseFile); err == nil {
		line.Job = key.ID.String()
	}
	err, ok := e.Data[logrus.ErrorKey].(error)
	if ok {
		line.Code = string(fault.CodeOf(err))
	}
	if ok && e.Level == logrus.ErrorLevel {
		line.Priority = priorityOf(fault.SideOf(err))
	}
	h.to.Write(line)
	return nil
}

// priorityOf returns how urgent an error is to the admin who reads the host's log.
func priorityOf(side fault.Side) journal.Priority {
	if side == fault.Author || side == fault.Account {
		return journal.Notice
	}
	return journal.Error
}

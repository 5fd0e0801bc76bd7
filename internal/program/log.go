package program

import (
	"io"

	"github.com/sirupsen/logrus"

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
	case ok && f.call.again:
		return []byte(about.Again(err)), nil
	case ok:
		return []byte(about.Error(err)), nil
	case e.Level == logrus.WarnLevel:
		return []byte(about.Warning(e.Message)), nil
	}
	return []byte(message.Note(e.Message)), nil
}

package program

import (
	"fmt"
	"io"

	"github.com/sirupsen/logrus"
)

// sideField is the field of a log entry that names who must act.
const sideField = "side"

// newLog returns the log of a stage. Its lines appear in the job log. Each says what is
// wrong, and after a semicolon what to do; its SIDE says who has to act.
func newLog(w io.Writer) *logrus.Logger {
	log := logrus.New()
	log.SetOutput(w)
	log.SetFormatter(formatter{})
	return log
}

// formatter writes an entry as "rolecall: LEVEL [SIDE]: MESSAGE".
type formatter struct{}

// Format formats an entry.
func (formatter) Format(e *logrus.Entry) ([]byte, error) {
	side := ""
	if s, ok := e.Data[sideField]; ok {
		side = fmt.Sprintf(" [%v]", s)
	}
	return fmt.Appendf(nil, "rolecall: %s%s: %s\n", e.Level, side, e.Message), nil
}

// Package journal writes lines to the log of the host: to journald, or to syslog where
// there is no journal. It never waits, and a line that nobody takes is lost: no job stops
// because of the host's log.
//
// https://systemd.io/JOURNAL_NATIVE_PROTOCOL/
package journal

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sys/unix"
)

// identifier is the name by which the lines are found: journalctl -t rolecall.
const identifier = "rolecall"

// maxMessage bounds a message, in bytes: a datagram of journald or syslog takes no more than
// the buffer of its socket.
const maxMessage = 16 << 10

// Priority says how urgent a line is, by the numbers of syslog.
//
// https://www.rfc-editor.org/rfc/rfc5424#section-6.2.1
type Priority int

// The priorities of lines.
const (
	Error   Priority = 3 // the runner's admin, or nobody yet, must act
	Warning Priority = 4
	Notice  Priority = 5 // somebody else must act
)

// Line is a line of the host's log. Fields that are empty are left out.
type Line struct {
	Priority Priority
	Message  string // may have newlines; no secret
	Job      string // id of the job
	Tenant   string
	Code     string // of an error, as package fault has it
}

// Log is the log of a host. The zero Log drops all lines.
type Log struct {
	Journal string // path of journald's socket
	Syslog  string // path of the socket of syslog, for hosts without a journal
}

// OfHost returns the log of this host.
func OfHost() Log { return Log{"/run/systemd/journal/socket", "/dev/log"} }

// Write writes a line. It fails in silence: it is called where there is nobody else to tell.
func (l Log) Write(line Line) {
	line.Message = cut(strings.ToValidUTF8(line.Message, "\uFFFD"))
	if !send(l.Journal, line.native()) {
		send(l.Syslog, line.syslog(time.Now()))
	}
}

// cut returns text, cut to maxMessage.
func cut(text string) string {
	if len(text) <= maxMessage {
		return text
	}
	return strings.ToValidUTF8(text[:maxMessage], "") + "…"
}

// send sends a datagram to a socket, without waiting, and reports whether it was taken.
func send(path string, datagram []byte) bool {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer func() { _ = unix.Close(fd) }()
	return unix.Sendto(fd, datagram, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, &unix.SockaddrUnix{Name: path}) == nil
}

// native returns the line in the form of journald.
func (l Line) native() []byte {
	var out []byte
	for _, field := range []struct{ name, value string }{
		{"MESSAGE", l.Message},
		{"PRIORITY", fmt.Sprint(int(l.Priority))},
		{"SYSLOG_IDENTIFIER", identifier},
		{"JOB_ID", l.Job},
		{"TENANT", l.Tenant},
		{"CODE", l.Code},
	} {
		switch {
		case field.value == "":
		case strings.Contains(field.value, "\n"):
			out = binary.LittleEndian.AppendUint64(append(out, field.name+"\n"...), uint64(len(field.value)))
			out = append(out, field.value+"\n"...)
		default:
			out = append(out, field.name+"="+field.value+"\n"...)
		}
	}
	return out
}

// syslog returns the line in the form that syslog daemons read from their local socket. The
// facility is daemon.
//
// https://www.rfc-editor.org/rfc/rfc3164#section-4
func (l Line) syslog(now time.Time) []byte {
	text := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, l.Message)
	for _, field := range []struct{ name, value string }{{"job", l.Job}, {"tenant", l.Tenant}, {"code", l.Code}} {
		if field.value != "" {
			text += fmt.Sprintf(" %s=%s", field.name, field.value)
		}
	}
	const daemon = 3
	return fmt.Appendf(nil, "<%d>%s %s[%d]: %s", daemon<<3|int(l.Priority), now.Format(time.Stamp), identifier, os.Getpid(), text)
}

package reading

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"rolecall/internal/audit"
)

// opening is how each line of an audit log begins.
const opening = `{"time":"`

// stamp is the form of the time that follows, to the second: what follows it says no more
// than a fraction.
const stamp = "2006-01-02T15:04:05"

// Value returns a text as a line holds it, with quotes, to look for it in a Filter. Texts of
// more than 256 bytes are cut in a log.
func Value(text string) []byte {
	var quoted bytes.Buffer
	encoder := json.NewEncoder(&quoted)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(text) != nil {
		return nil // every text can be encoded
	}
	return bytes.TrimSuffix(quoted.Bytes(), []byte("\n"))
}

// Field returns a field with a text as a line holds it, to look for it in a Filter.
func Field(name, text string) []byte {
	return append(append(Value(name), ':'), Value(text)...)
}

// Of returns the texts by which a line is of one of these kinds.
func Of(kinds ...audit.Kind) [][]byte {
	var any [][]byte
	for _, k := range kinds {
		any = append(any, Field("event", string(k)))
	}
	return any
}

// event returns the event of a line, if the filter wants it and it can be read. It counts
// lines that cannot be read.
func (l *Log) event(line []byte, filter Filter) (audit.Event, bool) {
	if !sound(line, &l.unread) || !filter.wants(line) {
		return audit.Event{}, false
	}
	var e audit.Event // on the heap, so not before the line is wanted
	read := l.unread.parse(line, &e)
	return e, read && filter.includes(e.Time)
}

// sound reports whether both ends of a line are those of a line of an audit log, and counts
// one that is not. A nil line is one that was too long.
func sound(line []byte, unread *Unread) bool {
	switch {
	case line != nil && len(line) == 0:
		return false // rolecall writes no empty line, and it says nothing
	case !bytes.HasPrefix(line, []byte("{")):
		unread.Foreign++
		return false
	case !bytes.HasSuffix(line, []byte("}")):
		unread.Cut++
		return false
	}
	return true
}

// parse parses a line. It reports whether it could, and counts one that it could not.
func (u *Unread) parse(line []byte, e *audit.Event) bool {
	err := json.Unmarshal(line, e)
	_, broken := errors.AsType[*json.SyntaxError](err)
	switch {
	case broken:
		u.Cut++
	case err != nil || e.Time.IsZero() || e.Event == "":
		u.Foreign++
	case !e.Event.Known():
		u.Newer++
	default:
		return true
	}
	return false
}

// wants reports whether a line may be wanted, before it is parsed.
func (f Filter) wants(line []byte) bool {
	for _, text := range f.Any {
		if bytes.Contains(line, text) {
			return true
		}
	}
	return len(f.Any) == 0
}

// includes reports whether a line of that time is wanted.
func (f Filter) includes(t time.Time) bool {
	return !t.Before(f.Since) && (f.Until.IsZero() || !t.After(f.Until))
}

// skew is how far the clock may have been set back while a log was written.
const skew = time.Hour

// passed reports whether a line is from long before Since, so that no line before it is wanted.
func (f Filter) passed(line []byte) bool {
	if f.Since.IsZero() || !bytes.HasPrefix(line, []byte(opening)) {
		return false
	}
	return timeOf(line).Before(f.Since.Add(-skew)) && new(Unread).parse(line, new(audit.Event))
}

// timeOf returns the time of a line to the second. If it has none, that is the zero time.
func timeOf(line []byte) time.Time {
	text, ok := bytes.CutPrefix(line, []byte(opening))
	if !ok || len(text) < len(stamp) {
		return time.Time{}
	}
	t, _ := time.Parse(stamp, string(text[:len(stamp)])) // zero: the line is foreign
	return t
}

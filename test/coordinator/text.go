package coordinator

import "strings"

// timestampLength is the length of "2006-01-02T15:04:05.000000Z".
const timestampLength = 27

// Text returns the log as GitLab shows it: without the runner's timestamps and with
// whole lines. The runner cuts long or slow lines, so one line of a script may be in
// several pieces in Log.
func (r *Run) Text() string { return text(r.Log()) }

// text removes the runner's framing. Each line of the runner has a timestamp, a stream
// such as "00O", and "+" if it continues the last line of the stream, else a space.
func text(log string) string {
	var lines []*strings.Builder
	last := make(map[string]*strings.Builder)
	for line := range strings.Lines(log) {
		stream, content, continued := parseLine(strings.TrimSuffix(line, "\n"))
		if !continued || last[stream] == nil {
			last[stream] = new(strings.Builder)
			lines = append(lines, last[stream])
		}
		last[stream].WriteString(content)
	}
	var joined strings.Builder
	for _, line := range lines {
		joined.WriteString(line.String() + "\n")
	}
	return joined.String()
}

// parseLine splits a line of the runner. A line without the framing is returned as
// content.
func parseLine(line string) (stream, content string, continued bool) {
	const frame = timestampLength + len(" 00O+")
	if len(line) < frame || line[timestampLength-1:timestampLength+1] != "Z " {
		return "", line, false
	}
	stream = line[timestampLength+1 : frame-1]
	return stream, line[frame:], line[frame-1] == '+'
}

package coordinator

import "strings"

// timestampLength is the length of "2006-01-02T15:04:05.000000Z".
const timestampLength = 27

// Text is the log as GitLab shows it: without the runner's timestamps, and with lines whole.
// A runner cuts long or slow lines, so what a script printed in one line need not be in one
// piece in Log.
func (r *Run) Text() string { return text(r.Log()) }

// text undoes the runner's framing: each of its lines is a timestamp, a stream such as "00O",
// then "+" where the line continues the last one of that stream, else a space.
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

// parseLine takes a line that has no such frame as it is.
func parseLine(line string) (stream, content string, continued bool) {
	const frame = timestampLength + len(" 00O+")
	if len(line) < frame || line[timestampLength-1:timestampLength+1] != "Z " {
		return "", line, false
	}
	stream = line[timestampLength+1 : frame-1]
	return stream, line[frame:], line[frame-1] == '+'
}

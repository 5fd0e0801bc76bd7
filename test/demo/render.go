package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// screen is where the demo is shown.
type screen struct {
	w      io.Writer
	colour bool
}

func newScreen(file *os.File) screen {
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	return screen{file, err == nil}
}

// line writes a line. Where nobody reads any more there is nobody to tell.
func (s screen) line(format string, args ...any) {
	_, _ = fmt.Fprintf(s.w, format+"\n", args...)
}

// title writes a heading.
func (s screen) title(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if s.colour {
		text = "\x1b[1m" + text + "\x1b[0m"
	}
	s.line("\n%s", text)
}

// block writes a text, indented.
func (s screen) block(text string) {
	for line := range strings.Lines(text) {
		s.line("  %s", strings.TrimRight(line, "\n"))
	}
}

// log writes a job's log as GitLab shows it: what is in a section is indented below its title.
func (s screen) log(text string) {
	text = renderLog(text)
	if !s.colour {
		text = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`).ReplaceAllString(text, "")
	}
	s.block(text)
}

// renderLog turns section markers into indentation. A marker is
//
//	section_start:TIME:NAME[OPTIONS]\r\x1b[0K
//	section_end:TIME:NAME\r\x1b[0K
//
// and a title or another marker may follow it in the line.
//
// https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections
func renderLog(text string) string {
	var out strings.Builder
	marker := regexp.MustCompile(`section_(start|end):[0-9]+:[^\r\n]*\r`)
	depth := 0
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		indent := depth
		for _, found := range marker.FindAllStringSubmatch(line, -1) {
			if found[1] == "start" {
				depth++
			} else {
				depth = max(0, depth-1)
				indent = depth
			}
		}
		line = marker.ReplaceAllString(line, "")
		line = strings.ReplaceAll(strings.ReplaceAll(line, "\x1b[0K", ""), "\r", "")
		if line != "" {
			out.WriteString(strings.Repeat("  ", indent) + line + "\n")
		}
	}
	return out.String()
}

package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf16"
)

// output is standard output. It keeps the error of what could not be printed.
type output struct {
	io.Writer

	err error
}

// Write writes a text.
func (o *output) Write(text []byte) (int, error) {
	n, err := o.Writer.Write(text)
	if err != nil {
		o.err = fmt.Errorf("the answer cannot be printed: %w", err)
		return n, o.err
	}
	return n, nil
}

// print prints a result on standard output: as JSON, or as text for people.
func (d call) print(result any, text string, asJSON bool) error {
	if asJSON {
		return d.printJSON(result)
	}
	_, err := io.WriteString(d.stdout, visible(text))
	return err
}

// visible returns a text for people with all characters escaped that a terminal could take for a
// command: what is not wrapped or cut may have texts of jobs too.
func visible(text string) string {
	var all strings.Builder
	for _, r := range text {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			all.WriteRune(r)
		} else {
			all.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return all.String()
}

// printJSON prints a result on standard output as indented JSON. It escapes all that a terminal
// could take for a command.
func (d call) printJSON(result any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(result); err != nil {
		return err
	}
	_, err := io.WriteString(d.stdout, escaped(text.String()))
	return err
}

// escaped returns JSON in which all characters are visible: encoding/json escapes neither DEL nor
// the control characters above it nor what changes the direction of a line.
func escaped(text string) string {
	var visible strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			visible.WriteRune(r)
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&visible, `\u%04x`, unit)
			}
		}
	}
	return visible.String()
}

// say prints on standard error. An error of printing is ignored.
func (d call) say(format string, args ...any) {
	_, _ = io.WriteString(d.stderr, visible(fmt.Sprintf(format, args...)))
}

// table returns rows as a table; the first row is its head.
func table(rows [][]string) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	for _, row := range rows {
		line := strings.NewReplacer("\n", " ", "\r", " ").Replace(strings.Join(row, "\t"))
		_, _ = io.WriteString(w, line+"\n") // a Builder takes all
	}
	_ = w.Flush()
	return regexp.MustCompile(` +\n`).ReplaceAllString(text.String(), "\n")
}

package admin

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"text/tabwriter"
)

// print prints a result on standard output: as JSON, or as text for people.
func (d call) print(result any, text string, asJSON bool) error {
	if asJSON {
		return d.printJSON(result)
	}
	_, err := io.WriteString(d.stdout, text)
	return err
}

// printJSON prints a result on standard output as indented JSON.
func (d call) printJSON(result any) error {
	encoder := json.NewEncoder(d.stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(result)
}

// say prints on standard error. An error of printing is ignored.
func (d call) say(format string, args ...any) { _, _ = fmt.Fprintf(d.stderr, format, args...) }

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

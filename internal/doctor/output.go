package doctor

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
	if !asJSON {
		_, err := io.WriteString(d.stdout, text)
		return err
	}
	encoder := json.NewEncoder(d.stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(result)
}

// say prints on standard error. That nobody reads it is no reason to stop.
func (d call) say(format string, args ...any) { _, _ = fmt.Fprintf(d.stderr, format, args...) }

// table returns rows as a table, the first as its head.
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

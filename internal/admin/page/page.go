// Package page makes the report of a host: one file of HTML that needs nothing else.
package page

import (
	"bytes"
	"fmt"
	"html/template"
	"strings"
	"time"
	"unicode"

	"rolecall/internal/admin/check"
	"rolecall/internal/admin/history"
	"rolecall/internal/admin/live"
)

// Report is what a report says of a host.
type Report struct {
	Made    time.Time `json:"time"`
	Host    string    `json:"host"`
	Version string    `json:"version"`
	System  []Fact    `json:"system"`

	PolicyFile string    `json:"policy_file"`
	PolicyHash string    `json:"policy_hash"`
	Tenants    []Tenant  `json:"tenants"`
	Since      time.Time `json:"since"`

	history.Totals

	Live     []live.Job      `json:"live"`
	Findings []check.Finding `json:"findings"`
	Problems []string        `json:"problems"` // what could not be read
}

// Fact is a text with a name.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Tenant is a tenant with its rules.
type Tenant struct {
	Name  string `json:"name"`
	RunAs string `json:"run_as,omitempty"`
	Rules []Fact `json:"rules"`
	Gives []Fact `json:"gives"`
}

// HTML returns the report as a page. All its texts are escaped, and characters that are not
// printable are shown as escapes.
func (r Report) HTML() ([]byte, error) {
	page, err := template.New("report").Funcs(template.FuncMap{"clock": clock}).Parse(text)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := page.Execute(&out, r); err != nil {
		return nil, err
	}
	return []byte(visible(out.String())), nil
}

// clock returns a time for people.
func clock(at time.Time) string {
	if at.IsZero() {
		return "not known"
	}
	return at.UTC().Format("2006-01-02 15:04:05 UTC")
}

// visible escapes what changes how a text is shown.
func visible(text string) string {
	var all strings.Builder
	for _, r := range text {
		if r == '\n' || unicode.IsPrint(r) {
			all.WriteRune(r)
		} else {
			fmt.Fprintf(&all, `\u%04x`, r)
		}
	}
	return all.String()
}

// Note adds what could not be read.
func (r *Report) Note(err error) {
	if err != nil {
		r.Problems = append(r.Problems, strings.Split(err.Error(), "\n")...)
	}
}

package document

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// page has all that a page can have.
const page = "# Top\n\nRun `sudo systemctl reload x` or `jq`, and `systemctl enable`.\n\n" +
	"    one \\\n      --flag   # why\n    two | three\n\n```\nprinted\n```\n\n## Files\n\nIn `/etc/a.toml`:\n\n```toml\nx = 1\n```\n\n" +
	"- a list\n\n      in list\n\n```\nno output\n```\n\n    edit\n\n```ini\n[Service]\n```\n\n```sh\na <<'END'\nb\nEND\n```\n\n```sh\n#!/bin/sh\n```\n\n| `a\\|b c` |\n|---|\n| `jq .x` |\n"

// TestRead: what a reader types, sees and writes is found in each form, in its part of the page.
func TestRead(t *testing.T) {
	t.Parallel()
	sections, err := read("page.md", []byte(page))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range sections {
		for _, step := range s.Steps {
			got = append(got, fmt.Sprintf("%s: %q %v %q %q", s.Heading, step.Command, step.Printed, step.Output, step.File+"="+step.Content))
		}
		for _, c := range s.Commands() {
			got = append(got, s.Heading+" says "+c)
		}
	}
	want := []string{
		`Top: "one \\\n  --flag" false "" "="`, `Top: "two | three" true "printed\n" "="`, `Top says sudo systemctl reload x`,
		`Files: "" false "" "/etc/a.toml=x = 1\n"`, `Files: "in list" false "" "="`, `Files: "edit" false "" "=[Service]\n"`,
		`Files: "a <<'END'\nb\nEND\n" false "" "="`, `Files: "" false "" "script=#!/bin/sh\n"`, `Files says jq .x`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestReadRefuses: what is no shell, and what has no command, belongs between fences.
func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"\n    AWS: account (60 min)\n", "\n    # nothing\n", "\n```sh\nif\n```\n"} {
		if _, err := read("page.md", []byte(page)); err == nil || !strings.Contains(err.Error(), "line ") {
			t.Errorf("%q: %v", page, err)
		}
	}
}

package document

import (
	"regexp"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// statements returns the statements of a script, each as it is written but for a comment at its end.
func statements(script string) ([]string, error) {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(script), "")
	if err != nil {
		return nil, err
	}
	var all []string
	for _, s := range file.Stmts {
		all = append(all, script[s.Pos().Offset():s.End().Offset()])
	}
	return all, nil
}

// typed matches code in a text that its reader can type: a program of a host, and at least one word that
// is more than the name of one of its commands, such as a flag, a path or the name of a unit.
var typed = regexp.MustCompile(`^(?:sudo )?(?:(?:apt|apt-get|curl|gpg|jq|journalctl|kubectl|nft|promtool|rolecall-broker|systemd-analyze|vault) .*[^a-z ]|systemctl \S+ .)`)

// Commands returns the commands in the text of a part of a page. Those of rolecall are not among them:
// one test runs them all.
func (s Section) Commands() []string {
	var all []string
	for _, span := range s.Spans {
		if typed.MatchString(span) {
			all = append(all, span)
		}
	}
	return all
}

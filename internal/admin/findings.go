package admin

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"rolecall/internal/admin/check"
)

// The escape sequences of findings.
const (
	red    = "\x1b[31;1m"
	yellow = "\x1b[33;1m"
	green  = "\x1b[32m"
	bold   = "\x1b[1m"
	reset  = "\x1b[0m"
)

// blocks writes findings for people.
type blocks struct {
	colours bool
	verbose bool // fine findings too
}

// text returns the findings, the worst first, and then how many there are of each kind.
func (b blocks) text(findings []check.Finding) string {
	var text strings.Builder
	for _, s := range []struct {
		state        check.State
		name, colour string
	}{{check.Fix, "to fix", red}, {check.Look, "to look at", yellow}, {check.OK, "fine", green}} {
		those := slices.DeleteFunc(slices.Clone(findings), func(f check.Finding) bool { return f.State != s.state })
		if len(those) == 0 || s.state == check.OK && !b.verbose {
			continue
		}
		text.WriteString(b.in(s.colour, s.name) + "\n")
		for _, f := range those {
			text.WriteString(b.block(f))
		}
		text.WriteString("\n")
	}
	return text.String() + count(findings)
}

// block returns one finding: what is wrong, then what to do, then what can be pasted.
func (b blocks) block(f check.Finding) string {
	const in = "  "
	head := in
	if f.ID != "" {
		head += f.ID + in
	}
	rest := strings.Repeat(" ", len(head))
	lines := fold(head+f.Area+in+f.What, rest)
	lines[0] = in + b.in(bold, f.ID) + strings.TrimPrefix(lines[0], in+f.ID)
	if f.State != check.OK && f.Do != strings.Join(f.Commands, "; ") {
		lines = append(lines, fold(rest+f.Do+strings.Repeat(":", min(1, len(f.Commands))), rest)...)
	}
	for _, command := range f.Commands {
		lines = append(lines, rest+command)
	}
	return strings.Join(lines, "\n") + "\n"
}

// in returns a text in a colour, if there are colours.
func (b blocks) in(colour, text string) string {
	if !b.colours || text == "" {
		return text
	}
	return colour + text + reset
}

// fold returns a text as lines that are at most width long, or one word, since what can be pasted is never broken; rest begins all lines
// but the first.
func fold(text, rest string) []string {
	var lines []string
	line := ""
	for i, word := range strings.Split(text, " ") {
		switch {
		case i == 0:
			line = word
		case utf8.RuneCountInString(line+" "+word) <= width || strings.TrimSpace(line) == "":
			line += " " + word
		default:
			lines, line = append(lines, strings.TrimRight(line, " ")), rest+word
		}
	}
	return append(lines, strings.TrimRight(line, " "))
}

// count returns the last line of a check: how many findings are to be fixed, and how many an
// admin has to look at and may leave as they are.
func count(findings []check.Finding) string {
	return fmt.Sprintf("%d to fix, %d to look at, %d fine\n", check.Count(findings, check.Fix), check.Count(findings, check.Look), check.Count(findings, check.OK))
}

// colours reports whether standard output is a terminal that shows colours, and whose user
// wants them.
//
// https://no-color.org
func (d call) colours() bool {
	for _, entry := range d.environ {
		if name, value, _ := strings.Cut(entry, "="); name == "NO_COLOR" && value != "" || entry == "TERM=dumb" {
			return false
		}
	}
	to, isOutput := d.stdout.(*output)
	if !isOutput {
		return false
	}
	file, isFile := to.Writer.(interface{ Fd() uintptr })
	if !isFile {
		return false
	}
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	return err == nil
}

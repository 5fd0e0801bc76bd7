package manual

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Program is a program with flags, whose --help is the source of its page.
type Program struct {
	Name  string
	About string // what it does, if --help does not begin with that
}

// Programs returns the programs that have a page in section 8.
func Programs() []Program {
	return []Program{
		{Name: "config"},
		{Name: "prepare"},
		{Name: "run"},
		{Name: "cleanup"},
		{"sweep", "removes what dead jobs have left"},
		{"revoke", "revokes what servers gave to jobs that have ended"},
		{"rolecall-broker", "gives jobs on any executor credentials for their ID token"},
	}
}

// Programs adds the page of each of the programs, which lie in the folder dir.
func (p Pages) Programs(ctx context.Context, dir, version string, when time.Time) error {
	for _, program := range Programs() {
		help, err := exec.CommandContext(ctx, filepath.Join(dir, program.Name), "--help").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s --help: %w", program.Name, err)
		}
		page := program.page(string(help), version, when)
		p["/usr/share/man/man8/"+program.title()+".8.gz"] = Compress([]byte(page))
	}
	return nil
}

// title returns the name of the program's page. Names such as run are those of others, too.
func (p Program) title() string {
	if strings.HasPrefix(p.Name, "rolecall") {
		return p.Name
	}
	return "rolecall-" + p.Name
}

// page returns the page that says what help says.
func (p Program) page(help, version string, when time.Time) string {
	usage, text, _ := strings.Cut(strings.TrimSpace(help), "\n")
	about := p.About
	if about == "" {
		about, _, _ = strings.Cut(strings.TrimPrefix(strings.TrimSpace(text), p.Name+" "), "\n")
		about = strings.TrimSuffix(about, ".")
	}
	command := "/usr/libexec/rolecall/" + p.Name
	var page strings.Builder
	fmt.Fprintf(&page, ".TH %s 8 %s %q rolecall\n", strings.ToUpper(p.title()), when.Format(time.DateOnly), version)
	fmt.Fprintf(&page, ".SH NAME\n%s \\- %s\n", p.title(), escape(about))
	if _, flags, found := strings.Cut(usage, p.Name+" "); found {
		command += " " + flags
	} else {
		command += " [FLAGS]"
	}
	fmt.Fprintf(&page, ".SH SYNOPSIS\n.B %s\n.SH DESCRIPTION\n", escape(command))
	body(&page, text)
	fmt.Fprintf(&page, ".SH SEE ALSO\n.BR rolecall (1),\n.I https://docs.gitlab.com/runner/executors/custom/\n")
	return page.String()
}

// flagLine is a line of --help that begins the text of a flag.
var flagLine = regexp.MustCompile(`^  (--?\S+(?: [A-Z]+)?)(?:\s{2,}(\S.*))?$`)

// body writes the text of --help: flags with their texts, paragraphs, and what is indented as it
// stands.
func body(page *strings.Builder, text string) {
	literal := false
	for line := range strings.SplitSeq(text, "\n") {
		flag := flagLine.FindStringSubmatch(line)
		indented := flag == nil && strings.HasPrefix(line, "    ") && !strings.HasPrefix(line, "     ") && !strings.Contains(line, "\t")
		if indented != literal {
			page.WriteString(map[bool]string{true: ".nf\n", false: ".fi\n"}[indented])
			literal = indented
		}
		switch {
		case flag != nil:
			fmt.Fprintf(page, ".TP\n.B %s\n", escape(flag[1]))
			if flag[2] != "" {
				page.WriteString(escape(flag[2]) + "\n")
			}
		case strings.TrimSpace(line) == "":
			page.WriteString(".PP\n")
		case literal:
			page.WriteString(escape(line) + "\n")
		default:
			page.WriteString(escape(strings.TrimSpace(line)) + "\n")
		}
	}
	if literal {
		page.WriteString(".fi\n")
	}
}

// escape returns a text that roff prints as it stands: roff(7).
func escape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		return `\&` + text
	}
	return text
}

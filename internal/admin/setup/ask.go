package setup

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Dialogue asks an admin for what the answers lack.
type Dialogue struct {
	In     *bufio.Reader
	Out    io.Writer
	Secret func() (string, error) // reads a line that is not shown; nil: it is shown
}

// errEnded says that there are no more answers.
var errEnded = errors.New("the answers end too early: nothing was written")

// Complete asks for what the answers lack, and returns them whole. A question is asked again
// until its answer can be read.
func (d Dialogue) Complete(a Answers) (Answers, error) {
	if err := d.ask(&a.Issuer, "URL of GitLab (such as https://gitlab.example.com)", ""); err != nil {
		return a, err
	}
	a.Issuer = Server(a.Issuer)
	if err := d.ask(&a.Audience, "audience, the aud of id_tokens: ["+a.Issuer+"]", a.Issuer); err != nil {
		return a, err
	}
	for more := len(a.Tenants) == 0; more; {
		t, err := d.tenant()
		if err != nil {
			return a, err
		}
		a.Tenants = append(a.Tenants, t)
		if more, err = d.yes("another tenant?"); err != nil {
			return a, err
		}
	}
	if a.Token != "" {
		return a, nil
	}
	token, err := d.secret("authentication token of the runner, glrt-... (empty: none yet)")
	a.Token = token
	return a, err
}

// tenant asks for a tenant.
func (d Dialogue) tenant() (Tenant, error) {
	for {
		var t Tenant
		var projects, refs string
		for _, q := range []struct {
			answer         *string
			about, example string
		}{
			{&t.Name, "name of a tenant", "alpha"},
			{&t.RoleARN, "ARN of its role", "arn:aws:iam::111122223333:role/deploy-" + t.Name},
			{&projects, "its projects, with blanks between", "acme/shop"},
			{&refs, "its branches and tags, with blanks between", "main"},
		} {
			line, err := d.line(fmt.Sprintf("%s (such as %s)", q.about, q.example))
			if err != nil {
				return t, err
			}
			*q.answer = line
		}
		protected, err := d.yes("only protected refs?")
		if err != nil {
			return t, err
		}
		t.Projects, t.Refs, t.Protected = strings.Fields(projects), strings.Fields(refs), protected
		if len(t.Projects) == 0 {
			t.Projects = nil
		}
		err = t.complete()
		if err == nil {
			return t, nil
		}
		d.say("%v\n", err)
	}
}

// ask asks for a text that is not known yet, until there is one. An empty answer is the usual
// one, if there is a usual one.
func (d Dialogue) ask(answer *string, question, usual string) error {
	for *answer == "" {
		line, err := d.line(question)
		if err != nil {
			return err
		}
		*answer = cmp.Or(line, usual)
	}
	return nil
}

// yes asks a question whose answer is yes or no. An empty answer is no.
func (d Dialogue) yes(question string) (bool, error) {
	for {
		line, err := d.line(question + " y/N")
		if err != nil {
			return false, err
		}
		switch strings.ToLower(line) {
		case "y", "yes":
			return true, nil
		case "", "n", "no":
			return false, nil
		}
		d.say("answer y or n\n")
	}
}

// secret asks for a line that is not shown.
func (d Dialogue) secret(about string) (string, error) {
	if d.Secret == nil {
		return d.line(about)
	}
	d.say("%s: ", about)
	line, err := d.Secret()
	d.say("\n")
	return strings.TrimSpace(line), err
}

// line asks a question and returns its answer, without blanks around it.
func (d Dialogue) line(question string) (string, error) {
	d.say("%s: ", question)
	line, err := d.In.ReadString('\n')
	if errors.Is(err, io.EOF) {
		err = errEnded
	}
	return strings.TrimSpace(line), err
}

func (d Dialogue) say(format string, args ...any) { _, _ = fmt.Fprintf(d.Out, format, args...) }

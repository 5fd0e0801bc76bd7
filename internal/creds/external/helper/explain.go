package helper

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"rolecall/internal/creds/external"
	"rolecall/internal/fault"
	"rolecall/internal/mask"
)

// exitLater is the exit code of a helper that can be asked again later. 1 is that of one that gives
// nothing; it speaks for itself if it writes an error as JSON.
const exitLater = 2

// Bounds of what is shown of a helper.
const (
	maxShown = 16 << 10 // of its standard error, in bytes
	maxLines = 50
	maxLine  = 300 // in characters
	maxWord  = 80
)

// readDocs is what corrects an answer.
const readDocs = "docs/sources.md says what it may answer"

// unread is the error about an output that could not be read, and may hold secrets that nobody knows.
// An empty output holds none.
type unread struct{ error }

// problem is the error of an answer of our own format.
type problem struct {
	Class   string `json:"class"` // author, admin or infrastructure
	Message string `json:"message"`
	Help    string `json:"help"`
}

// fault returns the error with its kind, in the helper's words.
func (p problem) fault() error {
	kinds := map[string]struct {
		code       fault.Code
		what, next string
	}{
		"author":         {fault.Refused, "the helper refuses this job", "ask the admin of this runner what the helper wants"},
		"admin":          {fault.BadSource, "the helper gives no credential", "look at the helper, and at what it needs"},
		"infrastructure": {fault.NoSource, "the helper can give no credential now", "look at what the helper needs, if it lasts"},
	}
	kind, ok := kinds[p.Class]
	if !ok {
		return bad(errors.New(`the class of its error is none of "author", "admin" and "infrastructure"`))
	}
	if p.Help != "" {
		kind.next = clean(p.Help, maxLine)
	}
	return fault.New(kind.code, errors.New(kind.what), kind.next).Detail("why", clean(p.Message, maxLine))
}

// bad returns the error about an answer that cannot be used.
func bad(why error) error {
	return fault.New(fault.BadSource, fmt.Errorf("the answer of the helper cannot be used: %w", why), "correct the helper: "+readDocs)
}

// failed returns the error about a helper that has failed and says nothing of it in JSON. One of docker
// writes why to its standard output.
//
// https://github.com/docker/docker-credential-helpers#development
func (r result) failed(format external.Format) error {
	code, next := fault.BadSource, "look at the helper, and at what it needs"
	if r.code == exitLater {
		code, next = fault.NoSource, "look at what the helper needs, if it lasts"
	}
	what := fmt.Errorf("the helper has failed (%s)", r.end)
	switch {
	case format == external.Docker:
		return fault.New(code, what, next).Detail("why", clean(string(r.out), maxLine))
	case len(r.out) > 0:
		what = unread{what}
	}
	return fault.New(code, what, next)
}

// explain adds to an error which helper it is about and what that has said, and masks secrets in it.
// If the output was not read, what the helper has said is not shown: it could hold the same secrets.
func (r result) explain(t external.Terms, err error, secrets []mask.Secret) error {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	masked, _ := masker(secrets)
	for i := range e.Rows {
		e.Rows[i].Text = masked(e.Rows[i].Text)
	}
	e.Next = masked(e.Next)
	_ = e.With("helper", t.Command[0])
	if _, hidden := errors.AsType[unread](err); !hidden || len(r.out) == 0 {
		_ = e.With("it says", r.shown(secrets))
	}
	return err
}

// shown returns what the helper has said, without the secrets. If one of them cannot be masked,
// nothing is shown.
func (r result) shown(secrets []mask.Secret) string {
	masked, all := masker(secrets)
	if !all {
		return ""
	}
	return lines(masked(r.said))
}

// masker returns a function that masks secrets in a text, and whether it masks all of them: one that
// is too short cannot be masked.
func masker(secrets []mask.Secret) (masked func(string) string, all bool) {
	masks := mask.NewMasks()
	all = true
	for _, s := range secrets {
		if s.Reveal() != "" {
			all = masks.Add(mask.Named{Kind: "secret", Value: s}) == nil && all
		}
	}
	return masks.Text, all
}

// lines returns a text as lines that a log can show.
func lines(text string) string {
	var shown []string
	for line := range strings.Lines(text[:min(len(text), maxShown)]) {
		if len(shown) == maxLines {
			shown = append(shown, "...")
			break
		}
		if line = clean(line, maxLine); line != "" {
			shown = append(shown, line)
		}
	}
	return strings.Join(shown, "\n")
}

// clean returns a text as a line of at most that many characters, without control characters.
func clean(text string, most int) string {
	line := []rune(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(text, "?")))
	if len(line) > most {
		line = append(line[:most:most], []rune("...")...)
	}
	return strings.TrimSpace(string(line))
}

package helper

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"rolecall/internal/creds"
	"rolecall/internal/creds/external"
	"rolecall/internal/mask"
)

// given is what an answer gives. Nothing of it is judged until judge.
type given struct {
	creds.Credential

	expires time.Time
	state   string // given back when it is revoked
}

// answer is the answer of a helper of our own format. docs/sources.md describes it.
type answer struct {
	Version int               `json:"version"`
	Env     map[string]string `json:"env"`
	Files   map[string]file   `json:"files"`
	Plain   []string          `json:"plain"`
	Expires string            `json:"expires"`
	State   string            `json:"state"`
	Error   *problem          `json:"error"`
}

// file is a file of an answer.
type file struct {
	Name    string `json:"name"`
	Content string `json:"content"`
}

// read reads the answer of a helper. A helper that has failed is an error.
func read(r result, t external.Terms) (given, error) {
	if t.Format == external.Rolecall {
		a, err := readOwn(r)
		if err != nil {
			return given{}, err
		}
		return a.given(t.Source)
	}
	if r.code != 0 {
		return given{}, r.failed(t.Format)
	}
	switch t.Format {
	case external.AWS:
		return readAWS(r.out)
	case external.Docker:
		return readDocker(r.out, t)
	}
	return readKubernetes(r.out, t.Source)
}

// readOwn reads an answer of our own format.
func readOwn(r result) (answer, error) {
	var a answer
	err := decode(r.out, true, &a)
	switch {
	case err == nil && a.Version == version && a.Error != nil && r.code >= 0 && r.code <= exitLater:
		return a, a.Error.fault()
	case r.code != 0:
		return a, r.failed(external.Rolecall)
	case err != nil:
		return a, bad(err)
	case a.Version != version:
		return a, bad(unread{fmt.Errorf("its version is %d, want %d", a.Version, version)})
	}
	return a, nil
}

// readRevoked returns an error unless a helper has revoked what it gave. It need not answer.
func readRevoked(r result) error {
	if r.code == 0 && len(bytes.TrimSpace(r.out)) == 0 {
		return nil
	}
	_, err := readOwn(r)
	return err
}

// given returns what an answer gives to a job. The names of files begin with that of the source: those
// of two sources lie side by side.
func (a answer) given(source string) (given, error) {
	g := given{state: a.State}
	for _, name := range slices.Sorted(maps.Keys(a.Env)) {
		g.Env = append(g.Env, creds.Variable{Name: name, Value: mask.NewSecret(a.Env[name])})
		if !slices.Contains(a.Plain, name) {
			g.hide("value of "+name, a.Env[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.Files)) {
		f := a.Files[name]
		g.Files = append(g.Files, creds.File{Name: source + "." + f.Name, Variables: []string{name}, Content: mask.NewSecret(f.Content)})
		if !slices.Contains(a.Plain, name) {
			g.hide("file of "+name, f.Content)
		}
	}
	var err error
	g.expires, err = readTime(a.Expires)
	return g, err
}

// hide adds a secret.
func (g *given) hide(kind, value string) {
	g.Secrets = append(g.Secrets, mask.Named{Kind: kind, Value: mask.NewSecret(value)})
}

// secrets returns the values of the secrets.
func (g given) secrets() []mask.Secret {
	var all []mask.Secret
	for _, s := range g.Secrets {
		all = append(all, s.Value)
	}
	return all
}

// judge returns an error unless a job can have what is given.
func (g given) judge(t external.Terms) error {
	names := g.names()
	if len(names) == 0 {
		return bad(errors.New("it gives nothing"))
	}
	for _, name := range names {
		if !slices.Contains(t.Sets, name) {
			return bad(fmt.Errorf("it gives %s, which is not in sets of the source", clean(name, maxWord)))
		}
	}
	for _, f := range g.Files {
		if strings.HasSuffix(f.Name, ".") {
			return bad(fmt.Errorf("the file for %s has no name, or one that ends with a dot", f.Variables[0]))
		}
	}
	for _, s := range g.Secrets {
		if n := len(s.Value.Reveal()); n < mask.MinLen {
			return bad(fmt.Errorf("the %s has %d bytes; a secret of less than %d cannot be masked", s.Kind, n, mask.MinLen))
		}
	}
	if !g.expires.IsZero() && !g.expires.After(time.Now()) {
		return bad(fmt.Errorf("it expired at %s, by the clock of this host", g.expires.UTC().Format(time.RFC3339)))
	}
	c := g.Credential
	c.Provider = external.Name
	if err := (creds.Set{c}).In(func(string) string { return "/" }).Check(); err != nil {
		return bad(err)
	}
	return nil
}

// readTime reads when a credential expires.
func readTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	when, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return when, bad(errors.New("the time at which it expires is not in the form of RFC 3339, such as 2031-02-03T04:05:06Z"))
	}
	return when, nil
}

// decode reads one document of JSON. If it is strict, an unknown field is an error: one that is
// misspelled would have no effect. The error quotes no value.
func decode(out []byte, strict bool, to any) error {
	d := json.NewDecoder(bytes.NewReader(out))
	if strict {
		d.DisallowUnknownFields()
	}
	err := d.Decode(to)
	if err != nil || !utf8.Valid(out) {
		return unread{unfit(err, bytes.TrimSpace(out))}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return unread{errors.New("there is something after its JSON document")}
	}
	return nil
}

// unfit says why an output cannot be read, with the error of the JSON package.
func unfit(err error, out []byte) error {
	field, unknown := "", false
	if err != nil {
		field, unknown = strings.CutPrefix(err.Error(), "json: unknown field ")
	}
	kind, wrong := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case len(out) == 0:
		return errors.New("it is empty")
	case out[0] == '<':
		return errors.New("it looks like HTML, and is not JSON")
	case unknown:
		return fmt.Errorf("it has a field that the contract does not have: %s", clean(field, maxWord))
	case wrong && kind.Field != "":
		return fmt.Errorf("its field %s is not of the kind that the contract says", clean(kind.Field, maxWord))
	}
	return errors.New("it is not a JSON object in UTF-8")
}

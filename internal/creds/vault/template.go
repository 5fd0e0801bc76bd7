package vault

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"rolecall/internal/tenant"
)

// Template is a text with places for fields of an answer: {field}; {field|url}, for a part of a
// URL; and {field|json}, any value as JSON. {{ and }} are braces.
type Template []piece

// piece is a part of a template: a text, or a place for a field.
type piece struct {
	text  string
	field string // empty: it is the text
	form  string // "", url or json
}

// maxField bounds the name of a field, in bytes.
const maxField = 80

// ParseTemplate reads a template.
func ParseTemplate(text string) (Template, error) {
	var t Template
	for text != "" {
		one, rest, err := next(text)
		if err != nil {
			return nil, err
		}
		t, text = append(t, one), rest
	}
	return t, nil
}

// next reads the first piece of a text that is not empty.
func next(text string) (one piece, rest string, err error) {
	at := strings.IndexAny(text, "{}")
	switch {
	case at < 0:
		return piece{text: text}, "", nil
	case at > 0:
		return piece{text: text[:at]}, text[at:], nil
	case strings.HasPrefix(text, "{{"), strings.HasPrefix(text, "}}"):
		return piece{text: text[:1]}, text[2:], nil
	case text[0] == '}':
		return piece{}, "", errors.New("a } belongs to no {; write }} for a brace")
	}
	inner, rest, closed := strings.Cut(text[1:], "}")
	if !closed || strings.Contains(inner, "{") {
		return piece{}, "", errors.New("a { has no }; write {{ for a brace")
	}
	one.field, one.form, _ = strings.Cut(inner, "|")
	return one, rest, one.check(inner)
}

// check returns an error if a place, whose text is inner, is not for a field.
func (p piece) check(inner string) error {
	switch {
	case p.field == "" || len(p.field) > maxField || strings.TrimSpace(p.field) != p.field || strconv.Quote(p.field) != `"`+p.field+`"`:
		return fmt.Errorf("{%s} is not the name of a field", strings.Trim(tenant.Quote(inner), `"`))
	case strings.Contains(inner, "|") && p.form != "url" && p.form != "json":
		return fmt.Errorf("{%s}: after the | comes url or json", strings.Trim(tenant.Quote(inner), `"`))
	}
	return nil
}

// Fields returns the names of the fields, in their order.
func (t Template) Fields() []string {
	var names []string
	for _, p := range t {
		if p.field != "" {
			names = append(names, p.field)
		}
	}
	return names
}

// Render returns the text with the fields of an answer in their places. Numbers must be of the
// type json.Number, and stand as JSON has them. The error says which field is wrong, not its value.
func (t Template) Render(fields map[string]any) (string, error) {
	var text strings.Builder
	for _, p := range t {
		part, err := p.render(fields)
		if err != nil {
			return "", err
		}
		text.WriteString(part)
	}
	return text.String(), nil
}

// render returns the text of a piece.
func (p piece) render(fields map[string]any) (string, error) {
	if p.field == "" {
		return p.text, nil
	}
	value, there := fields[p.field]
	switch {
	case !there:
		return "", &FieldError{p.field, "the answer has no such field"}
	case value == nil || value == "":
		return "", &FieldError{p.field, "it is empty"}
	case p.form == "json":
		return asJSON(value), nil
	}
	text, ok := Text(value)
	if !ok {
		return "", &FieldError{p.field, "it is an object or a list; write {" + p.field + "|json} for it as JSON"}
	}
	if p.form == "url" {
		text = strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
	}
	return text, nil
}

// Text returns a text, a number or a truth value as a text, and false for any other value.
func Text(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return fmt.Sprint(v), true
	}
	return "", false
}

// asJSON returns a value that was read from JSON as JSON in one line, without escapes for HTML.
func asJSON(value any) string {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // cannot fail: it was JSON
	return strings.TrimSuffix(text.String(), "\n")
}

// FieldError says what is wrong with a field of an answer.
type FieldError struct{ Field, Why string }

// Error returns the name of the field, and what is wrong with it.
func (e *FieldError) Error() string { return "field " + tenant.Quote(e.Field) + ": " + e.Why }

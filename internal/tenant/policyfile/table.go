package policyfile

import (
	"errors"
	"strings"
)

// Kind is the kind of value that a key has.
type Kind string

// The kinds of values.
const (
	Text   Kind = "a text in quotes"
	Number Kind = "a whole number, without quotes"
	Switch Kind = "true or false, without quotes"
	List   Kind = `a list of texts, such as ["a", "b"]`
)

// Keys are the keys that a table may have, with the kinds of their values.
type Keys map[string]Kind

// Table is a table of a policy file that is being compiled. The values of its keys
// are of the kinds that Keys says.
type Table struct {
	compiler *compiler
	at       place
	label    string         // what messages begin with
	values   map[string]any // by key
	defaults map[string]any // of [defaults], for a tenant
}

// Has reports whether the table, or [defaults], has a key.
func (t Table) Has(key string) bool { return t.values[key] != nil || t.defaults[key] != nil }

// Fail reports that a key is missing, or what is wrong with its value.
func (t Table) Fail(key string, err error) { t.FailAt(key, -1, err) }

// FailAt reports what is wrong with an element of the list that a key has.
func (t Table) FailAt(key string, element int, err error) {
	t.at.key, t.at.element = key, element
	t.compiler.fail(t.at, t.label+key+": "+err.Error())
}

// Set reads the text of a key into to, if the table has that key. An error of read is
// reported.
func Set[T any](t Table, key string, read func(text string) (T, error), to *T) {
	text, ok := t.values[key].(string)
	if !ok {
		return
	}
	value, err := read(text)
	if err != nil {
		t.Fail(key, err)
		return
	}
	*to = value
}

// SetList reads the list of a key into to, if the table has that key. It replaces
// what was there. An empty list is an error.
func SetList[T any](t Table, key string, read func(text string) (T, error), to *[]T) {
	if texts, ok := t.values[key].([]any); ok && len(texts) == 0 {
		t.Fail(key, errors.New("the list is empty, so that no job could match; name one, or remove the key"))
	}
	SetAny(t, key, read, to)
}

// SetAny does what SetList does, for a list that may be empty.
func SetAny[T any](t Table, key string, read func(text string) (T, error), to *[]T) {
	texts, ok := t.values[key].([]any)
	if !ok {
		return
	}
	*to = make([]T, 0, len(texts))
	for i, item := range texts {
		text, _ := item.(string)
		value, err := read(text)
		if err != nil {
			t.FailAt(key, i, err)
			continue
		}
		*to = append(*to, value)
	}
}

// setLimit reads the number of a key, if there is one; 0 is no limit.
func (t Table) setLimit(key string, to *uint64) {
	number, ok := t.values[key].(int64)
	switch {
	case !ok:
	case number < 0:
		t.Fail(key, errors.New("want a number, or 0 for no limit"))
	default:
		*to = uint64(number)
	}
}

// setSwitch reads whether a key is true, if there is one.
func (t Table) setSwitch(key string, to *bool) {
	if value, ok := t.values[key].(bool); ok {
		*to = value
	}
}

// MadeOf reports whether text holds nothing but a-z, 0-9, - and the letters more.
func MadeOf(text, more string) bool {
	return strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789-"+more) == ""
}

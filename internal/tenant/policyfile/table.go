package policyfile

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"rolecall/internal/tenant"
)

// Kind is the kind of value that a key has.
type Kind string

// The kinds of values.
const (
	Text   Kind = "a text in quotes"
	Number Kind = "a whole number, without quotes"
	Switch Kind = "true or false, without quotes"
	List   Kind = `a list of texts, such as ["a", "b"]`
	Pairs  Kind = `a table of texts in one line, such as { a = "b" }`
)

// Keys are the keys that a table may have, with the kinds of their values.
type Keys map[string]Kind

// Table is a table of a policy file that is being compiled. The values of its keys
// have the kinds that Keys names.
type Table struct {
	compiler *compiler
	at       place
	label    string         // the beginning of messages about the table
	values   map[string]any // by key
	defaults map[string]any // of [defaults], for a tenant

	within map[string][]Table // lists of tables in it, by their names
}

// Tables returns the list of tables of that name within the table, such as the hops of a
// chain.
func (t Table) Tables(name string) []Table { return t.within[name] }

// Own reports whether the table itself has a key, whatever [defaults] says.
func (t Table) Own(key string) bool { return t.values[key] != nil }

// Text returns the text of a key, which is empty if the table does not have that key.
func (t Table) Text(key string) string {
	text, _ := t.values[key].(string)
	return text
}

// FailTable reports an error about the table as a whole.
func (t Table) FailTable(err error) { t.compiler.fail(t.at, t.label+err.Error()) }

// Has reports whether the table, or [defaults], has a key.
func (t Table) Has(key string) bool { return t.values[key] != nil || t.defaults[key] != nil }

// Fail reports an error about a key or its value.
func (t Table) Fail(key string, err error) { t.FailAt(key, -1, err) }

// FailAt reports an error about one element of a key's list.
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

// SetList replaces to by the list of a key, if the table has that key. An empty list is
// an error.
func SetList[T any](t Table, key string, read func(text string) (T, error), to *[]T) {
	if texts, ok := t.values[key].([]any); ok && len(texts) == 0 {
		t.Fail(key, errors.New("the list is empty, so no job could match; add an element, or remove the key"))
	}
	SetAny(t, key, read, to)
}

// SetAny does what SetList does, for a list that may be empty.
func SetAny[T any](t Table, key string, read func(text string) (T, error), to *[]T) {
	if texts, ok := t.values[key].([]any); ok {
		*to = readList(t, key, read, texts)
	}
}

// SetPairs hands each pair of a key's table to set, in the order of their names, if the table
// has that key. An error of set is reported.
func SetPairs(t Table, key string, set func(name, text string) error) {
	pairs, _ := t.values[key].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		text, _ := pairs[name].(string)
		if err := set(name, text); err != nil {
			t.Fail(key, err)
		}
	}
}

// SetSwitch reads the true or false of a key, if the table has that key.
func SetSwitch(t Table, key string, to *bool) { t.setSwitch(key, to) }

// readList reads the texts of a key's list, and reports those that read refuses.
func readList[T any](t Table, key string, read func(text string) (T, error), texts []any) []T {
	values := make([]T, 0, len(texts))
	for i, item := range texts {
		text, _ := item.(string)
		value, err := read(text)
		if err != nil {
			t.FailAt(key, i, err)
			continue
		}
		values = append(values, value)
	}
	return values
}

// limitProcesses sets the limit of processes of a unix user, if neither the table nor
// [defaults] says anything of it. Without a unix user there is none: the processes of
// the runner's user are not of jobs alone.
func (t Table) limitProcesses(runAs string, to *tenant.Limits) {
	if runAs != "" && !t.Has("max_processes") {
		to.Processes = tenant.DefaultProcesses
	}
}

// setLimit reads the number of a key, if the table has that key. 0 means no limit.
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

// setBound reads the number of a key, if the table has that key. It must be above 0.
func (t Table) setBound(key string, to *int64) {
	number, ok := t.values[key].(int64)
	switch {
	case !ok:
	case number <= 0:
		t.Fail(key, errors.New("want a number above 0"))
	default:
		*to = number
	}
}

// setSwitch reads the true or false of a key, if the table has that key.
func (t Table) setSwitch(key string, to *bool) {
	if value, ok := t.values[key].(bool); ok {
		*to = value
	}
}

// MadeOf reports whether text has no characters but a-z, 0-9, - and those in more.
func MadeOf(text, more string) bool {
	return strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789-"+more) == ""
}

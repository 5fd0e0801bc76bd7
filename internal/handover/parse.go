package handover

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"rolecall/internal/creds"
	"rolecall/internal/mask"
)

// File is a file that a script has written.
type File struct {
	Name    string // of the variable that holds its path
	Content []byte
	Secret  bool // its values are secrets
}

// Parse returns the values in files, sorted by name. A line is NAME=value, and the value is all
// after the first =, as it stands. Lines end with \n or \r\n; empty lines are nothing. The same
// name may come again with the same value, and is a secret if one of them is. Any other text is
// an error, and then nothing counts: the error has the line, and nothing of a value.
func Parse(files []File, providers []string) ([]Value, error) {
	var all []Value
	for _, f := range files {
		values, err := f.parse(providers)
		if err != nil {
			return nil, err
		}
		if all, err = merge(all, values); err != nil {
			return nil, err
		}
	}
	if len(all) > MaxValues {
		return nil, fmt.Errorf("a job can hand over %d values, and this one has %d", MaxValues, len(all))
	}
	slices.SortFunc(all, func(a, b Value) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// parse returns the values in the file.
func (f File) parse(providers []string) ([]Value, error) {
	if len(f.Content) > MaxFile {
		return nil, fmt.Errorf("the file of %s has more than %d bytes", f.Name, MaxFile)
	}
	if !utf8.Valid(f.Content) || strings.ContainsRune(string(f.Content), 0) {
		return nil, fmt.Errorf("the file of %s is not text in UTF-8; a value that is not must be handed over in base64", f.Name)
	}
	var values []Value
	for i, line := range strings.Split(string(f.Content), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line == "" {
			continue
		}
		v, err := f.value(line, providers)
		if err == nil {
			values, err = merge(values, []Value{v})
		}
		if err != nil {
			return nil, fmt.Errorf("line %d of the file of %s: %w", i+1, f.Name, err)
		}
	}
	return values, nil
}

// value returns the value of a line.
func (f File) value(line string, providers []string) (Value, error) {
	name, value, ok := strings.Cut(line, "=")
	if !ok {
		return Value{}, errors.New("want NAME=value; a value of several lines must be handed over in base64")
	}
	if err := CheckName(name, providers); err != nil {
		return Value{}, err
	}
	if err := creds.CheckVariable(name, value); err != nil {
		return Value{}, err
	}
	if f.Secret && len(value) < mask.MinLen {
		return Value{}, fmt.Errorf("the value of %s has %d bytes: a secret must have %d, since a shorter one cannot be masked", name, len(value), mask.MinLen)
	}
	return Value{name, mask.NewSecret(value), f.Secret}, nil
}

// merge adds values to others. A name that both have must have one value.
func merge(all, more []Value) ([]Value, error) {
	for _, v := range more {
		i := slices.IndexFunc(all, func(other Value) bool { return other.Name == v.Name })
		switch {
		case i < 0:
			all = append(all, v)
		case all[i].Value.Reveal() != v.Value.Reveal():
			return nil, fmt.Errorf("%s comes twice, with two values", v.Name)
		default:
			all[i].Secret = all[i].Secret || v.Secret
		}
	}
	return all, nil
}

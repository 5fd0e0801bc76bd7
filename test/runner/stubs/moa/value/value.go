// Package value has the type signatures that GitLab Runner needs of a package that is not public.
package value

import (
	"encoding/json"
	"errors"
	"iter"
)

type Kind int

const (
	NullKind Kind = iota
	StringKind
	NumberKind
	BoolKind
	ArrayKind
	ObjectKind
)

func (k Kind) String() string {
	return [...]string{"null", "string", "number", "bool", "array", "object"}[k]
}

var (
	ErrAttributeNotFound = errors.New("attribute not found")
	ErrInvalidKey        = errors.New("invalid key")
)

type Mapper interface {
	All() iter.Seq2[Value, Value]
	Attr(string) (Value, error)
	Get(Value) (Value, error)
	Keys() iter.Seq[Value]
	Len() int
	Values() iter.Seq[Value]
	WithMarks(uint16) Mapper
}

type Value struct {
	kind Kind
	text string
}

func (v Value) Kind() Kind             { return v.kind }
func (v Value) String() string         { return v.text }
func (v Value) WithMarks(uint16) Value { return v }
func (v Value) HasMarks(uint16) bool   { return false }
func (v *Value) UnmarshalJSON(b []byte) error {
	var x any
	if err := json.Unmarshal(b, &x); err != nil {
		return err
	}
	v.text = string(b)
	switch t := x.(type) {
	case string:
		v.kind, v.text = StringKind, t
	case float64:
		v.kind = NumberKind
	case bool:
		v.kind = BoolKind
	case []any:
		v.kind = ArrayKind
	case map[string]any:
		v.kind = ObjectKind
	}
	return nil
}
func (v Value) MarshalJSON() ([]byte, error) {
	if v.kind == StringKind {
		return json.Marshal(v.text)
	}
	if v.kind == NullKind {
		return []byte("null"), nil
	}
	return []byte(v.text), nil
}

func Null() Value           { return Value{} }
func String(s string) Value { return Value{kind: StringKind, text: s} }
func Object(Mapper) Value   { return Value{kind: ObjectKind} }

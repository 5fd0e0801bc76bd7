package comparison

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"rolecall/internal/admin/trust"
)

// Actual is a role as AWS has it.
type Actual struct {
	ARN     string
	Seconds int64

	statements []statement
	notes      []Finding // about statements that are not compared
}

// list is a text or several.
type list []string

// UnmarshalJSON reads both forms.
func (l *list) UnmarshalJSON(text []byte) error {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return err
	}
	values, several := value.([]any)
	if !several {
		values = []any{value}
	}
	for _, v := range values {
		*l = append(*l, fmt.Sprint(v)) // numbers and true are values, too
	}
	return nil
}

// principals are principals by their kind; * is every one of AWS.
type principals map[string]list

// UnmarshalJSON reads both forms.
func (p *principals) UnmarshalJSON(text []byte) error {
	if string(text) == `"*"` {
		*p = principals{"AWS": {"*"}}
		return nil
	}
	return json.Unmarshal(text, (*map[string]list)(p))
}

// statement is a statement of a trust policy.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
type statement struct {
	Sid          string
	Effect       string
	Principal    principals
	NotPrincipal principals
	Action       list
	NotAction    list
	Condition    map[string]map[string]list
}

// answer is what aws iam get-role prints.
type answer struct {
	Role struct {
		Arn                      string
		MaxSessionDuration       int64
		AssumeRolePolicyDocument json.RawMessage
	}
}

// Read reads what aws iam get-role prints.
func Read(content []byte) (Actual, error) {
	var a answer
	if err := json.Unmarshal(content, &a); err != nil || a.Role.Arn == "" || a.Role.AssumeRolePolicyDocument == nil {
		return Actual{}, errors.New("it is not what aws iam get-role prints with --output json")
	}
	text := []byte(a.Role.AssumeRolePolicyDocument)
	var encoded string
	if json.Unmarshal(text, &encoded) == nil { // the API has it URL-encoded, the AWS CLI does not
		decoded, err := url.PathUnescape(encoded)
		if err != nil {
			return Actual{}, fmt.Errorf("the trust policy: %w", err)
		}
		text = []byte(decoded)
	}
	r := Actual{ARN: a.Role.Arn, Seconds: a.Role.MaxSessionDuration}
	all, err := readStatements(text)
	if err != nil {
		return Actual{}, fmt.Errorf("the trust policy: %w", err)
	}
	for _, s := range all {
		r.add(s)
	}
	return r, nil
}

// readStatements reads the statements of a policy: a list, or one alone.
func readStatements(text []byte) ([]statement, error) {
	var document struct{ Statement json.RawMessage }
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	var all []statement
	if strings.HasPrefix(strings.TrimSpace(string(document.Statement)), "{") {
		document.Statement = slices.Concat([]byte("["), document.Statement, []byte("]"))
	}
	err := json.Unmarshal(document.Statement, &all)
	return all, err
}

// add adds a statement that is compared, or a note about one that is not.
func (r *Actual) add(s statement) {
	named := ""
	if s.Sid != "" {
		named = fmt.Sprintf(" %.40q", s.Sid)
	}
	switch {
	case s.Effect != "Allow":
		r.notes = append(r.notes, Finding{Kind: Narrower, Text: "a statement" + named + " denies, and is not compared"})
	case s.NotAction != nil || s.NotPrincipal != nil:
		r.notes = append(r.notes, Finding{Kind: Wider, Text: "a statement" + named + " allows all but what it names (NotAction, NotPrincipal)"})
	default:
		r.statements = append(r.statements, s)
	}
}

// statementsOf returns the statements of a plan's trust policy.
func statementsOf(d trust.Document) []statement {
	var all []statement
	for _, s := range d.Statement {
		one := statement{Effect: s.Effect, Principal: principals{}, Action: s.Action, Condition: map[string]map[string]list{}}
		for kind, who := range s.Principal {
			one.Principal[kind] = list{who}
		}
		for operator, keys := range s.Condition {
			one.Condition[operator] = map[string]list{}
			for key, values := range keys {
				one.Condition[operator][key] = values
			}
		}
		all = append(all, one)
	}
	return all
}

// atomsOf returns the atoms of statements.
func atomsOf(all []statement) []atom {
	var atoms []atom
	for _, s := range all {
		for _, kind := range sortedKeys(s.Principal) {
			for _, who := range s.Principal[kind] {
				for _, action := range s.Action {
					atoms = append(atoms, s.values(atom{principal: kind + " " + who, action: action})...)
				}
			}
		}
	}
	return atoms
}

// values returns an atom for each combination of values of the statement's conditions.
func (s statement) values(base atom) []atom {
	atoms := []atom{base}
	for _, operator := range sortedKeys(s.Condition) {
		for _, key := range sortedKeys(s.Condition[operator]) {
			atoms = with(atoms, operator, key, s.Condition[operator][key])
		}
	}
	return atoms
}

// with returns the atoms with one more condition. One whose operator is not known, and a second one
// on a key, is not compared.
func with(atoms []atom, operator, key string, values list) []atom {
	name := strings.TrimPrefix(operator, "ForAnyValue:")
	lower := strings.ToLower(key)
	var more []atom
	for _, a := range atoms {
		if _, twice := a.keys[lower]; twice || name != "StringEquals" && name != "StringLike" {
			a.unknown = append(slices.Clone(a.unknown), operator+" of "+key)
			more = append(more, a)
			continue
		}
		for _, value := range values {
			one := atom{a.principal, a.action, map[string]pattern{lower: parse(value, name == "StringLike")}, a.unknown}
			for other, has := range a.keys {
				one.keys[other] = has
			}
			more = append(more, one)
		}
	}
	return more
}

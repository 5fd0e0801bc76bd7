package fault

import "errors"

// Told is an Error in JSON, for another program of the driver.
type Told struct {
	Code   Code   `json:"code"`
	What   string `json:"what"`
	Rows   []Row  `json:"rows,omitempty"`
	Next   string `json:"next,omitempty"`
	Trace  string `json:"trace,omitempty"`
	Answer Answer `json:"answer,omitzero"`
}

// Tell returns an error in that form, and nil for nil.
func Tell(err error) *Told {
	if err == nil {
		return nil
	}
	t := &Told{Code: CodeOf(err), What: err.Error()}
	if e, ok := errors.AsType[*Error](err); ok {
		t.What, t.Rows, t.Next, t.Trace, t.Answer = e.What.Error(), e.Rows, e.Next, e.Trace, e.Answer
	}
	return t
}

// Err returns the error, and nil for nil.
func (t *Told) Err() error {
	if t == nil {
		return nil
	}
	return &Error{Code: t.Code, What: errors.New(t.What), Rows: t.Rows, Next: t.Next, Trace: t.Trace, Answer: t.Answer}
}

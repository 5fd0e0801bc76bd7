// Package errand is what the stages and the program handover tell each other. The program goes to
// the stores of handed-over values that lie on other hosts: run, which starts about ten times a
// job, must not pay for the way there.
package errand

import (
	"encoding/json"
	"errors"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/creds/clear"
	"rolecall/internal/fault"
	"rolecall/internal/handover"
	"rolecall/internal/mask"
)

// Program is the name of the program. It gets an Order as JSON on its standard input, and writes
// an Answer as JSON to its standard output, both with all secrets in the clear.
const Program = "handover"

// Order says what the program does for a job: it hands over a parcel, or takes those of its scope.
type Order struct {
	Settings handover.Settings
	Scope    handover.Scope
	Parcel   *handover.Parcel // what is handed over; nil: what jobs have handed over is taken

	Session *creds.Credential // of AWS, for a bucket
	Terms   json.RawMessage   // of the order of the source that Vault lets in
	Token   mask.Secret       // the ID token that it lets in

	Within time.Duration // how long the program may take
}

// orderJSON is an Order in JSON, with all secrets in the clear.
type orderJSON struct {
	Settings handover.Settings `json:"settings"`
	Scope    handover.Scope    `json:"scope"`
	Parcel   json.RawMessage   `json:"parcel,omitempty"`
	Session  *clear.Credential `json:"session,omitempty"`
	Terms    json.RawMessage   `json:"terms,omitempty"`
	Token    string            `json:"token,omitempty"`
	Within   time.Duration     `json:"within"`
}

// MarshalJSON returns the order as JSON, with all secrets in the clear.
func (o Order) MarshalJSON() ([]byte, error) {
	form := orderJSON{Settings: o.Settings, Scope: o.Scope, Terms: o.Terms, Token: o.Token.Reveal(), Within: o.Within}
	if o.Parcel != nil {
		form.Parcel = handover.Encode(*o.Parcel)
	}
	if o.Session != nil {
		session := clear.Reveal(*o.Session)
		form.Session = &session
	}
	return json.Marshal(form)
}

// UnmarshalJSON reads the JSON of MarshalJSON. Errors hold no secret.
func (o *Order) UnmarshalJSON(data []byte) error {
	var form orderJSON
	if err := json.Unmarshal(data, &form); err != nil {
		return errors.New("it is no order of a stage of rolecall")
	}
	*o = Order{Settings: form.Settings, Scope: form.Scope, Terms: form.Terms, Token: mask.NewSecret(form.Token), Within: form.Within}
	if form.Parcel != nil {
		p, err := handover.Decode(form.Parcel, form.Scope)
		if err != nil {
			return err
		}
		o.Parcel = &p
	}
	if form.Session != nil {
		session := form.Session.Hide()
		o.Session = &session
	}
	return nil
}

// Taken is what the program has taken.
type Taken struct {
	Parcels []handover.Parcel // of the scope, the newest of each job
	Refused []Refused         // what is in the store and was not taken
	Gone    int               // how many jobs have handed over something that the store has not any more
}

// Refused is something in the store that is not what a job of the scope has handed over.
type Refused struct {
	Object string `json:"object"` // its name in the store, in a form that can be printed
	Why    string `json:"why"`
}

// Answer is what the program has done, or why it has done nothing.
type Answer struct {
	Parcels []json.RawMessage `json:"parcels,omitempty"`
	Refused []Refused         `json:"refused,omitempty"`
	Gone    int               `json:"gone,omitempty"`
	Fault   *fault.Told       `json:"fault,omitempty"`
}

// NewAnswer returns an answer.
func NewAnswer(t Taken, err error) Answer {
	a := Answer{Fault: fault.Tell(err)}
	if err != nil {
		return a
	}
	a.Refused, a.Gone = t.Refused, t.Gone
	for _, p := range t.Parcels {
		a.Parcels = append(a.Parcels, handover.Encode(p))
	}
	return a
}

// Result returns what the program has taken for jobs of a scope, or its error.
func (a Answer) Result(scope handover.Scope) (Taken, error) {
	t := Taken{Refused: a.Refused, Gone: a.Gone}
	for _, content := range a.Parcels {
		p, err := handover.Decode(content, scope)
		if err != nil {
			return Taken{}, err
		}
		t.Parcels = append(t.Parcels, p)
	}
	return t, a.Fault.Err()
}

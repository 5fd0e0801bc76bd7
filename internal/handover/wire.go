package handover

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"rolecall/internal/mask"
)

// format is the version of the form of parcels that stores keep.
const format = 1

// parcelJSON is a Parcel in JSON. Its values are in the clear.
type parcelJSON struct {
	Format int         `json:"format"`
	Scope  Scope       `json:"scope"`
	Job    string      `json:"job"`
	JobID  int64       `json:"job_id"`
	At     time.Time   `json:"at"`
	Until  time.Time   `json:"until"`
	Values []valueJSON `json:"values"`
	Spent  bool        `json:"spent,omitempty"`
}

type valueJSON struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Secret bool   `json:"secret,omitempty"`
}

// Encode returns a parcel as JSON, with its values in the clear.
func Encode(p Parcel) []byte {
	form := parcelJSON{format, p.Scope, p.Job, p.JobID, p.At.UTC(), p.Until.UTC(), []valueJSON{}, p.Spent}
	for _, v := range p.Values {
		form.Values = append(form.Values, valueJSON{v.Name, v.Value.Reveal(), v.Secret})
	}
	var content bytes.Buffer
	encoder := json.NewEncoder(&content)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(form) // cannot fail: texts, numbers and times of four-digit years
	return content.Bytes()
}

// Decode reads what Encode has written. It fails unless the parcel has the scope, and each
// value is one that Parse returns. The error has nothing of the content.
func Decode(content []byte, scope Scope) (Parcel, error) {
	p, err := DecodeAny(content)
	switch {
	case err != nil:
		return Parcel{}, err
	case p.Scope != scope:
		return Parcel{}, errors.New("it is of jobs of another tenant, project, pipeline or trust class")
	}
	return p, nil
}

// DecodeAny does what Decode does, for a parcel of any scope. No job may have its values.
func DecodeAny(content []byte) (Parcel, error) {
	var form parcelJSON
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&form); err != nil || form.Format != format {
		return Parcel{}, errors.New("it is not what this version of rolecall hands over")
	}
	p := Parcel{Scope: form.Scope, Job: form.Job, JobID: form.JobID, At: form.At, Until: form.Until, Spent: form.Spent}
	for _, v := range form.Values {
		p.Values = append(p.Values, Value{v.Name, mask.NewSecret(v.Value), v.Secret})
	}
	return p, p.check()
}

// check fails unless Parse could have returned the values.
func (p Parcel) check() error {
	seen := map[string]bool{}
	for _, v := range p.Values {
		if err := p.checkValue(v); err != nil || seen[v.Name] || len(p.Values) > MaxValues {
			return errors.New("its values are not what a job can hand over")
		}
		seen[v.Name] = true
	}
	return nil
}

// checkValue fails unless Parse could have returned the value. That of a spent parcel has a name
// alone.
func (p Parcel) checkValue(v Value) error {
	value := v.Value.Reveal()
	if !p.Spent {
		_, err := File{Secret: v.Secret}.value(v.Name+"="+value, nil)
		return err
	}
	if value != "" {
		return errors.New("it has a content")
	}
	return CheckName(v.Name, nil)
}

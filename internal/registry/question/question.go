// Package question is what the prepare stage and the program registry tell each other. The
// program asks a registry of an image, with the rights of a script of the job: what comes
// from a registry is for no parser that is root.
package question

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/fault"
	"rolecall/internal/mask"
)

// Program is the name of the program. It gets a Question as JSON on its standard input, and
// writes an Answer as JSON to its standard output, and what it waits for to its standard
// error.
const Program = "registry"

// Question is an image whose digest is asked for.
type Question struct {
	Name     string
	Platform string
	Login    *backend.Login // nil: there is none
	Within   time.Duration  // how long the answer may take; 0: there is no bound
}

// wire is a Question in JSON, with an unmasked password.
type wire struct {
	Name     string `json:"name"`
	Platform string `json:"platform,omitempty"`
	Login    *login `json:"login,omitempty"`
	Within   int64  `json:"within,omitempty"` // nanoseconds
}

type login struct {
	Host     string `json:"host"`
	Username string `json:"username"`
	Password string `json:"password"`
	Source   string `json:"source"`
}

// MarshalJSON returns the question as JSON, with an unmasked password.
func (q Question) MarshalJSON() ([]byte, error) {
	out := wire{Name: q.Name, Platform: q.Platform, Within: int64(q.Within)}
	if l := q.Login; l != nil {
		out.Login = &login{l.Host, l.Username, l.Password.Reveal(), l.Source}
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads the JSON of MarshalJSON. Errors hold no password.
func (q *Question) UnmarshalJSON(data []byte) error {
	var in wire
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*q = Question{Name: in.Name, Platform: in.Platform, Within: time.Duration(in.Within)}
	if l := in.Login; l != nil {
		q.Login = &backend.Login{Host: l.Host, Username: l.Username, Password: mask.NewSecret(l.Password), Source: l.Source}
	}
	return nil
}

// Answer is what a registry says.
type Answer struct {
	Digest string      `json:"digest,omitempty"` // of the manifest for the platform
	Fault  *fault.Told `json:"fault,omitempty"`  // nil: there is none
}

// NewAnswer returns an answer with a digest or an error.
func NewAnswer(digest string, err error) Answer {
	if err != nil {
		digest = ""
	}
	return Answer{digest, fault.Tell(err)}
}

// Result returns the digest or the error of an answer.
func (a Answer) Result() (string, error) {
	if a.Fault == nil && !strings.HasPrefix(a.Digest, "sha256:") {
		return "", errors.New("the program registry has answered nothing")
	}
	return a.Digest, a.Fault.Err()
}

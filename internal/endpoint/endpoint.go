// Package endpoint holds what the run stage and the program endpoint tell each other. The
// endpoint gives a job its credentials by HTTP, as the container credentials of AWS, and
// renews them while a script runs.
//
// The run stage opens the sockets, and starts the program when the first client connects or
// the first credential must be renewed: the program links the SDK and net/http, and a job
// that asks for nothing must not pay for them.
//
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
package endpoint

import (
	"encoding/json"
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/creds"
	"rolecall/internal/creds/clear"
	"rolecall/internal/ledger"
)

// Program is the file name of the program endpoint. It lies in the same folder as run.
const Program = "endpoint"

// Credential is the file name of the program by which tools ask the endpoint for a credential.
const Credential = "credential"

// The descriptors that the program gets beside the standard streams.
const (
	Listener = 3 // listens for clients
	Sockets  = 4 // knows the sockets of the network that Listener is in
)

// Default is the name of the credential that has none.
const Default = "default"

// Path returns the path at which the endpoint serves a credential.
func Path(c creds.Credential) string {
	if c.Name == "" {
		return "/" + c.Provider + "/" + Default
	}
	return "/" + c.Provider + "/" + c.Name
}

// Order is what the program serves. It is one JSON value on its standard input, with all
// secrets in the clear. Answers follow it there.
type Order struct {
	Token   string          // what clients send as Authorization
	Also    []string        // what they may send as well: ID tokens of the job that its variables have in the place of Token
	Users   []backend.Users // whose processes may ask
	IDToken string          // of the job
	Job     int64           // id of the job
	Key     []byte          // of the hashes of the ledger
	Ends    time.Time       // when the ID token expires
	Early   float64         // from 0 to 1: how much earlier than necessary credentials are renewed
	Sources []Source

	Suspended string // why nothing is given for now; empty: it is given
}

// Source is a credential that is served and renewed.
type Source struct {
	Order      creds.Order
	Credential clear.Credential
	IDToken    string // of the source alone; empty: that of the Order. All tokens of a job end together
}

// Is reports whether a credential is that of the source, or takes its place.
func (s Source) Is(c creds.Credential) bool {
	return s.Credential.Provider == c.Provider && s.Credential.Name == c.Name
}

// Message is what the program tells the run stage: a line of JSON on its standard output.
// One of its fields is set.
type Message struct {
	// Renewed is a credential that must be kept before a client may have it. The program
	// waits for an Answer.
	Renewed *Renewed `json:",omitempty"`
	// Warning is for the job log, with names that are not ours in quotes.
	Warning string `json:",omitempty"`
}

// Renewed is a new credential, and its entries for the ledger.
type Renewed struct {
	Credential clear.Credential
	Entries    []ledger.Entry
}

// Answer says whether a renewed credential is kept; or, unasked, whether the tenant of the job is
// suspended.
type Answer struct {
	Kept bool
	Why  string `json:",omitempty"` // why it is not

	// Suspended says why nothing is given from now on; empty: it is given again. If it is nil,
	// the answer is one to a message.
	Suspended *string `json:",omitempty"`
}

// Encode returns a value as a line of JSON.
func Encode(v any) ([]byte, error) {
	line, err := json.Marshal(v)
	return append(line, '\n'), err
}

// Package answer writes what AWS's SDKs read of a server that gives containers their
// credentials: a credential, or why there is none.
//
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
package answer

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Refusal is an answer that is not a credential. SDKs try again after a Status of 5xx; some
// do after any.
type Refusal struct {
	Code    string        `json:"code"`
	Message string        `json:"message"`
	Status  int           `json:"-"`
	After   time.Duration `json:"-"` // when to try again, in whole seconds; 0: it is not said
}

// Credential answers with a credential, JSON in the form of the provider.
func Credential(w http.ResponseWriter, credential string) {
	head(w)
	_, _ = io.WriteString(w, credential)
}

// Refuse answers with a refusal.
func Refuse(w http.ResponseWriter, r Refusal) {
	head(w)
	if r.After > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(r.After/time.Second)))
	}
	w.WriteHeader(r.Status)
	_ = json.NewEncoder(w).Encode(r)
}

// head says what follows, and that nobody may keep it.
func head(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
}

package admin

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"

	"rolecall/internal/audit"
)

// hasher replaces names by hashes. One name has one hash in a bundle, and another in the next.
type hasher struct{ key []byte } // nil: names stay

// newHasher returns a hasher, which replaces nothing unless it is wanted.
func newHasher(wanted bool) hasher {
	if !wanted {
		return hasher{}
	}
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails
	return hasher{key}
}

// event returns a line of the audit log without names. Texts that may quote a name go.
func (h hasher) event(e audit.Event) audit.Event {
	if h.key == nil {
		return e
	}
	for kind, name := range map[string]*string{
		"user": &e.UserLogin, "userid": &e.UserID, "ref": &e.Ref, "environment": &e.Environment, "project": &e.ProjectPath, "client": &e.Client,
	} {
		*name = h.name(kind, *name)
	}
	e.JobProjectPath = h.name("project", e.JobProjectPath)
	e.Reason, e.Image, e.Services, e.Places, e.Rule = "", "", nil, nil, ruleName(e)
	return e
}

// ruleName returns the rule that has refused a job; those that allow one quote its project and ref.
func ruleName(e audit.Event) string {
	if e.Allowed != nil && !*e.Allowed {
		return e.Rule
	}
	return ""
}

// name returns the hash of a name.
func (h hasher) name(kind, name string) string {
	if name == "" {
		return ""
	}
	mac := hmac.New(sha256.New, h.key)
	_, _ = mac.Write([]byte(kind + "\x00" + name)) // never fails
	return kind + "-" + hex.EncodeToString(mac.Sum(nil)[:6])
}

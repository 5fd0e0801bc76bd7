package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/mask"
)

// maxIssued bounds the size of the driver's own copy, in bytes.
const maxIssued = 4 << 20

// issued is the content of the driver's own copy. The copy is JSON with the secrets in
// the clear; only the code in this file reveals secrets for it.
type issued struct {
	set creds.Set
	old []mask.Named // secrets of the credentials that Replace has replaced
}

// issuedJSON is the form of the driver's own copy.
type issuedJSON struct {
	Credentials []credentialJSON `json:"credentials"`
	Old         []secretJSON     `json:"old,omitempty"`
}

type credentialJSON struct {
	Provider string          `json:"provider"`
	Name     string          `json:"name,omitempty"`
	Env      []variableJSON  `json:"env,omitempty"`
	Files    []fileJSON      `json:"files,omitempty"`
	Secrets  []secretJSON    `json:"secrets,omitempty"`
	Facts    creds.Facts     `json:"facts,omitempty"`
	Expires  time.Time       `json:"expires,omitzero"`
	Revoke   json.RawMessage `json:"revoke,omitempty"`
}

type variableJSON struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type fileJSON struct {
	Name     string `json:"name"`
	Variable string `json:"variable"`
	Content  string `json:"content"`
}

type secretJSON struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
}

// encode returns the content of the file.
func (i issued) encode() ([]byte, error) {
	form := issuedJSON{Credentials: []credentialJSON{}, Old: revealAll(i.old)}
	for _, c := range i.set {
		form.Credentials = append(form.Credentials, reveal(c))
	}
	content, err := form.encode()
	if err == nil && len(content) > maxIssued {
		err = fmt.Errorf("the credentials take more than %d bytes", maxIssued)
	}
	return content, err
}

// encode returns the form as JSON. The error does not quote the form.
func (form issuedJSON) encode() ([]byte, error) {
	var content bytes.Buffer
	encoder := json.NewEncoder(&content)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(form) != nil {
		return nil, errors.New("the credentials cannot be written as JSON")
	}
	return content.Bytes(), nil
}

// errChanged says that the driver's own copy is not what the driver wrote.
var errChanged = errors.New("the content has changed since the driver wrote it")

// parseIssued reads what encode wrote. Any other content is an error, since only the
// driver writes the file. The error quotes nothing of the content.
func parseIssued(content []byte) (issued, error) {
	var form issuedJSON
	err := json.Unmarshal(content, &form)
	i := form.issued()
	again, encodeErr := i.encode()
	if err != nil || encodeErr != nil || i.check() != nil || !bytes.Equal(again, content) {
		return issued{}, errChanged
	}
	return i, nil
}

// issued returns what was issued, with its secrets hidden.
func (form issuedJSON) issued() issued {
	i := issued{old: hideAll(form.Old)}
	for _, c := range form.Credentials {
		i.set = append(i.set, hide(c))
	}
	return i
}

// check returns an error if encode must not write what was issued.
func (i issued) check() error {
	return errors.Join(i.set.Check(), creds.CheckSecrets(i.old))
}

// reveal returns a credential in the form of the driver's own copy.
func reveal(c creds.Credential) credentialJSON {
	form := credentialJSON{Provider: c.Provider, Name: c.Name, Facts: c.Facts, Expires: c.Expires.UTC(), Revoke: c.Revoke}
	for _, v := range c.Env {
		form.Env = append(form.Env, variableJSON{v.Name, v.Value.Reveal()})
	}
	for _, f := range c.Files {
		form.Files = append(form.Files, fileJSON{f.Name, f.Variable, f.Content.Reveal()})
	}
	form.Secrets = revealAll(c.Secrets)
	return form
}

// hide returns the credential that reveal has put into a form.
func hide(form credentialJSON) creds.Credential {
	c := creds.Credential{Provider: form.Provider, Name: form.Name, Facts: form.Facts, Expires: form.Expires, Revoke: form.Revoke}
	for _, v := range form.Env {
		c.Env = append(c.Env, creds.Variable{Name: v.Name, Value: mask.NewSecret(v.Value)})
	}
	for _, f := range form.Files {
		c.Files = append(c.Files, creds.File{Name: f.Name, Variable: f.Variable, Content: mask.NewSecret(f.Content)})
	}
	c.Secrets = hideAll(form.Secrets)
	return c
}

// revealAll returns secrets in the form of the driver's own copy.
func revealAll(secrets []mask.Named) []secretJSON {
	var form []secretJSON
	for _, s := range secrets {
		form = append(form, secretJSON{s.Kind, s.Value.Reveal()})
	}
	return form
}

// hideAll returns the secrets that revealAll has put into a form.
func hideAll(form []secretJSON) []mask.Named {
	var secrets []mask.Named
	for _, s := range form {
		secrets = append(secrets, mask.Named{Kind: s.Kind, Value: mask.NewSecret(s.Value)})
	}
	return secrets
}

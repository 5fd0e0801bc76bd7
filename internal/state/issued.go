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

// issued is what the driver's own copy holds. Its content is JSON in the clear; this
// file alone reveals secrets for it.
type issued struct {
	set creds.Set
	old []mask.Named // the secrets of what Replace has replaced
}

// issuedJSON is the form of the file.
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

// Read returns what was issued, from the driver's own copy, with the variables of
// files among the others. The error holds nothing of the content.
func (f *Folder) Read() (creds.Set, error) {
	set, _, err := f.ReadAll()
	return set, err
}

// Secrets returns all that was ever issued to the job, each with its kind: also what
// Replace has replaced, which may still be valid, and in a log or file of the job. The
// error holds nothing of it.
func (f *Folder) Secrets() ([]mask.Named, error) {
	_, secrets, err := f.ReadAll()
	return secrets, err
}

// ReadAll is Read and Secrets, with one look at the file.
func (f *Folder) ReadAll() (creds.Set, []mask.Named, error) {
	i, err := f.readIssued()
	return i.set.In(f.filePath), append(i.set.Secrets(), i.old...), err
}

// readIssued reads the driver's own copy. A Replace overwrites the one that it takes
// away, which this may just have opened: the next try then opens the new one.
func (f *Folder) readIssued() (issued, error) {
	var problem error
	for range 3 {
		content, err := f.dir.read(issuedName, maxIssued)
		if err != nil {
			return issued{}, err
		}
		i, err := parseIssued(content)
		if err == nil {
			return i, nil
		}
		problem = err
	}
	return issued{}, f.dir.errorf(issuedName, problem)
}

// encode returns the content of the file.
func (i issued) encode() ([]byte, error) {
	form := issuedJSON{Credentials: []credentialJSON{}, Old: revealAll(i.old)}
	for _, c := range i.set {
		form.Credentials = append(form.Credentials, reveal(c))
	}
	var content bytes.Buffer
	encoder := json.NewEncoder(&content)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(form); err != nil {
		return nil, errors.New("what was issued cannot be written as JSON") // the error of json may quote it
	}
	if content.Len() > maxIssued {
		return nil, fmt.Errorf("what was issued takes more than %d bytes", maxIssued)
	}
	return content.Bytes(), nil
}

// parseIssued reads what encode wrote. Anything else is an error, since nobody but
// the driver writes the file. The error holds nothing of the content.
func parseIssued(content []byte) (issued, error) {
	var form issuedJSON
	err := json.Unmarshal(content, &form)
	i := issued{old: hideAll(form.Old)}
	for _, c := range form.Credentials {
		i.set = append(i.set, hide(c))
	}
	again, encodeErr := i.encode()
	if err != nil || encodeErr != nil || i.check() != nil || !bytes.Equal(again, content) {
		return issued{}, errors.New("it is not as the driver wrote it")
	}
	return i, nil
}

// check checks all that encode writes.
func (i issued) check() error {
	return errors.Join(i.set.Check(), creds.CheckSecrets(i.old))
}

// reveal returns a credential as the file has it.
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

// hide returns the credential that the file has in that form.
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

// revealAll returns secrets as the file has them.
func revealAll(secrets []mask.Named) []secretJSON {
	var form []secretJSON
	for _, s := range secrets {
		form = append(form, secretJSON{s.Kind, s.Value.Reveal()})
	}
	return form
}

// hideAll returns the secrets that the file has in that form.
func hideAll(form []secretJSON) []mask.Named {
	var secrets []mask.Named
	for _, s := range form {
		secrets = append(secrets, mask.Named{Kind: s.Kind, Value: mask.NewSecret(s.Value)})
	}
	return secrets
}

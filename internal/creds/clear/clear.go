// Package clear is the form in which programs of the driver write credentials for each
// other: JSON with all secrets in the clear. It is for the driver's own copy of what was
// issued, and for pipes between two programs of the driver. Only this package reveals
// secrets for that.
package clear

import (
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/mask"
)

// Credential is a creds.Credential in the clear.
type Credential struct {
	Provider string         `json:"provider"`
	Name     string         `json:"name,omitempty"`
	Env      []Variable     `json:"env,omitempty"`
	Files    []File         `json:"files,omitempty"`
	Folders  []creds.Folder `json:"folders,omitempty"`
	Secrets  []Secret       `json:"secrets,omitempty"`
	Facts    creds.Facts    `json:"facts,omitempty"`
	Expires  time.Time      `json:"expires,omitzero"`
	Beside   bool           `json:"beside,omitempty"`
	Served   *Served        `json:"served,omitempty"`
}

// Variable is a creds.Variable in the clear.
type Variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// File is a creds.File in the clear.
type File struct {
	Name      string   `json:"name"`
	Variables []string `json:"variables,omitempty"`
	Content   string   `json:"content"`
	Names     []string `json:"names,omitempty"`
	As        string   `json:"as,omitempty"`
}

// Secret is a mask.Named in the clear.
type Secret struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
}

// Served is a creds.Served in the clear.
type Served struct {
	Answer string    `json:"answer"`
	URL    string    `json:"url,omitempty"`
	Token  string    `json:"token,omitempty"`
	Since  time.Time `json:"since,omitzero"`
}

// Reveal returns a credential in the clear.
func Reveal(c creds.Credential) Credential {
	form := Credential{Provider: c.Provider, Name: c.Name, Folders: c.Folders, Facts: c.Facts, Expires: c.Expires.UTC(), Beside: c.Beside}
	for _, v := range c.Env {
		form.Env = append(form.Env, Variable{v.Name, v.Value.Reveal()})
	}
	for _, f := range c.Files {
		form.Files = append(form.Files, File{f.Name, f.Variables, f.Content.Reveal(), f.Names, f.As})
	}
	form.Secrets = RevealSecrets(c.Secrets)
	if s := c.Served; s != nil {
		form.Served = &Served{s.Answer.Reveal(), s.URL, s.Token, s.Since.UTC()}
	}
	return form
}

// Hide returns the credential that Reveal has put into a form.
func (form Credential) Hide() creds.Credential {
	c := creds.Credential{Provider: form.Provider, Name: form.Name, Folders: form.Folders, Facts: form.Facts, Expires: form.Expires, Beside: form.Beside}
	for _, v := range form.Env {
		c.Env = append(c.Env, creds.Variable{Name: v.Name, Value: mask.NewSecret(v.Value)})
	}
	for _, f := range form.Files {
		c.Files = append(c.Files, creds.File{Name: f.Name, Variables: f.Variables, Content: mask.NewSecret(f.Content), Names: f.Names, As: f.As})
	}
	c.Secrets = HideSecrets(form.Secrets)
	if s := form.Served; s != nil {
		c.Served = &creds.Served{Answer: mask.NewSecret(s.Answer), URL: s.URL, Token: s.Token, Since: s.Since}
	}
	return c
}

// RevealSecrets returns secrets in the clear.
func RevealSecrets(secrets []mask.Named) []Secret {
	var form []Secret
	for _, s := range secrets {
		form = append(form, Secret{s.Kind, s.Value.Reveal()})
	}
	return form
}

// HideSecrets returns the secrets that RevealSecrets has put into a form.
func HideSecrets(form []Secret) []mask.Named {
	var secrets []mask.Named
	for _, s := range form {
		secrets = append(secrets, mask.Named{Kind: s.Kind, Value: mask.NewSecret(s.Value)})
	}
	return secrets
}

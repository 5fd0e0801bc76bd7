// Package kv keeps what jobs hand over in the store of keys and values of Vault or OpenBao, version
// 2. It logs in anew for each errand, by the job's ID token and the source of its tenant.
//
// https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2
package kv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"rolecall/internal/creds/server"
	"rolecall/internal/creds/vault"
	"rolecall/internal/creds/vault/client"
	"rolecall/internal/fault"
	"rolecall/internal/handover/errand"
	"rolecall/internal/handover/shelf"
	"rolecall/internal/idtoken"
	"rolecall/internal/message"
)

// field is the field of a secret that has what was handed over.
const field = "parcel"

// Folder is a folder of the store.
type Folder struct {
	visit  *client.Visit
	mount  string        // of the store
	path   string        // below the mount
	maxAge time.Duration // how long an object is kept
}

// Open logs in as an order says, and returns the folder with a path below that of the order. Objects
// that are put there are deleted by Vault at their max_age.
func Open(ctx context.Context, o errand.Order, path string) (*Folder, error) {
	terms, err := vault.ParseTerms(o.Terms)
	if err != nil {
		return nil, err
	}
	mount, below, ok := strings.Cut(o.Settings.Path+"/", "/data/")
	if !ok || mount == "" {
		return nil, fault.New(fault.BadStore, errors.New("path of the store has no data/ after the mount"), "correct path in the table handover of the policy file, as in secret/data/rolecall")
	}
	parsed, err := idtoken.Parse(o.Token.Reveal())
	if err != nil {
		return nil, fault.New(fault.NoToken, errors.New("the job has no ID token for the store of handed-over values"), "the job needs the id_tokens of the tenant's source of Vault")
	}
	visit, err := client.Enter(ctx, terms, parsed)
	if err != nil {
		return nil, away(err)
	}
	return &Folder{visit, mount, below + path + "/", o.Settings.MaxAge}, nil
}

// data and metadata return the paths of an object, and metadata of the folder for an empty name.
func (f *Folder) data(name string) string     { return f.mount + "/data/" + f.path + name }
func (f *Folder) metadata(name string) string { return f.mount + "/metadata/" + f.path + name }

// Put writes an object. It fails with shelf.ErrThere if there is one of that name already. When it
// is deleted is said first: Vault looks at that when a version is written.
func (f *Folder) Put(ctx context.Context, name string, content []byte) error {
	about := map[string]any{"max_versions": 1, "delete_version_after": f.maxAge.String()}
	said, err := f.visit.Ask(ctx, http.MethodPost, f.metadata(name), server.JSON(about))
	if err != nil {
		return away(err)
	}
	if said.Status/100 != 2 {
		return f.refused(said, name)
	}
	body := map[string]any{"options": map[string]any{"cas": 0}, "data": map[string]string{field: string(content)}}
	if said, err = f.visit.Ask(ctx, http.MethodPost, f.data(name), server.JSON(body)); err != nil {
		return away(err)
	}
	switch {
	case said.Status/100 == 2:
		return nil
	case said.Status == http.StatusBadRequest && strings.Contains(said.Text, "check-and-set"):
		return shelf.ErrThere
	}
	return f.refused(said, name)
}

// List returns the objects in the folder. Vault says no sizes, and has also names of what is gone.
func (f *Folder) List(ctx context.Context) ([]shelf.Entry, error) {
	said, err := f.visit.Ask(ctx, "LIST", strings.TrimSuffix(f.metadata(""), "/"), server.Body{})
	switch {
	case err != nil:
		return nil, away(err)
	case said.Status == http.StatusNotFound && said.Text == "":
		return nil, nil
	case said.Status != http.StatusOK:
		return nil, f.refused(said, "")
	}
	names, _ := said.Data["keys"].([]any)
	var all []shelf.Entry
	for _, name := range names {
		text, _ := name.(string)
		all = append(all, shelf.Entry{Name: text})
	}
	return all, nil
}

// Get returns an object. It fails with shelf.ErrGone if there is none.
func (f *Folder) Get(ctx context.Context, name string) ([]byte, error) {
	said, err := f.visit.Ask(ctx, http.MethodGet, f.data(name), server.Body{})
	switch {
	case err != nil:
		return nil, away(err)
	case said.Status == http.StatusNotFound && said.Text == "":
		return nil, shelf.ErrGone
	case said.Status != http.StatusOK:
		return nil, f.refused(said, name)
	}
	fields, _ := said.Data["data"].(map[string]any)
	text, ok := fields[field].(string)
	if !ok || len(fields) != 1 {
		content, _ := json.Marshal(fields) // what opens it refuses it
		return content, nil
	}
	return []byte(text), nil
}

// Close revokes the token of the errand.
func (f *Folder) Close(ctx context.Context) error { return f.visit.Leave(ctx) }

// refused returns the error about a request that Vault has refused.
func (f *Folder) refused(said client.Said, name string) error {
	if said.Status == http.StatusForbidden {
		return f.visit.With(fault.New(fault.StoreDenied, errors.New("the policies of Vault do not allow the job to hand over values"), f.policy())).
			With(message.WhoActs, "the owner of Vault at "+f.visit.Host()+" (not the pipeline)").With("path", f.data(name))
	}
	return f.visit.With(fault.New(fault.BadStore, errors.New("the store of Vault cannot be used for handed-over values"),
		"path of the table handover must be one of version 2 of the store of keys and values; look by: vault secrets list -detailed").
		Detail("why", fmt.Sprintf("HTTP status %d", said.Status))).With("path", f.data(name))
}

// policy returns what a policy of the role must have.
func (f *Folder) policy() string {
	return fmt.Sprintf("a policy of the role must have:\npath %q { capabilities = [\"create\", \"update\", \"read\"] }\npath %q { capabilities = [\"create\", \"update\", \"list\"] }",
		f.data("*"), f.metadata("*"))
}

// away returns an error of the server that speaks of credentials as one of the store.
func away(err error) error {
	own, ok := errors.AsType[*fault.Error](err)
	if ok && own.Code == fault.NoSource {
		own.Code, own.What = fault.NoStore, errors.New("the store of handed-over values does not answer: "+strings.TrimPrefix(own.What.Error(), "no credentials: "))
	}
	return err
}

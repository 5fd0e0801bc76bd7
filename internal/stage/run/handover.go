package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/backend"
	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/handover"
	"rolecall/internal/job"
	"rolecall/internal/mask"
	"rolecall/internal/state"
)

// The files of a script in the job's own folder.
const (
	outName    = "rolecall.out"
	secretName = "rolecall.secret.out"
)

// putTime bounds how long a store may take.
const putTime = 30 * time.Second

// Store keeps what jobs hand over.
type Store interface {
	// Name returns the store's name in a policy file.
	Name() string
	// Put keeps a parcel for later jobs of its scope, in the place of that of an earlier try of
	// the job: as a whole, or not at all.
	Put(ctx context.Context, w handover.Way, p handover.Parcel) error
}

// outFiles returns the variables by which a script finds the files for what it hands over.
func (r running) outFiles(own string) []string {
	if own == "" || !r.handsOver() {
		return nil
	}
	return []string{handover.Out + "=" + own + "/" + outName, handover.SecretOut + "=" + own + "/" + secretName}
}

// handsOver reports whether the script can hand over values.
func (r running) handsOver() bool {
	return r.folder.Record().Handover != nil && job.StageName(r.Args[1]).IsScript()
}

// handOver keeps for later jobs what a script has handed over that has ended with 0: all of it, or
// nothing. Its secrets are masked before anything else is done with them.
func (r running) handOver() error {
	if !r.handsOver() {
		return nil
	}
	g, err := r.readIssued()
	if err != nil {
		return err
	}
	h := *r.folder.Record().Handover
	values, err := r.written(h)
	if err != nil || len(values) == 0 && !g.replaces() {
		return err
	}
	if values, err = r.conceal(values); err != nil {
		return err
	}
	return r.deliver(h, g, r.parcel(h, values))
}

// parcel returns what is kept of values.
func (r running) parcel(h state.Handover, values []handover.Value) handover.Parcel {
	now := time.Now()
	return handover.Parcel{Scope: h.Scope, Job: h.Job, JobID: int64(r.key.ID), At: now, Until: now.Add(h.Settings.MaxAge), Values: values}
}

// deliver gives a parcel to the store, and says so.
func (r running) deliver(h state.Handover, g given, p handover.Parcel) error {
	if err := r.tellHandedOver(h, p); err != nil {
		return err
	}
	if err := r.put(h, g, p); err != nil {
		return fmt.Errorf("what the script hands over cannot be kept, and later jobs get nothing of it: %w", err)
	}
	r.Log.Info(saying(h, p))
	return nil
}

// replaces reports whether an earlier try of the job has handed over something.
func (g given) replaces() bool {
	return slices.ContainsFunc(g.set, func(c creds.Credential) bool {
		return c.Provider == handover.Provider && c.Facts.Get(handover.Earlier) != ""
	})
}

// written returns what the script has written to its files, which are gone then.
func (r running) written(h state.Handover) ([]handover.Value, error) {
	users, err := r.place.Users(r.folder.Record().Data)
	if err != nil {
		return nil, err
	}
	plain, plainErr := r.readOut(handover.Out, outName, users)
	secret, secretErr := r.readOut(handover.SecretOut, secretName, users)
	if err := errors.Join(plainErr, secretErr); err != nil {
		return nil, err
	}
	secret.Secret = true
	return parseOut([]handover.File{plain, secret}, h.Taken)
}

// parseOut returns the values in files. An error is the author's.
func parseOut(files []handover.File, taken []string) ([]handover.Value, error) {
	values, err := handover.Parse(files, taken)
	if err != nil {
		return nil, refuseOut(err)
	}
	return values, nil
}

// readOut reads the file of a variable, which is gone then. It must belong to one of users.
func (r running) readOut(variable, name string, users []backend.Users) (handover.File, error) {
	content, err := r.folder.ReadOwn(name, handover.MaxFile, func(uid uint32) bool { return has(users, uid) })
	if odd, ok := errors.AsType[state.OwnError](err); ok {
		err = refuseOut(fmt.Errorf("the file of %s %w", variable, odd))
	}
	return handover.File{Name: variable, Content: content}, err
}

// has reports whether a uid is one of users.
func has(users []backend.Users, uid uint32) bool {
	return slices.ContainsFunc(users, func(u backend.Users) bool { return u.Has(uid) })
}

// refuseOut returns the author's error that nothing is handed over.
func refuseOut(err error) error {
	return fault.New(fault.BadHandover, fmt.Errorf("nothing is handed over to later jobs: %w", err),
		"write lines NAME=value to these files; see docs/handover.md")
}

// conceal makes the secrets among values secrets of the job. A value that holds a secret of the job
// is one too.
func (r running) conceal(values []handover.Value) ([]handover.Value, error) {
	if err := r.keepSecret(handover.Secrets(values)); err != nil {
		return nil, err
	}
	var found []handover.Value
	values = slices.Clone(values)
	for i, v := range values {
		if !v.Secret && r.holdsSecret(v.Value.Reveal()) {
			values[i].Secret = true
			found = append(found, values[i])
			r.Log.Warnf("%s holds a secret of the job, and is handed over as a secret; write it to the file that %s names", v.Name, handover.SecretOut)
		}
	}
	return values, r.keepSecret(handover.Secrets(found))
}

// holdsSecret reports whether a text has a secret of the job in it, in any form.
func (r running) holdsSecret(text string) bool { return r.Masked(text) != text }

// keepSecret masks secrets from now on, also in later stages, and lets the gate look for them.
func (r running) keepSecret(secrets []mask.Named) error {
	if err := r.Mask(secrets...); err != nil {
		return err
	}
	return r.folder.Conceal(secrets)
}

// tellHandedOver writes to the audit log what is handed over. Nothing is that the log does not have.
func (r running) tellHandedOver(h state.Handover, p handover.Parcel) error {
	return r.folder.Record().Audit.Tell(audit.HandedOver, name, func(e *audit.Event) {
		e.Hand(p.Names(), nil)
		e.Store, e.Stage = h.Settings.Store, r.Args[1]
		e.Until = p.Until
	})
}

// put gives a parcel to the store.
func (r running) put(h state.Handover, g given, p handover.Parcel) error {
	store, err := handover.Named(r.parts.Stores, h.Settings.Store)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), putTime)
	defer cancel()
	return store.Put(ctx, r.way(h, g), p)
}

// way returns how the job reaches its store.
func (r running) way(h state.Handover, g given) handover.Way {
	w := handover.Way{Settings: h.Settings, Root: r.folder.Root(), Set: g.set, Service: r.Env.Service}
	if w.Order = h.Settings.OrderOf(g.orders); w.Order != nil {
		w.Token = r.tokenFor(*w.Order)
	}
	return w
}

// tokenFor returns the ID token that pays for an order.
func (r running) tokenFor(o creds.Order) mask.Secret {
	name := cmp.Or(o.IDToken, r.folder.IDToken())
	return mask.NewSecret(strings.TrimSuffix(r.Env.Request[name], "\n"))
}

// saying says what was handed over, to whom, and for how long.
func saying(h state.Handover, p handover.Parcel) string {
	if len(p.Values) == 0 {
		return "taken back: what an earlier try of this job had handed over to later jobs"
	}
	text := fmt.Sprintf("handed over to later jobs of this pipeline, of tenant %s and %s refs, until %s UTC: %s",
		h.Scope.Tenant, h.Scope.Class, p.Until.UTC().Format("2006-01-02 15:04"), strings.Join(marked(p.Values), ", "))
	if h.Settings.Store == handover.Local {
		text += ". Jobs on other hosts do not get it"
	}
	return text
}

// marked returns the names of values, and which ones are secrets.
func marked(values []handover.Value) []string {
	var names []string
	for _, v := range values {
		names = append(names, v.Name+map[bool]string{true: " (secret)"}[v.Secret])
	}
	return names
}

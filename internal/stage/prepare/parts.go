package prepare

import (
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"slices"
	"strings"

	"rolecall/internal/admission"
	"rolecall/internal/backend"
	"rolecall/internal/creds"
	"rolecall/internal/job"
	"rolecall/internal/session"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// Backend is a place that scripts can run in.
type Backend interface {
	backend.Reaper
	// Takes reports whether the backend runs a job.
	Takes(s backend.Spec) bool
	// Ready starts slow work that does not depend on the job.
	Ready()
	// Place makes the place ready for a job. The job's files must belong to the owner; nil
	// means the driver's user.
	Place(ctx context.Context, s backend.Spec) (backend.State, *backend.Owner, error)
	// Furnish gives the empty folder at path own to the user of a placed job. Before that
	// it makes copies there of the user's files, whose paths are below HOME. Service is
	// the environment of the runner's service.
	Furnish(data json.RawMessage, own string, files []backend.ToolFile, service []string) error
	// Build makes what a job needs beside its folders, such as a container. The record of
	// the job is written by then: whoever ends the job removes what Build has made.
	Build(ctx context.Context, data json.RawMessage, id job.ID, o backend.Order) error
	// Start starts cmd, a program of the driver, with the rights of a script and no others,
	// while Build works.
	Start(data json.RawMessage, cmd *exec.Cmd) error
}

// Parts are the backends and providers that the stage works with.
type Parts struct {
	Backends  []Backend // the first that takes a job runs it
	Providers []Provider
	Stores    []Store // of what jobs hand over
}

// backendFor returns the backend that runs a job.
func (p Parts) backendFor(s backend.Spec) (Backend, error) {
	for _, b := range p.Backends {
		if b.Takes(s) {
			return b, nil
		}
	}
	return nil, errors.New("this program has no backend that can run the job")
}

// Provider is a provider of credentials.
type Provider interface {
	policyfile.Provider
	admission.Provider
	session.Issuer
	// Ignores reports whether a variable of that name in the environment of the
	// runner's service must not reach the provider.
	Ignores(variable string) bool
	// ToolFiles returns the files in which the provider's tools keep credentials.
	ToolFiles() []creds.ToolFile
	// Report returns what the job log shows of a credential that has those facts.
	Report(facts creds.Facts) creds.Report
}

// toolFiles returns the files of tools of which a job gets copies in its own folder, with
// what its orders add to them. A job without a tenant has no identity in a cloud, not even
// one that an earlier job has left in a HOME.
func (p Parts) toolFiles(of tenant.Name, orders []creds.Order) []backend.ToolFile {
	files := []backend.ToolFile{{Path: creds.Docker().File}}
	if of == tenant.None {
		return files
	}
	for _, one := range p.Providers {
		for _, file := range one.ToolFiles() {
			files = append(files, backend.ToolFile{Path: file.File, End: endOf(orders, file.File)})
		}
	}
	return files
}

// endOf returns what orders add to the file of a tool.
func endOf(orders []creds.Order, file string) string {
	var end strings.Builder
	for _, o := range orders {
		for _, text := range o.Tools {
			if text.File == file {
				end.WriteString(text.Text)
			}
		}
	}
	return end.String()
}

// reportOf returns what the job log shows of a credential.
func (p Parts) reportOf(c creds.Credential) creds.Report {
	for _, one := range p.Providers {
		if one.Name() == c.Provider {
			return one.Report(c.Facts)
		}
	}
	return creds.Report{}
}

// schemas returns the providers, to read a policy file.
func (p Parts) schemas() []policyfile.Provider { return as[policyfile.Provider](p.Providers) }

// orderers returns the providers, to decide about a job.
func (p Parts) orderers() []admission.Provider { return as[admission.Provider](p.Providers) }

// issuers returns the providers, to issue credentials.
func (p Parts) issuers() []session.Issuer { return as[session.Issuer](p.Providers) }

// as returns providers as values of an interface that they implement.
func as[T any](providers []Provider) []T {
	all := make([]T, len(providers))
	for i, p := range providers {
		all[i] = any(p).(T)
	}
	return all
}

// ignore reports whether a provider ignores a variable.
func (p Parts) ignore(variable string) bool {
	return slices.ContainsFunc(p.Providers, func(one Provider) bool { return one.Ignores(variable) })
}

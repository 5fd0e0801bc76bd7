// Package carrier is the program handover: it carries what a job hands over to a store on other
// hosts, and what other jobs have handed over from there.
package carrier

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"rolecall/internal/fault"
	"rolecall/internal/handover"
	"rolecall/internal/handover/bucket"
	"rolecall/internal/handover/errand"
	"rolecall/internal/handover/kv"
	"rolecall/internal/handover/seal"
	"rolecall/internal/handover/shelf"
	"rolecall/internal/journal"
	"rolecall/internal/process"
	"rolecall/internal/tenant/policyfile"
	"rolecall/internal/version"
)

// maxOrder bounds an order, in bytes of JSON.
const maxOrder = 4 << 20

// leaveTime bounds how long the end of an errand may take, when its own time may be over.
const leaveTime = 5 * time.Second

// folder is the folder of a scope in a store.
type folder interface {
	Put(ctx context.Context, name string, content []byte) error
	List(ctx context.Context) ([]shelf.Entry, error)
	Get(ctx context.Context, name string) ([]byte, error)
	Close(ctx context.Context) error
}

// Program is the program handover.
type Program struct {
	// Journal gets what is left behind in a store; the zero Log gets nothing. Main sets it.
	Journal journal.Log
}

// Main runs the program as the main function of the process, and exits.
func Main() { process.Exit(Program{journal.OfHost()}.Serve) }

// Serve reads an errand.Order from in, and writes an errand.Answer to out. With --version as the
// only argument it writes its version instead. The environment names proxies and CAs only. It
// returns the exit code: 0 if it has written an answer, which may be an error, else 1, with the
// reason on stderr.
func (p Program) Serve(args, _ []string, in io.Reader, out, stderr io.Writer) (code int) {
	if slices.Equal(args, []string{"--version"}) {
		_, _ = fmt.Fprintf(out, "rolecall handover %s\n", version.Long()) // there is nobody else to tell
		return 0
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	var o errand.Order
	err := json.NewDecoder(io.LimitReader(in, maxOrder)).Decode(&o)
	if err == nil {
		err = json.NewEncoder(out).Encode(p.answer(ctx, o))
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "handover: %v\n", err)
		return 1
	}
	return 0
}

// answer does what the order says.
func (p Program) answer(ctx context.Context, o errand.Order) errand.Answer {
	within := o.Within
	if within <= 0 {
		within = time.Minute
	}
	work, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	c, err := open(work, o)
	if err != nil {
		return errand.NewAnswer(errand.Taken{}, err)
	}
	var taken errand.Taken
	if o.Parcel != nil {
		err = c.give(work, *o.Parcel)
	} else {
		taken, err = c.take(work)
	}
	leave, done := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer done()
	if left := c.folder.Close(leave); left != nil {
		p.Journal.Write(journal.Line{Priority: journal.Warning, Message: left.Error(), Code: string(fault.CodeOf(left))})
	}
	return errand.NewAnswer(taken, err)
}

// carrier does one errand.
type carrier struct {
	folder folder
	keys   seal.Keys // none: nothing is sealed
	scope  handover.Scope
}

// open reads what the order names, and opens the folder of its scope.
func open(ctx context.Context, o errand.Order) (c carrier, err error) {
	c.scope = o.Scope
	if c.keys, err = readKeys(o.Settings.SealKeyFiles); err != nil {
		return c, err
	}
	path, err := shelf.Path(o.Scope)
	if err != nil {
		return c, err
	}
	switch o.Settings.Store {
	case handover.S3:
		c.folder, err = openBucket(o, path, c.keys)
	case handover.Vault:
		c.folder, err = kv.Open(ctx, o, path)
	default:
		err = fault.New(fault.Programs, errors.New("this program does not know the store"), "install all programs of one version of rolecall")
	}
	return c, err
}

// openBucket opens a folder of a bucket. Nothing is put there in the clear.
func openBucket(o errand.Order, path string, keys seal.Keys) (folder, error) {
	if len(keys) == 0 {
		return nil, fault.New(fault.BadStore, errors.New("values for a bucket must be sealed, and there is no key"), "set seal_key_files in the table handover of the policy file")
	}
	ca, err := policyfile.ReadNamed("handover.ca_bundle", o.Settings.CABundle)
	if err != nil {
		return nil, err
	}
	return bucket.Open(o, path, ca)
}

// readKeys reads the files with keys, the newest first. A file that is missing or wrong is an error
// even if it is not the newest: values that jobs wait for would not open.
func readKeys(files []string) (seal.Keys, error) {
	var keys seal.Keys
	for _, file := range files {
		content, err := policyfile.ReadNamed("handover.seal_key_files", file)
		if err != nil {
			return nil, err
		}
		key, err := seal.ParseKey(content)
		if err != nil {
			return nil, fault.New(fault.BadPolicy, fmt.Errorf("handover.seal_key_files: %s: %w", file, err), "")
		}
		keys = append(keys, key)
	}
	return keys, nil
}

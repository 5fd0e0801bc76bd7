// Package prepare is the stage that gets a job its credentials.
package prepare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/aws/sts"
	"rolecall/internal/creds/store"
	"rolecall/internal/job"
	"rolecall/internal/mask"
	"rolecall/internal/stage"
	"rolecall/internal/tenant"
)

// Run decides which tenant the job is, assumes that tenant's role and writes the
// env file. A job of no tenant gets a record only, which the run stage asks for.
// Where it fails nothing is left behind. A signal ends it at once: the credentials
// are the last thing that it writes, and the runner calls cleanup.
func Run(c *stage.Call) error {
	signal.Ignore(syscall.SIGPIPE) // a report that nobody reads is an error like any other
	cgroup := findCgroup()
	response, err := job.ReadResponse(c.Env.ResponseFile)
	if err != nil {
		return err
	}
	root, err := store.Root(c.Env.Store)
	if err != nil {
		return err
	}
	order, err := decide(c, response, root)
	if err != nil {
		return err
	}
	record, err := newRecord(response, order, <-cgroup, c.Env.Request.TempProjectDir())
	if err != nil {
		return err
	}
	folder, err := store.Create(root, response.Key, record, c.Env.Request.TempProjectDir())
	if err != nil {
		return err
	}
	defer folder.Close()
	if order.grant.Tenant == tenant.None {
		return nil
	}
	return serve(c, response, order, folder, root)
}

// serve gets a job the credentials of its tenant.
func serve(c *stage.Call, response job.Response, order order, folder *store.Folder, root string) error {
	issued, err := issue(c.Env.Service, folder, order)
	if err == nil {
		err = report(c.Stdout, folder, issued, store.OnTmpfs(root))
	}
	if err != nil {
		// An error may hold words of others; the report holds none, so only this pays for a mask.
		return errors.Join(err, store.Remove(root, response.Key), c.Mask(mask.Named{Kind: "ID token", Value: order.ask.Token.Raw}))
	}
	return nil
}

// issue asks STS, tells the audit log and writes the env file.
func issue(service []string, folder *store.Folder, order order) (creds.Credential, error) {
	if err := keepSettings(service); err != nil {
		return creds.Credential{}, err
	}
	client := sts.NewClient()
	client.Server = order.server
	issued, err := client.Assume(context.Background(), order.ask)
	if err != nil {
		return creds.Credential{}, fmt.Errorf("tenant %q: %w", folder.Tenant(), err)
	}
	if err := order.log.issued(order, issued.Facts, issued.Expires); err != nil {
		return creds.Credential{}, err
	}
	return issued, folder.Write(creds.Set{issued})
}

// keepSettings unsets the service's AWS_ variables but those that the client of
// STS is documented to obey, so that the SDK sees no other.
func keepSettings(environ []string) error {
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if !aws.IsVariable(name) || slices.Contains(sts.Settings(), name) {
			continue
		}
		if err := os.Unsetenv(name); err != nil {
			return err
		}
	}
	return nil
}

package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rolecall/internal/admission"
	"rolecall/internal/endpoint"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/idtoken/jwks"
	"rolecall/internal/image/request"
	"rolecall/internal/job"
	"rolecall/internal/program"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// maxToken bounds how many bytes of a token are read. It is above the limit for tokens,
// so that a longer token is refused because of its length.
const maxToken = 64 << 10

// explain says what would be decided for a job, and by which rule. It asks no server.
func (d call) explain() *cobra.Command {
	var told program.Flags
	var file, token string
	var asJSON *bool
	c := newCommand("explain", "say what would be decided for a job, and by which rule", func() error {
		return d.runExplain(told, file, token, *asJSON)
	})
	asJSON = jsonFlag(c)
	set := c.Flags()
	set.StringVar(&told.Config, "config", "", "policy `FILE` (default "+policyfile.Default+")")
	set.StringVar(&told.Tenant, "tenant", "", "`NAME` of the tenant that the runner serves, as in its --tenant")
	set.BoolVar(&told.NoPolicy, "no-policy", false, "as on a runner with --no-policy")
	set.StringVar(&told.RunAs, "run-as", "", "as on a runner with --run-as `NAME`")
	set.StringVar(&file, "job", "", "the job response, a `FILE` as in JOB_RESPONSE_FILE")
	set.StringVar(&token, "token", "", "`FILE` with the job's ID token, - for standard input (default: from the job response)")
	return c
}

// runExplain prints the decision about the job of a response, with the ID token in a file if
// one is named.
func (d call) runExplain(told program.Flags, file, token string, asJSON bool) error {
	if file == "" {
		return usageError{errors.New("name the job response by --job")}
	}
	a, err := d.newCase(told, file)
	if err != nil {
		return err
	}
	if token != "" {
		if err := replaceToken(a, d.stdin, token); err != nil {
			return err
		}
	}
	e := explain(a)
	if err := d.print(e, e.String(), asJSON); err != nil || e.Allowed {
		return err
	}
	return errSick
}

// newCase returns what a decision about the job of a response rests on, for a runner
// whose stages have the flags told. The job's tokens are not read yet.
func (d call) newCase(told program.Flags, file string) (admission.Case, error) {
	policy, err := d.readPolicy(told)
	if err != nil {
		return admission.Case{}, err
	}
	response, err := job.ReadResponse(file)
	if err != nil {
		return admission.Case{}, err
	}
	c := admission.Case{Policy: policy, Response: response, Request: requestOf(response), ReadFile: policyfile.ReadNamed, ReadImages: request.Read}
	if c.Pinned, err = told.Pinned(); err != nil {
		return c, usageError{err}
	}
	if c.RunAs, err = told.User(os.Geteuid()); err != nil {
		return c, usageError{err}
	}
	c.NoRoot, c.NotAs = told.NoRoot(policy, os.Geteuid()), program.NotAs(os.Geteuid())
	c.NoContainers = program.NoContainers(os.Geteuid())
	c.CredentialProgram = program.PathBeside(endpoint.Credential) // all programs lie in one folder
	for _, p := range d.providers {
		c.Providers = append(c.Providers, p)
	}
	return c, nil
}

// requestOf returns what the job's variables request. If a variable occurs twice, the
// last value counts, as with the runner.
func requestOf(response job.Response) job.Request {
	request := job.Request{}
	for _, v := range response.Variables {
		request[v.Key] = v.Value
	}
	return request
}

// tokenNames returns the variables whose ID tokens count.
func tokenNames(c admission.Case) []string {
	if c.Policy == nil {
		return []string{tenant.IDToken}
	}
	return c.Policy.TokenNames(c.Pinned, c.Request["TENANT"])
}

// replaceToken replaces the job's token by the token in file; - is standard input.
func replaceToken(c admission.Case, stdin io.Reader, file string) error {
	raw, err := readToken(stdin, file)
	if err != nil {
		return fmt.Errorf("the token: %w", err)
	}
	for _, name := range tokenNames(c) {
		c.Request[name] = strings.TrimSpace(string(raw))
	}
	return nil
}

// readToken reads a file, or standard input if file is -.
func readToken(stdin io.Reader, file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(io.LimitReader(stdin, maxToken))
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxToken))
}

// explain decides as the prepare stage does. It checks the signature of tokens only if
// the issuer's keys are on disk.
func explain(c admission.Case) explanation {
	e := explanation{Rules: []rule{}, Notes: notes(c), Signature: "no ID token was read"}
	c.Read = reader(c, &e)
	d, err := admission.Decide(c)
	e.Rules = append(append(e.Rules, rules(c, d.Subject)...), checks(d)...)
	if err != nil {
		e.Side, e.Refusal = string(fault.SideOf(err)), refusal(err)
		return e
	}
	for _, note := range d.Notes {
		e.Notes = append(e.Notes, note.Text)
	}
	e.Allowed, e.Tenant = true, string(d.Grant.Tenant)
	e.addContainers(d)
	for i, o := range d.Orders {
		g := givenBy(o)
		if i == 0 { // the tenant's own come first
			e.Role, e.Region, e.Duration = g.Role, g.Region, g.Duration
		}
		e.Given = append(e.Given, g)
	}
	e.Requests = d.Grant.Requests
	e.Notes = append(e.Notes, advice(d.Grant.Gifts)...)
	return e
}

// advising is what settings of a source are about which an admin must look at something that
// nobody can look at without a credential.
type advising interface {
	// Advice returns what may be wrong, and how to look at it.
	Advice() (what, do string)
}

// advice returns what an admin must look at of the sources of a job.
func advice(gifts []tenant.Gift) []string {
	var all []string
	for _, gift := range gifts {
		if s, ok := gift.Settings.(advising); ok {
			what, do := s.Advice()
			all = append(all, fmt.Sprintf("source %s: %s; %s", gift.Name, what, do))
		}
	}
	return all
}

// refusal returns why a job is refused, with what is known of the case on lines below.
func refusal(err error) string {
	text, known := err.Error(), ""
	for _, row := range fault.Rows(err) {
		if row.Detail && row.Label == "why" {
			continue // the text has it
		}
		if row.Detail {
			text = strings.Replace(text, ": "+row.Text, "", 1)
		}
		known += fmt.Sprintf("\n  %-9s  %s", row.Label, row.Text)
	}
	return text + known
}

// reader returns how a token is read. It checks the signature if the policy file names
// keys on disk, and says in e whether it did.
func reader(c admission.Case, e *explanation) admission.Reader {
	if c.Policy == nil || c.Policy.Settings().GitLab.JWKSFile == "" {
		return func(raw string) (idtoken.Token, error) {
			e.Signature = "not checked: the policy file names no jwks_file, and explain asks no server"
			return idtoken.Parse(raw)
		}
	}
	return verifier(c.Policy.Settings().GitLab, e)
}

// verifier returns how a token is read and its signature checked, with keys on disk. The
// token may have expired since it was issued.
func verifier(gitlab tenant.GitLab, e *explanation) admission.Reader {
	return func(raw string) (idtoken.Token, error) {
		keys, err := policyfile.ReadNamed("gitlab.jwks_file", gitlab.JWKSFile)
		if err != nil {
			return idtoken.Token{}, err
		}
		e.Signature = "checked with the keys of " + gitlab.JWKSFile + ", as of when the token was issued"
		token, err := idtoken.Parse(raw)
		if err != nil {
			return token, err
		}
		issued := func() time.Time { return time.Unix(token.Claims.IssuedAt, 0) }
		return jwks.Source{Issuer: gitlab.Issuer, File: keys, Now: issued}.Verify(context.Background(), raw)
	}
}

// notes names the variables whose value the runner may change.
func notes(c admission.Case) []string {
	var notes []string
	for _, name := range append([]string{"TENANT", "ROLE_ARN", "AWS_REGION", "AWS_DEFAULT_REGION"}, tokenNames(c)...) {
		if strings.Contains(c.Request[name], "$") {
			notes = append(notes, name+" refers to another variable: the runner replaces it, explain does not")
		}
	}
	return notes
}

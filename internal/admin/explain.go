package admin

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"rolecall/internal/admission"
	"rolecall/internal/endpoint"
	"rolecall/internal/fault"
	"rolecall/internal/image/request"
	"rolecall/internal/job"
	"rolecall/internal/program"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// explain says what would be decided for a job, and by which rule. It asks no server.
func (d call) explain() *cobra.Command {
	var told program.Flags
	var described description
	var file, token, id string
	var asJSON *bool
	var log *string
	var set *pflag.FlagSet
	c := newCommand("explain", "say what would be decided for a job, and by which rule", func() error {
		switch by, err := chosen(set); {
		case err != nil:
			return err
		case by == "project":
			return d.explainDescribed(set, &described, told, *asJSON)
		case by == "job-id":
			return d.explainPast(strings.TrimSpace(id), asking{log: log, json: asJSON}, told)
		}
		return d.runExplain(told, file, token, *asJSON)
	})
	c.Long = `explain says which tenant a job gets, or why it is refused, and what each rule says. It decides as
the stages do, asks no server and gives nothing. Name a job in one of three ways: by what it looks
like, by its job response, or by its id in the audit log. The exit code is 1 if the job is refused.`
	c.Example = `  rolecall explain --project acme/shop --ref main --protected
  rolecall explain --job response.json --token token.jwt
  rolecall explain --job-id 4711`
	asJSON, set = jsonFlag(c), c.Flags()
	set.StringVar(&told.Config, "config", "", "policy `FILE` (default "+policyfile.Default+")")
	set.StringVar(&told.Tenant, "runner-tenant", "", "`NAME` of the tenant that the runner serves, as in its --tenant")
	set.BoolVar(&told.NoPolicy, "no-policy", false, "as on a runner with --no-policy")
	set.StringVar(&told.RunAs, "run-as", "", "as on a runner with --run-as `NAME`")
	set.StringVar(&file, "job", "", "the job response, a `FILE` as in JOB_RESPONSE_FILE")
	set.StringVar(&token, "token", "", "`FILE` with the job's ID token, - for standard input (default: from the job response)")
	set.StringVar(&id, "job-id", "", "explain a job that the audit log knows, by its `ID`: what was decided, and what would be today")
	log = logFlag(c)
	described.register(set)
	return c
}

// runExplain prints the decision about the job of a response, with the ID token in a file if
// one is named.
func (d call) runExplain(told program.Flags, file, token string, asJSON bool) error {
	if file == "" {
		return usageError{errors.New("name the job: its response by --job, or say what it looks like by --project and --ref")}
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
	return d.printExplained(explain(a), asJSON)
}

// printExplained prints the explanation of a decision. A refusal is an error.
func (d call) printExplained(e explanation, asJSON bool) error {
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
	c := admission.Case{Policy: policy, Response: response, Request: requestOf(response)}
	if c.Pinned, err = told.Pinned(); err != nil {
		return c, usageError{err}
	}
	err = d.place(&c, told)
	return c, err
}

// place puts into a case what it has of this host, for a runner whose stages have the flags told.
func (d call) place(c *admission.Case, told program.Flags) (err error) {
	if c.RunAs, err = told.User(os.Geteuid()); err != nil {
		return usageError{err}
	}
	c.ReadFile, c.ReadImages = policyfile.ReadNamed, request.Read
	c.NoRoot, c.NotAs = told.NoRoot(c.Policy, os.Geteuid()), program.NotAs(os.Geteuid())
	c.Suspended = told.Suspensions().Refuse
	c.NoContainers = program.NoContainers(os.Geteuid())
	c.CredentialProgram = program.PathBeside(endpoint.Credential) // all programs lie in one folder
	c.Providers = d.orderers()
	return nil
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

// explain decides as the prepare stage does. It checks the signature of tokens only if
// the issuer's keys are on disk.
func explain(c admission.Case) explanation {
	e := explanation{Rules: []rule{}, Notes: notes(c), Signature: "no ID token was read"}
	if c.Read == nil {
		c.Read = reader(c, &e)
	}
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

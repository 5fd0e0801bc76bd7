package admin

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"rolecall/internal/admin/history"
	"rolecall/internal/admin/sketch"
	"rolecall/internal/audit"
	"rolecall/internal/program"
	"rolecall/internal/tenant"
)

// past is a job of the audit log, with the decision of then and that of today.
type past struct {
	history.Job

	Decided *decided     `json:"decided,omitempty"` // nil: the log has no decision about the job
	Today   *explanation `json:"today,omitempty"`   // nil: too little is known
	Unknown []string     `json:"not_known"`         // of the job, so that the decision of today rests on a guess
}

// decided is a decision in the audit log.
type decided struct {
	Time    time.Time `json:"time"`
	Host    string    `json:"host,omitempty"`
	Version string    `json:"version,omitempty"` // of rolecall
	Allowed bool      `json:"allowed"`
	Tenant  string    `json:"tenant,omitempty"`
	Rule    string    `json:"rule,omitempty"`
	Code    string    `json:"code,omitempty"`
	Side    string    `json:"side,omitempty"`
	Reason  string    `json:"reason,omitempty"`

	text string
}

// pasts is the answer of explain about the jobs of an id.
type pasts struct {
	Jobs []past `json:"jobs"`
	Log  source `json:"log"`

	id string
}

// explainPast prints what was decided about the jobs of an id, and what would be decided today.
func (d call) explainPast(id string, a asking, told program.Flags) error {
	switch {
	case id == "":
		return usageError{errors.New("name the job by --job-id")}
	case told.NoPolicy:
		return usageError{errors.New("--job-id and --no-policy contradict each other: without a policy file there is no audit log")}
	}
	if _, err := told.Pinned(); err != nil {
		return usageError{err}
	}
	policy, err := d.readPolicy(told)
	if err != nil {
		return err
	}
	a.config = &told.Config
	log, err := d.open(a)
	if err != nil {
		return err
	}
	defer log.Close()
	p := pasts{Jobs: []past{}, id: id}
	for _, s := range history.Stories(log, id) {
		one, err := d.pastOf(s, policy, told)
		if err != nil {
			return err
		}
		p.Jobs = append(p.Jobs, one)
	}
	p.Log = sourceOf(log)
	if err := d.print(p, p.String(), *a.json); err != nil {
		return err
	}
	return d.done(log, p.allowed())
}

// allowed reports whether there are jobs, and today's policy file allows all of them.
func (p pasts) allowed() bool {
	refused := func(one past) bool { return one.Today == nil || !one.Today.Allowed }
	return len(p.Jobs) > 0 && !slices.ContainsFunc(p.Jobs, refused)
}

// pastOf returns what a log and today's policy file say of a job.
func (d call) pastOf(s history.Story, policy *tenant.Policy, told program.Flags) (past, error) {
	p := past{Job: s.Job, Unknown: []string{}}
	e, ok := s.Decision()
	if !ok {
		p.Unknown = append(p.Unknown, "the log has no decision about the job: it wanted no tenant, or the line is gone")
		return p, nil
	}
	p.Decided = decidedBy(e)
	j, err := sketched(e, told)
	p.Unknown = append(p.Unknown, unknownOf(j, e)...)
	if err != nil {
		p.Unknown = append(p.Unknown, "what would be decided today: "+err.Error())
		return p, nil //nolint:nilerr // the answer says it
	}
	if e.Issuer != policy.Settings().GitLab.Issuer {
		p.Today = &explanation{Rules: []rule{}, Side: "author", Signature: pastSignature, Refusal: fmt.Sprintf("the ID token is of %s, and the policy file trusts %s alone", tenant.Quote(e.Issuer), policy.Settings().GitLab.Issuer)}
		return p, nil
	}
	c, err := j.Case(policy)
	if err != nil {
		p.Unknown = append(p.Unknown, "what would be decided today: "+err.Error())
		return p, nil //nolint:nilerr // the answer says it
	}
	if err := d.place(&c, told); err != nil {
		return p, err
	}
	today := explain(c)
	today.Signature = pastSignature
	p.Today = &today
	return p, nil
}

// pastSignature says of a job of the log that no token was verified now.
const pastSignature = "no token was verified now: the claims are those that the audit log has of the job"

// decidedBy returns the decision of a line.
func decidedBy(e audit.Event) *decided {
	return &decided{e.Time, e.Host, e.Version, e.Allowed != nil && *e.Allowed, e.Tenant, e.Rule, string(e.Code), string(e.Side), e.Reason, decisionText(e)}
}

// sketched returns the job of a decision as the log describes it.
func sketched(e audit.Event, told program.Flags) (sketch.Job, error) {
	h := history.JobOf(e)
	j := sketch.Job{
		Project: h.Project, Fork: h.Fork, Ref: e.Ref, RefType: e.RefType, Protected: e.RefProtected == "true",
		Environment: e.Environment, UserLogin: e.UserLogin, Image: e.Image, Claims: map[string]string{},
	}
	if e.Tenant != "" {
		j.Tenant = &e.Tenant
	}
	for name, id := range map[string]string{
		"job_id": e.JobID, "pipeline_id": e.PipelineID, "project_id": e.ProjectID, "job_project_id": e.JobProjectID, "user_id": e.UserID, "runner_id": e.RunnerID,
	} {
		if n, err := strconv.ParseInt(id, 10, 64); err == nil && n > 0 {
			j.Claims[name] = id
		}
	}
	j.Runner, _ = told.Pinned() // explainPast has looked at the error
	if e.Ref == "" || e.ProjectPath == "" {
		return j, errors.New("the log has no claims of an ID token of the job")
	}
	return j, j.Check()
}

// unknownOf returns what a line does not say of a job that decisions can rest on.
func unknownOf(j sketch.Job, e audit.Event) []string {
	all := []string{"the audience of its ID tokens: taken to be the one that the policy file wants", "variables that would override its credentials"}
	if j.Tenant != nil {
		all = append(all, fmt.Sprintf("whether it asked for tenant %s by TENANT: taken to have done so", tenant.Quote(*j.Tenant)))
	} else {
		all = append(all, "whether it asked for a tenant by TENANT: taken to have asked for none")
	}
	if j.Runner == tenant.None {
		all = append(all, "whether its runner serves one tenant: --runner-tenant says so")
	}
	if open := j.StandIns(); len(open) > 0 {
		all = append(all, "claims: "+strings.Join(open, ", "))
	}
	for name, text := range map[string]string{"ref": e.Ref, "environment": e.Environment, "project_path": e.ProjectPath, "image": e.Image} {
		if strings.HasSuffix(text, "…") {
			all = append(all, name+" as a whole: the log has its beginning")
		}
	}
	slices.Sort(all[2:])
	return all
}

// String returns the answer for people.
func (p pasts) String() string {
	text := ""
	for _, one := range p.Jobs {
		text += one.String() + "\n"
	}
	if len(p.Jobs) == 0 {
		text = fmt.Sprintf("the log has no line about job %s\n", printable(tooLong(p.id)))
	}
	return text + p.Log.String() + "\n"
}

// String returns what is known of a job for people.
func (p past) String() string {
	var l labelled
	l.job(p.Job)
	if p.Decided != nil {
		l.add("decided", clock(p.Decided.Time)+" on "+p.Decided.Host+", by rolecall "+p.Decided.Version)
		l.add("then", p.Decided.text)
	}
	text := l.String() + "\n"
	if p.Today != nil {
		text += "today " + p.Today.String() + "\n"
	}
	for _, what := range p.Unknown {
		text += "not known: " + strings.TrimPrefix(wrap(what, "           "), "           ")
	}
	return text
}

package decisions_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/audit"
)

// seed makes the cases. Whatever it is, the programs must agree; how many jobs of each
// kind there are at least is so for this one.
const seed = 4

// TestDecisions: for 1,500 jobs, prepare and rolecall explain agree in whether the job is
// allowed, which tenant it is, by which rule, and in the words of a refusal; and config
// has given out the folder of that tenant.
func TestDecisions(t *testing.T) {
	t.Parallel()
	w, met := newWorld(t), map[string]int{}
	for i := range uint64(50) {
		d := newDice(seed, i)
		p := newPolicy(d, w.dir, w.gitlab.Issuer())
		path := w.write(t, "rolecall.toml", p.text)
		for j := range int64(30) {
			c := w.newCandidate(d, p, int64(i)*30+j+1000)
			c.flags.Config = path
			if i%10 == 9 {
				c = w.newFree(d, c.id)
			}
			before := met["failed"]
			w.check(t, c, p, met)
			if met["failed"] > before {
				t.Logf("that was job %d, of flags %s and variables %v, with the policy file\n%s", c.id, c.flags, names(c), p.text)
			}
		}
	}
	checkMet(t, met)
}

// names returns the variables of a job, tokens as their length.
func names(c candidate) []string {
	var all []string
	for _, v := range c.variables {
		all = append(all, v.Key+"="+v.Value[:min(len(v.Value), 20)])
	}
	return all
}

// check holds the three programs against each other for one job, and counts in met what
// came out.
func (w *world) check(t *testing.T, c candidate, p policy, met map[string]int) {
	t.Helper()
	response := w.respond(t, c)
	handed, builds := w.config(t, c)
	prepared, told := w.prepare(t, c, handed, builds)
	explained, rules := w.explain(t, c, response)
	prepared = prepared.like(explained)
	if diff := cmp.Diff(prepared, explained); diff != "" {
		met["failed"]++
		t.Errorf("job %d: prepare (-) and explain (+) differ:\n%s", c.id, diff)
	}
	if why := disagree(told, prepared, rules, strings.TrimPrefix(builds, p.builds+"/"), builds != ""); why != "" {
		met["failed"]++
		t.Errorf("job %d: %s", c.id, why)
	}
	count(met, prepared, told)
}

// like returns the outcome with what is unknown of it as in another.
func (o outcome) like(other outcome) outcome {
	for _, field := range []struct {
		own   *string
		other string
	}{{&o.Tenant, other.Tenant}, {&o.Role, other.Role}, {&o.Region, other.Region}, {&o.Image, other.Image}} {
		if *field.own == unknown {
			*field.own = field.other
		}
	}
	return o
}

// disagree returns what in the audit log, the table of rules or the folder does not fit
// what was decided.
func disagree(told audit.Event, o outcome, rules []rule, folder string, hasFolder bool) string {
	ok := map[string]bool{}
	for _, r := range rules {
		ok[r.Tenant+" "+r.Rule] = r.OK
		if o.Allowed && o.Tenant == r.Tenant && !r.OK {
			return "the rule " + r.Rule + " is against a job that is allowed"
		}
	}
	of, _, _ := strings.Cut(folder, "/")
	byRule := told.Rule != "" && !o.Allowed && told.Rule != "region" && told.Rule != "chain" // config orders nothing
	boxed := told.Image != "" || len(told.Services) > 0 || told.Rule == "require_image"      // config does not look at containers
	switch {
	case told.Event != "" && (*told.Allowed != (o.Allowed && o.Tenant != "") || *told.Allowed && told.Tenant != o.Tenant):
		return "the audit log says otherwise"
	case byRule && told.Tenant != "" && ok[told.Tenant+" "+told.Rule]:
		return "the rule " + told.Rule + " refuses, and the table has it as kept"
	case hasFolder && byRule && !boxed && folder != "none/unprotected":
		return "config gave out " + folder + " for a job that a rule refuses"
	case hasFolder && o.Allowed && of != o.Tenant && (of != "none" || o.Tenant != ""):
		return "config gave out " + folder + " for a job of tenant " + o.Tenant
	}
	return ""
}

// count notes what came out.
func count(met map[string]int, o outcome, told audit.Event) {
	switch {
	case o.Allowed && o.Tenant != "":
		met["allowed"]++
	case o.Allowed:
		met["allowed without a tenant"]++
	}
	if o.Allowed && o.Image != "" {
		met["in a container"]++
	}
	if !o.Allowed && told.Rule != "" {
		met["rule "+told.Rule]++
	}
	for text := range wanted() {
		if !o.Allowed && strings.Contains(o.Refusal, text) {
			met[text]++
		}
	}
	for what, text := range map[string]string{
		"no tenant of this runner allows": "no tenant of this runner allows", "TENANT is empty": "variable TENANT is empty", "this runner has no tenant": "this runner has no tenant",
		"ROLE_ARN is not used": "ROLE_ARN is not used", "containers": "has no containers", "a login": "DOCKER_AUTH_CONFIG is not used", "an audience": "OIDC_TOKEN is for the audience",
	} {
		if strings.Contains(strings.Join(o.Notes, "\n"), text) {
			met["told: "+what]++
		}
	}
}

// wanted returns what must come out, and how often at least.
func wanted() map[string]int {
	all := map[string]int{
		"allowed": 150, "allowed without a tenant": 20, "rule projects": 10, "rule refs": 2, "rule audience": 2, "rule ref_types": 2, "rule protected": 2,
		"rule environments": 2, "rule id_token": 5, "rule region": 10, "rule chain": 10, "rule tenant": 10,
		"has two different values": 5, "its claim job_id": 5, "does not verify with": 5, "has signed this token": 5, "not a JSON Web Token": 5, "its claim iss": 3,
		"several tenants allow": 1, "told: no tenant of this runner allows": 5, "told: TENANT is empty": 5, "told: this runner has no tenant": 5,
		"told: ROLE_ARN is not used": 5, "told: containers": 20, "told: an audience": 2, "this runner starts no services": 5, "this runner has no tenant": 5,
		"would override": 10, "is not an AWS region": 10,
		"rule images": 20, "rule services": 4, "rule image_users": 2, "rule pull_policies": 2, "rule digest_only": 2, "rule max_services": 1, "rule require_image": 5,
		"not the name of an image": 10, "docker:user \"-1": 2, "docker:platform": 2, "the job has services and no image": 2, "in a container": 20, "told: a login": 2,
		"session_policy_file": 3, "sts.ca_bundle": 2, "is not in the policy file": 10, "this runner serves tenant": 10, "ROLE_ARN": 5,
	}
	if os.Geteuid() == 0 {
		all["scripts of this job would be root's"] = 20
	}
	return all
}

// checkMet holds that the jobs were of all kinds.
func checkMet(t *testing.T, met map[string]int) {
	t.Helper()
	for what, least := range wanted() {
		if met[what] < least {
			t.Errorf("%s: %d jobs, want %d at least: correct how jobs are made", what, met[what], least)
		}
	}
	t.Logf("what came out: %v", met)
}

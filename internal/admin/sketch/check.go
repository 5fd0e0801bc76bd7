package sketch

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"rolecall/internal/idtoken"
	"rolecall/internal/tenant"
)

// Problem is what is wrong in what is said of a job.
type Problem struct {
	Of   string // what it is about: a word such as ref_type
	What string
}

// Error returns both in one text.
func (p *Problem) Error() string { return p.Of + ": " + p.What }

// wrong returns a Problem.
func wrong(of, format string, args ...any) error { return &Problem{of, fmt.Sprintf(format, args...)} }

// Check returns a Problem if too little is said of the job, or something that no job has, or two
// things that contradict each other.
func (j Job) Check() error {
	switch {
	case j.Project == "":
		return wrong("project", "it is missing; name the project that runs the job, such as acme/shop")
	case j.Ref == "":
		return wrong("ref", "it is missing; name the branch or tag of the job")
	case j.RefType != "" && j.RefType != "branch" && j.RefType != "tag":
		return wrong("ref_type", "%s: want branch or tag", tenant.Quote(j.RefType))
	case strings.HasPrefix(j.Ref, "refs/"):
		return wrong("ref", "%s: want the name alone, such as main", tenant.Quote(j.Ref))
	case j.NoToken && j.Audience != "":
		return wrong("aud", "a job without an ID token has no audience")
	case j.Fork == j.Project:
		return wrong("fork", "it is the project itself")
	}
	return cmp.Or(checkPath("project", j.Project), checkPath("fork", j.Fork), j.checkRef(), j.checkClaims())
}

// checkPath reports a project that no GitLab has: probably a pattern of a policy file.
func checkPath(of, path string) error {
	if path != "" && (!strings.Contains(path, "/") || strings.ContainsAny(path, "*: ") || strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/")) {
		return wrong(of, "%s: want the path of one project, such as acme/shop", tenant.Quote(path))
	}
	return nil
}

// checkRef does what checkPath does, for the ref.
//
// https://git-scm.com/docs/git-check-ref-format
func (j Job) checkRef() error {
	if strings.ContainsAny(j.Ref, "*?[ ") {
		return wrong("ref", "%s: want the name of one ref; no ref has this name", tenant.Quote(j.Ref))
	}
	return nil
}

// checkClaims reports claims that are unknown, that something else says, or whose value no token has.
func (j Job) checkClaims() error {
	for _, name := range slices.Sorted(maps.Keys(j.Claims)) {
		if err := j.checkClaim(name, j.Claims[name]); err != nil {
			return err
		}
	}
	return nil
}

// checkClaim does what checkClaims does for one claim.
func (j Job) checkClaim(name, value string) error {
	_, known := (idtoken.Claims{}).Get(name)
	switch by := saidBy(name); {
	case by != "":
		return wrong("claim "+name, "it is said by %s; leave the claim out", by)
	case !known && name != "sub":
		return wrong("claim "+name, "no decision rests on it; known are sub, %s", strings.Join(idtoken.ClaimNames(), ", "))
	case j.Environment == "" && (name == "environment_protected" || name == "deployment_tier"):
		return wrong("claim "+name, "only a job with an environment has it")
	case strings.HasSuffix(name, "_id") && !isID(value):
		return wrong("claim "+name, "%s: want a number above 0", tenant.Quote(value))
	}
	return nil
}

// saidBy returns by what a claim is said; empty if by nothing else.
func saidBy(claim string) string {
	return map[string]string{
		"project_path": "project and fork", "namespace_path": "project and fork", "job_project_path": "project",
		"ref": "ref", "ref_type": "ref_type", "ref_protected": "protected", "environment": "environment", "user_login": "user_login",
		"aud": "aud",
	}[claim]
}

// isID reports whether a text is the id of something in GitLab.
func isID(text string) bool {
	n, err := strconv.ParseInt(text, 10, 64)
	return err == nil && n > 0
}

// StandIns returns the names of the claims that have a value of which nothing is said, sorted.
func (j Job) StandIns() []string { return slices.Sorted(maps.Keys(j.standIns())) }

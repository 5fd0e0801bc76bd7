package grant_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/admission"
	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// role is a role that is right.
const role = "arn:aws:iam::111122223333:role/ci/deploy"

// parsed returns role.
func parsed() aws.Role { return aws.Role{Partition: "aws", Account: "111122223333", Path: "ci/deploy"} }

// asker is job 7 of tenant alpha, which asks for request.
func asker(settings, server any, request job.Request) admission.Asker {
	return admission.Asker{
		Tenant: "alpha", Settings: settings, Server: server, Request: request, ReadFile: policyfile.ReadNamed,
		Response: job.Response{Key: job.Key{ID: 7}, Project: 42, Pipeline: 9, Timeout: 2 * time.Hour},
	}
}

// write writes a file of an admin and returns its path.
func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestByJob(t *testing.T) {
	t.Parallel()
	got, err := grant.AWS{}.ByJob(asker(nil, nil, job.Request{"ROLE_ARN": role, "AWS_REGION": "eu-west-1"}))
	if diff := cmp.Diff(any(grant.Settings{Role: parsed(), ByJob: true}), got); err != nil || diff != "" {
		t.Errorf("error %v, the settings differ:\n%s", err, diff)
	}
	_, err = grant.AWS{}.ByJob(asker(nil, nil, job.Request{}))
	if want := `tenant "alpha": the job has no variable ROLE_ARN; set ROLE_ARN to the ARN`; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("no ROLE_ARN: %v, want %q", err, want)
	}
	for arn, want := range map[string]string{
		"":     `tenant "alpha": the job's variable ROLE_ARN is empty; a variable that it refers to is not set in this job: a protected variable is empty in jobs of refs that are not protected`,
		"x":    `tenant "alpha": ROLE_ARN: "x" is not the ARN of an IAM role, such as arn:aws:iam::111122223333:role/deploy; correct the variable ROLE_ARN`,
		"$ARN": `tenant "alpha": ROLE_ARN: "$ARN" is not the ARN`,
	} {
		got, err := grant.AWS{}.ByJob(asker(nil, nil, job.Request{"ROLE_ARN": arn}))
		if got != nil || err == nil || fault.SideOf(err) != fault.Author || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("ROLE_ARN=%s: %v, %v, want %q of the author's", arn, got, err, want)
		}
	}
}

// TestOrder: all that a tenant and a policy file say is in the order.
func TestOrder(t *testing.T) {
	t.Parallel()
	settings := grant.Settings{
		Role: parsed(), AllowedAccounts: []string{"111122223333"}, Region: "eu-central-1", Duration: time.Hour,
		SessionPolicyFile: write(t, "\n{\"a\": \" b \"} \n"), PolicyARNs: []string{"arn:aws:iam::aws:policy/A"},
	}
	server := grant.Server{Endpoint: "https://sts.example", Proxy: "http://u:p@proxy", CABundle: write(t, "PEM\n")}
	for name, test := range map[string]struct {
		settings grant.Settings
		server   any
		terms    aws.Terms
		limit    time.Duration
	}{
		"all": {settings, server, aws.Terms{
			Role: parsed(), Policy: `{"a": " b "}`, PolicyARNs: []string{"arn:aws:iam::aws:policy/A"}, Region: "us-east-1",
			Server: aws.Server{Region: "eu-central-1", Endpoint: "https://sts.example", Proxy: "http://u:p@proxy", CABundle: []byte("PEM\n")},
		}, time.Hour},
		"the least": {grant.Settings{Role: parsed()}, nil, aws.Terms{Role: parsed(), Region: "us-east-1"}, 0},
	} {
		got, err := grant.AWS{}.Order(asker(test.settings, test.server, job.Request{"AWS_REGION": "us-east-1", "ROLE_ARN": role}))
		want := creds.Order{
			Provider: "aws", Session: "GitLabRunner-42-9-7", Lifetime: 2 * time.Hour, Limit: test.limit, Terms: test.terms.Encode(),
			Facts: creds.Facts{{Name: "role_arn", Value: role}, {Name: "region", Value: "us-east-1"}},
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: error %v, the order differs:\n%s", name, err, diff)
		}
	}
	if settings.PolicyARNs[0] != "arn:aws:iam::aws:policy/A" {
		t.Errorf("the settings have changed: %+v", settings)
	}
}

// TestOrderRole: a job whose ROLE_ARN is not the role that it gets is told so; the role is
// that of the settings.
func TestOrderRole(t *testing.T) {
	t.Parallel()
	for requested, want := range map[string][]string{
		"": nil, role: nil, "x": {`ROLE_ARN is not used: the runner's policy file names the role "deploy"`},
		"arn:aws:iam::444455556666:role/ci/deploy": {`ROLE_ARN is not used: the runner's policy file names the role "deploy"`},
	} {
		got, err := grant.AWS{}.Order(asker(grant.Settings{Role: parsed()}, nil, job.Request{"ROLE_ARN": requested}))
		if err != nil || !slices.Equal(got.Notes, want) || got.Facts.Get("role_arn") != role {
			t.Errorf("ROLE_ARN=%s: notes %q, role %s, %v", requested, got.Notes, got.Facts.Get("role_arn"), err)
		}
	}
}

// TestOrderRegion: the job chooses the region of its script, the tenant that of STS.
func TestOrderRegion(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		request     job.Request
		tenant      string
		region, sts string
	}{
		"of the job":          {job.Request{"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-west-2"}, "eu-central-1", "us-east-1", "eu-central-1"},
		"of the job, default": {job.Request{"AWS_DEFAULT_REGION": "us-west-2"}, "eu-central-1", "us-west-2", "eu-central-1"},
		"an empty one":        {job.Request{"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}, "eu-central-1", "eu-central-1", "eu-central-1"},
		"of the tenant":       {nil, "eu-central-1", "eu-central-1", "eu-central-1"},
		"of the service":      {nil, "", "", ""},
		"the longest":         {job.Request{"AWS_REGION": strings.Repeat("x", 32)}, "", strings.Repeat("x", 32), ""},
	} {
		order, err := grant.AWS{}.Order(asker(grant.Settings{Role: parsed(), Region: test.tenant}, nil, test.request))
		terms, parseErr := aws.ParseTerms(order.Terms)
		if err != nil || parseErr != nil || terms.Region != test.region || terms.Server.Region != test.sts || order.Facts.Get(aws.RegionFact) != test.region {
			t.Errorf("%s: %s, error %v, want region %q, and %q of STS", name, order.Terms, err, test.region, test.sts)
		}
	}
	const next = "; set AWS_REGION to a region such as eu-central-1, or remove it"
	for region, want := range map[string]string{
		"eu-1\nX=1":             `tenant "alpha": "eu-1\nX=1" is not an AWS region` + next,
		"EU-WEST-1":             `tenant "alpha": "EU-WEST-1" is not an AWS region` + next,
		"x.evil.example/":       `tenant "alpha": "x.evil.example/" is not an AWS region` + next,
		"eu-west-1a":            `tenant "alpha": "eu-west-1a" is not an AWS region; it is a zone: set AWS_REGION to its region, eu-west-1`,
		strings.Repeat("x", 33): `tenant "alpha": "` + strings.Repeat("x", 33) + `" is not an AWS region` + next,
	} {
		for _, variable := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
			got, err := grant.AWS{}.Order(asker(grant.Settings{Role: parsed()}, nil, job.Request{variable: region}))
			var refusal *tenant.Refusal
			if !errors.As(err, &refusal) || refusal.Rule != "region" || refusal.Tenant != "alpha" || fault.SideOf(err) != fault.Author || err.Error() != want {
				t.Errorf("%s=%q: error %v, want %s", variable, region, err, want)
			}
			if !cmp.Equal(got, creds.Order{}) {
				t.Errorf("%s=%q: %+v beside the error", variable, region, got)
			}
		}
	}
}

// TestOrderRefuses: what cannot be read is not ordered without.
func TestOrderRefuses(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "none")
	for name, test := range map[string]struct {
		settings, server any
		want             string
		side             fault.Side
	}{
		"no session policy":     {grant.Settings{Role: parsed(), SessionPolicyFile: missing}, nil, "session_policy_file: " + missing, fault.Admin},
		"no CA bundle":          {grant.Settings{Role: parsed()}, grant.Server{CABundle: missing}, "sts.ca_bundle: " + missing, fault.Admin},
		"another's settings":    {"arn", nil, "the settings of the tenant are not settings of AWS", fault.Infrastructure},
		"settings by a pointer": {&grant.Settings{Role: parsed()}, nil, "the settings of the tenant are not settings of AWS", fault.Infrastructure},
		"no settings":           {nil, nil, "the settings of the tenant are not settings of AWS", fault.Infrastructure},
	} {
		got, err := grant.AWS{}.Order(asker(test.settings, test.server, nil))
		if err == nil || !strings.HasPrefix(err.Error(), test.want) || fault.SideOf(err) != test.side || !cmp.Equal(got, creds.Order{}) {
			t.Errorf("%s: %+v, %v, want %q of %s", name, got, err, test.want, test.side)
		}
		if strings.Contains(test.want, missing) && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v is not fs.ErrNotExist", name, err)
		}
	}
}

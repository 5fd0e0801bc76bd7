package aws_test

import (
	"slices"
	"testing"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
)

// TestTells: a script is an account's role. What is not known is not told.
func TestTells(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		facts creds.Facts
		who   string
		notes []string
	}{
		"nothing": {nil, "", nil},
		"a role":  {creds.Facts{{Name: "role_arn", Value: "arn:aws:iam::111122223333:role/ci/deploy-web"}}, "account 111122223333, role deploy-web", nil},
		"MinIO's": {creds.Facts{{Name: "role_arn", Value: "arn:minio:iam:::role/idmp-abcdef"}}, "role idmp-abcdef", nil},
		"no ARN":  {creds.Facts{{Name: "role_arn", Value: "x"}}, "", nil},
		"shorter": {
			creds.Facts{{Name: "shortened_duration", Value: "2h0m0s"}},
			"",
			[]string{"the role does not allow sessions of 2h0m0s: raise its maximum session duration if the job needs longer"},
		},
		"a region that is named": {creds.Facts{{Name: "region", Value: "eu-west-3"}}, "", nil},
		"the service's region": {
			creds.Facts{{Name: "role_arn", Value: "arn:aws:iam::111122223333:role/x"}, {Name: "region", Value: "eu-west-3"}, {Name: "region_of", Value: "service"}},
			"account 111122223333, role x, region eu-west-3 (of the runner's service)", nil,
		},
		"nobody's region": {
			creds.Facts{{Name: "region", Value: "us-east-1"}, {Name: "region_of", Value: "partition"}},
			"",
			[]string{"the region us-east-1 is only a default: neither the job nor the runner names one; set AWS_REGION in the job"},
		},
	} {
		who, notes := aws.Tells(test.facts)
		if who != test.who || !slices.Equal(notes, test.notes) {
			t.Errorf("%s: %q and %q, want %q and %q", name, who, notes, test.who, test.notes)
		}
	}
}

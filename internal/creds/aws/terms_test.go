package aws_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/creds/aws"
)

func TestTerms(t *testing.T) {
	t.Parallel()
	least := aws.Terms{Role: aws.Role{Partition: "minio", Path: "idmp-abcdef"}}
	for want, terms := range map[string]aws.Terms{
		`{"role_arn":"arn:minio:iam:::role/idmp-abcdef"}`: least,
		`{"role_arn":"arn:aws:iam::111122223333:role/ci/deploy","by_job":true,"policy":"{\"a\":\"\\u003c\"}","policy_arns":["arn:aws:iam::aws:policy/A"],` +
			`"region":"eu-west-1","server":{"region":"eu-central-1","endpoint":"https://sts.example","proxy":"http://u:p@proxy","ca_bundle":"AP8="}}`: {
			Role: aws.Role{Partition: "aws", Account: "111122223333", Path: "ci/deploy"}, ByJob: true, Policy: `{"a":"\u003c"}`, PolicyARNs: []string{"arn:aws:iam::aws:policy/A"},
			Region: "eu-west-1", Server: aws.Server{Region: "eu-central-1", Endpoint: "https://sts.example", Proxy: "http://u:p@proxy", CABundle: []byte{0, 255}},
		},
	} {
		if diff := cmp.Diff(want, string(terms.Encode())); diff != "" {
			t.Errorf("the terms are written otherwise:\n%s", diff)
		}
		got, err := aws.ParseTerms(terms.Encode())
		if diff := cmp.Diff(terms, got); err != nil || diff != "" {
			t.Errorf("they read back otherwise: %v\n%s", err, diff)
		}
	}
}

func TestParseTermsRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "null x", "[]", "{", `{"role_arn":"hunter2"}`, `{"role_arn":1}`, `{"hunter2":1}`,
		`{"role_arn":"arn:minio:iam:::role/idmp-abcdef"}{}`, `{"server":{"proxy":["hunter2"]}}`,
	} {
		got, err := aws.ParseTerms([]byte(text))
		if err == nil || err.Error() != "the terms of the order are not those of AWS" || !cmp.Equal(got, aws.Terms{}) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("ParseTerms(%s) = %+v, %v", text, got, err)
		}
	}
}

package sts

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
)

// Role is the ARN of an IAM role. A partition may be any; MinIO's has no
// account.
type Role struct{ arn arn.ARN }

// ParseRole reads arn:<partition>:iam::<account>:role/<path and name>, of 20 to
// 2048 printable characters.
func ParseRole(text string) (Role, error) {
	printable := strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
	parsed, err := arn.Parse(text)
	if err != nil || len(text) < 20 || len(text) > 2048 || !printable ||
		parsed.Service != "iam" || parsed.Region != "" || !isAccount(parsed.AccountID) ||
		!strings.HasPrefix(parsed.Resource, "role/") || strings.HasSuffix(parsed.Resource, "/") {
		return Role{}, fmt.Errorf("%.100q is not the ARN of an IAM role, such as arn:aws:iam::111122223333:role/deploy", text)
	}
	return Role{parsed}, nil
}

// isAccount reports whether text is an AWS account id, or none.
func isAccount(text string) bool {
	return text == "" || len(text) == 12 && strings.Trim(text, "0123456789") == ""
}

// String returns the ARN.
func (r Role) String() string { return r.arn.String() }

// name returns the role's name without its path.
func (r Role) name() string {
	return r.arn.Resource[strings.LastIndexByte(r.arn.Resource, '/')+1:]
}

// region returns a region of the role's partition for a service that has none
// configured, or an empty text. Credentials of a regional endpoint are valid in
// all regions of its partition.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_region-endpoints.html
func (r Role) region() string {
	return map[string]string{
		"aws":        "us-east-1",
		"aws-cn":     "cn-north-1",
		"aws-us-gov": "us-gov-west-1",
	}[r.arn.Partition]
}

// checkAssumed reports an error where got, the ARN of the assumed role in STS's
// answer, names another role or session. An answer may name none.
func (r Role) checkAssumed(got, session string) error {
	if got == "" {
		return nil
	}
	want := fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/%s", r.arn.Partition, r.arn.AccountID, r.name(), session)
	if got != want {
		return fmt.Errorf("STS answered for %.200q, asked was %q", got, want)
	}
	return nil
}

package sts

import (
	"fmt"

	"rolecall/internal/creds"
)

// regionOf returns a region of the role's partition for a service that has none
// configured, or an empty text. Credentials of a regional endpoint are valid in
// all regions of its partition.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_region-endpoints.html
func regionOf(role creds.Role) string {
	return map[string]string{
		"aws":        "us-east-1",
		"aws-cn":     "cn-north-1",
		"aws-us-gov": "us-gov-west-1",
	}[role.Partition]
}

// checkAssumed reports an error where got, the ARN of the assumed role in STS's
// answer, names another role or session. An answer may name none.
func checkAssumed(role creds.Role, got, session string) error {
	if got == "" {
		return nil
	}
	want := fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/%s", role.Partition, role.Account, role.Name(), session)
	if got != want {
		return fmt.Errorf("STS answered for %.200q, asked was %q", got, want)
	}
	return nil
}

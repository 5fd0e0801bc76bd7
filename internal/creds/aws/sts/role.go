package sts

import (
	"fmt"

	"rolecall/internal/creds/aws"
)

// checkAssumed reports an error where got, the ARN of the assumed role in STS's
// answer, names another role or session. An answer may name none.
func checkAssumed(role aws.Role, got, session string) error {
	if got == "" {
		return nil
	}
	want := fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/%s", role.Partition, role.Account, role.Name(), session)
	if got != want {
		return fmt.Errorf("STS answered for %.200q, asked was %q", got, want)
	}
	return nil
}

package sts_test

import (
	"strings"
	"testing"

	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/aws/sts"
	"rolecall/internal/fault"
)

// TestRegion: if the service has no region, the region of the role's partition is used,
// unless the request names one.
func TestRegion(t *testing.T) {
	for arn, want := range map[string]string{
		role: "us-east-1",
		"arn:aws-cn:iam::111122223333:role/deploy":     "cn-north-1",
		"arn:aws-us-gov:iam::111122223333:role/deploy": "us-gov-west-1",
	} {
		t.Setenv("AWS_REGION", "")
		c := newCall(t)
		c.request.Role = parseRole(t, arn)
		result, err := c.assume(t)
		if err != nil || result.Facts.Get(aws.RegionFact) != want || result.Facts.Get(aws.RegionOfFact) != "partition" {
			t.Errorf("%s: %v, %v, want the region %s of the partition", arn, result.Facts, err, want)
		}
		c.request.Region = "eu-west-3"
		if result, err = c.assume(t); err != nil || result.Facts.Get(aws.RegionFact) != "eu-west-3" || result.Facts.Get(aws.RegionOfFact) != "" {
			t.Errorf("%s: %v, %v, want the region that the request names", arn, result.Facts, err)
		}
		c = newCall(t)
		c.request.Role = parseRole(t, "arn:minio:iam:::role/deploy-x")
		c.refused(t, fault.Admin, 0, "the region for arn:minio:iam:::role/deploy-x is not known", "set AWS_REGION")
	}
}

// TestSettings: each variable that the client obeys is a variable of AWS.
func TestSettings(t *testing.T) {
	t.Parallel()
	for _, name := range sts.Settings() {
		if !strings.HasPrefix(name, "AWS_") || strings.Contains(name, "KEY") || strings.Contains(name, "PROFILE") || strings.Contains(name, "CONTAINER") {
			t.Errorf("the client obeys %s", name)
		}
	}
}

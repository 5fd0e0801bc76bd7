package aws_test

import (
	"testing"

	"rolecall/internal/creds/aws"
)

func TestLookupPartition(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]aws.Partition{
		"aws":        {Domain: "amazonaws.com", Region: "us-east-1"},
		"aws-cn":     {Domain: "amazonaws.com.cn", Region: "cn-north-1"},
		"aws-us-gov": {Domain: "amazonaws.com", Region: "us-gov-west-1"},
		"minio":      {}, "": {}, "AWS": {},
	} {
		got, ok := aws.LookupPartition(name)
		if got != want || ok != (want != aws.Partition{}) {
			t.Errorf("LookupPartition(%q) = %+v, %v, want %+v", name, got, ok, want)
		}
	}
}

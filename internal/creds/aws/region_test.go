package aws_test

import (
	"strings"
	"testing"

	"rolecall/internal/creds/aws"
)

// TestRegionOfZone: a zone is no region, and its region is known.
func TestRegionOfZone(t *testing.T) {
	t.Parallel()
	for text, region := range map[string]string{
		"eu-west-1a": "eu-west-1", "us-gov-west-1b": "us-gov-west-1", "us-west-2-lax-1a": "us-west-2", "us-east-1-wl1-bos-wlz-1a": "us-east-1",
		"ap-southeast-12c": "ap-southeast-12", "eu-west-1": "", "us-iso-east-1": "", "local": "", "minio1a": "", "": "", "a": "", "1a": "", "x-1a": "", "eu-west-1-": "",
		"EU-WEST-1A": "", "eu-west-1A": "", "eu-west-1é": "", "eu west-1a": "", strings.Repeat("x", 70) + "-y-1a": "",
	} {
		if got := aws.RegionOfZone(text); got != region {
			t.Errorf("RegionOfZone(%q) = %q, want %q", text, got, region)
		}
		if short := len(text) <= 32; short && region != "" && aws.IsRegion(text) {
			t.Errorf("the zone %q passes as a region", text)
		}
	}
	for text, want := range map[string]bool{"": true, "local": true, "eu-west-1": true, "job-region-1": true, "EU": false, "a b": false, strings.Repeat("x", 33): false} {
		if got := aws.IsRegion(text); got != want {
			t.Errorf("IsRegion(%q) = %v", text, got)
		}
	}
}

package aws

// Partition is a group of AWS's regions that has accounts and roles of its own.
type Partition struct {
	Domain string // that the names of its servers end with, such as amazonaws.com
	Region string // one of its regions, for who has configured none
}

// LookupPartition returns the partition of that name, such as the one in the ARN of
// a role, and whether there is one. Credentials that STS gives in one region are
// valid in all regions of the partition.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_region-endpoints.html
func LookupPartition(name string) (Partition, bool) {
	switch name {
	case "aws":
		return Partition{"amazonaws.com", "us-east-1"}, true
	case "aws-cn":
		return Partition{"amazonaws.com.cn", "cn-north-1"}, true
	case "aws-us-gov":
		return Partition{"amazonaws.com", "us-gov-west-1"}, true
	}
	return Partition{}, false
}

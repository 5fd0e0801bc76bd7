package aws

// Partition is a group of AWS's regions. An account belongs to one partition.
type Partition struct {
	Domain string // end of its servers' names, such as amazonaws.com
	Region string // one of its regions, used if none is configured
}

// LookupPartition returns the partition with that name, as the ARN of a role has it, and
// whether the name is known. Credentials from STS in one region are valid in all regions
// of the partition.
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

package aws

import (
	"fmt"
	"strings"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/mask"
)

// Name is the name of AWS as a provider of credentials.
const Name = "aws"

// The kinds of a credential's secrets, as messages print them.
const (
	kindKeyID   = "access key id"
	kindSecret  = "secret access key"
	kindSession = "session token"
)

// The names of the facts of a credential.
const (
	RoleFact            = "role_arn"
	SessionFact         = "role_session_name"
	KeyIDFact           = "access_key_id"
	RegionFact          = "region"
	RegionOfFact        = "region_of"          // a RegionOf; absent if the job or its tenant names the region
	ChainFact           = "chain"              // the roles before the last of a chain, with spaces between them; absent if there is no chain
	RefusedDurationFact = "shortened_duration" // the duration that the role did not allow, such as 2h0m0s; absent if it allowed it
)

// RegionOf says who names the region of scripts, if neither the job nor its tenant does.
type RegionOf string

// Who names a region.
const (
	RegionOfService   RegionOf = "service"   // the environment of the runner's service
	RegionOfPartition RegionOf = "partition" // nobody: it is one of the role's partition
)

// Keys are temporary credentials as STS returns them.
type Keys struct {
	AccessKeyID     mask.Secret
	SecretAccessKey mask.Secret
	SessionToken    mask.Secret
	Expires         time.Time
}

// Session says which role the keys are for, and where scripts use them.
type Session struct {
	Role   Role
	Name   string // role session name
	Region string // the region of scripts
	Named  RegionOf
	Source string // name of the credential; empty: the tenant's own
	Before []Role // the roles of a chain before Role
	// Endpoint says that an endpoint gives the keys to scripts. It always does for keys with
	// a Source.
	Endpoint bool
	// RefusedDuration is the requested duration, if the role did not allow it; the session
	// is then shorter. 0: the role allowed the duration.
	RefusedDuration time.Duration
}

// NewCredential returns keys and session as a credential of a job. It fails if a key or
// the region has not the form that AWS's have. The error names the key, never its value.
//
// AWS_CREDENTIAL_EXPIRATION is not among the variables. A script that fetches keys itself
// sets only the keys; the AWS CLI would then refuse its keys once ours have expired.
func NewCredential(k Keys, s Session) (creds.Credential, error) {
	if err := k.Check(s.Region); err != nil {
		return creds.Credential{}, err
	}
	return creds.Credential{
		Provider: Name,
		Name:     s.Source,
		Env:      environ(k, s),
		Served:   served(k, s),
		Secrets: []mask.Named{
			{Kind: kindKeyID, Value: k.AccessKeyID},
			{Kind: kindSecret, Value: k.SecretAccessKey},
			{Kind: kindSession, Value: k.SessionToken},
		},
		Facts:   facts(k, s),
		Expires: k.Expires,
	}, nil
}

// environ returns what scripts have in their environment. Keys would win over an endpoint in
// all tools, so a script has one of the two.
//
// https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
func environ(k Keys, s Session) []creds.Variable {
	if s.Source != "" {
		return nil
	}
	if s.Endpoint {
		return regions(s)
	}
	return append(k.variables(), regions(s)...)
}

// variables returns the keys as variables of scripts.
func (k Keys) variables() []creds.Variable {
	return []creds.Variable{
		{Name: accessKeyID, Value: k.AccessKeyID},
		{Name: secretAccessKey, Value: k.SecretAccessKey},
		{Name: sessionToken, Value: k.SessionToken},
	}
}

// regions returns the region as variables of scripts. Some tools read the one, some the other.
func regions(s Session) []creds.Variable {
	region := mask.NewSecret(s.Region)
	return []creds.Variable{{Name: "AWS_REGION", Value: region}, {Name: "AWS_DEFAULT_REGION", Value: region}}
}

// facts returns what logs may show. The access key id is one of them, since CloudTrail
// shows it with each call.
//
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
func facts(k Keys, s Session) creds.Facts {
	known := creds.Facts{
		{Name: RoleFact, Value: s.Role.String()},
		{Name: SessionFact, Value: s.Name},
		{Name: KeyIDFact, Value: k.AccessKeyID.Reveal()},
		{Name: RegionFact, Value: s.Region},
	}
	if s.Named != "" {
		known = append(known, creds.Fact{Name: RegionOfFact, Value: string(s.Named)})
	}
	if len(s.Before) > 0 {
		known = append(known, creds.Fact{Name: ChainFact, Value: joinRoles(s.Before)})
	}
	if s.RefusedDuration > 0 {
		known = append(known, creds.Fact{Name: RefusedDurationFact, Value: s.RefusedDuration.String()})
	}
	return known
}

// Check fails unless keys and region have the form that AWS's have. The error names the key,
// never its value.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_Credentials.html
func (k Keys) Check(region string) error {
	const upper, lower, digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "0123456789"
	for _, f := range []struct {
		name, value, letters string
		least, most          int
	}{
		{kindKeyID, k.AccessKeyID.Reveal(), upper + digits, 16, 128},
		{kindSecret, k.SecretAccessKey.Reveal(), upper + lower + digits + "+/=._-", 16, 256},
		{kindSession, k.SessionToken.Reveal(), upper + lower + digits + "+/=._-", 16, 16 << 10},
		{"region", region, lower + digits + "-", 1, 32},
	} {
		if len(f.value) < f.least || len(f.value) > f.most || strings.Trim(f.value, f.letters) != "" {
			return fmt.Errorf("%s must have %d to %d of the characters %s", f.name, f.least, f.most, f.letters)
		}
	}
	return nil
}

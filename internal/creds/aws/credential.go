package aws

import (
	"fmt"
	"strings"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/mask"
)

// Name is AWS's name among the providers of credentials.
const Name = "aws"

// The kinds of secrets of a credential, as people are told of them.
const (
	kindKeyID   = "access key id"
	kindSecret  = "secret access key"
	kindSession = "session token"
)

// The names of the facts of a credential.
const (
	RoleFact      = "role_arn"
	SessionFact   = "role_session_name"
	KeyIDFact     = "access_key_id"
	RegionFact    = "region"
	ShortenedFact = "shortened_duration" // what the role did not allow, such as 2h0m0s; empty: nothing
)

// Keys are temporary credentials as STS gives them.
type Keys struct {
	AccessKeyID     mask.Secret
	SecretAccessKey mask.Secret
	SessionToken    mask.Secret
	Expires         time.Time
}

// Session says what keys are for.
type Session struct {
	Role   Role
	Name   string // role session name
	Region string // that a script uses the keys in
	// Shortened is the duration that the role did not allow, so that the session is
	// shorter than the job may run; 0: the duration was allowed.
	Shortened time.Duration
}

// NewCredential returns keys and session as a credential of a job. It is an error
// where a key or the region is not made of the characters that AWS's are made of; the
// error names the key, never its value.
func NewCredential(k Keys, s Session) (creds.Credential, error) {
	if err := check(k, s.Region); err != nil {
		return creds.Credential{}, err
	}
	region := mask.NewSecret(s.Region)
	return creds.Credential{
		Provider: Name,
		Env: []creds.Variable{
			{Name: accessKeyID, Value: k.AccessKeyID},
			{Name: secretAccessKey, Value: k.SecretAccessKey},
			{Name: sessionToken, Value: k.SessionToken},
			{Name: "AWS_REGION", Value: region},
			{Name: "AWS_DEFAULT_REGION", Value: region},
			{Name: expiration, Value: mask.NewSecret(k.Expires.UTC().Format(time.RFC3339))},
		},
		Secrets: []mask.Named{
			{Kind: kindKeyID, Value: k.AccessKeyID},
			{Kind: kindSecret, Value: k.SecretAccessKey},
			{Kind: kindSession, Value: k.SessionToken},
		},
		Facts:   facts(k, s),
		Expires: k.Expires,
	}, nil
}

// facts returns what logs may show. The access key id may be known: CloudTrail shows
// it beside each call.
//
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
func facts(k Keys, s Session) creds.Facts {
	known := creds.Facts{
		{Name: RoleFact, Value: s.Role.String()},
		{Name: SessionFact, Value: s.Name},
		{Name: KeyIDFact, Value: k.AccessKeyID.Reveal()},
		{Name: RegionFact, Value: s.Region},
	}
	if s.Shortened > 0 {
		known = append(known, creds.Fact{Name: ShortenedFact, Value: s.Shortened.String()})
	}
	return known
}

// check reports an error unless keys and region have the form of AWS's.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_Credentials.html
func check(k Keys, region string) error {
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
			return fmt.Errorf("%s is not %d to %d of the characters %s", f.name, f.least, f.most, f.letters)
		}
	}
	return nil
}

package sts

import (
	"errors"
	"fmt"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go/middleware"

	"rolecall/internal/creds/aws"
	"rolecall/internal/mask"
)

// maxSkew is how much the clocks of this host and of STS may differ.
const maxSkew = 5 * time.Minute

// answer is what STS answers to one of its calls.
type answer struct {
	keys    *types.Credentials
	assumed *types.AssumedRoleUser
	data    middleware.Metadata
}

// answerOf returns the answer to the call with an ID token.
func answerOf(out *awssts.AssumeRoleWithWebIdentityOutput) answer {
	return answer{out.Credentials, out.AssumedRoleUser, out.ResultMetadata}
}

// check returns the keys in STS's answer. It fails if the answer is not what was requested.
func check(a answer, s aws.Session, requested time.Duration) (aws.Keys, error) {
	if a.keys == nil || a.keys.Expiration == nil {
		return aws.Keys{}, errors.New("STS returned no credentials, or none with an expiration")
	}
	keys := keysOf(*a.keys)
	if err := keys.Check(s.Region); err != nil {
		return aws.Keys{}, fmt.Errorf("STS returned malformed credentials: %w", err)
	}
	if a.assumed != nil {
		if err := checkAssumed(s.Role, sdk.ToString(a.assumed.Arn), s.Name); err != nil {
			return aws.Keys{}, err
		}
	}
	return keys, checkExpiry(keys.Expires, requested, a.data)
}

// keysOf returns the keys in STS's answer, which must have an expiration.
func keysOf(c types.Credentials) aws.Keys {
	return aws.Keys{
		AccessKeyID:     mask.NewSecret(sdk.ToString(c.AccessKeyId)),
		SecretAccessKey: mask.NewSecret(sdk.ToString(c.SecretAccessKey)),
		SessionToken:    mask.NewSecret(sdk.ToString(c.SessionToken)),
		Expires:         *c.Expiration,
	}
}

// checkAssumed fails if got, the ARN of the assumed role in STS's answer, names another
// role or session. An empty ARN is accepted.
func checkAssumed(role aws.Role, got, session string) error {
	if got == "" {
		return nil
	}
	want := fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/%s", role.Partition, role.Account, role.Name(), session)
	if got != want {
		return fmt.Errorf("STS answered for %.200q, requested was %q", got, want)
	}
	return nil
}

// checkExpiry fails if the credentials expire within a minute or are valid for longer
// than requested: then the clocks differ, or the answer cannot be trusted.
func checkExpiry(expires time.Time, requested time.Duration, data middleware.Metadata) error {
	left := time.Until(expires)
	if left > time.Minute && left < requested+maxSkew {
		return nil
	}
	err := fmt.Errorf("STS returned credentials that are valid for %v, requested were %v", left.Round(time.Second), requested)
	if server, ok := awsmiddleware.GetServerTime(data); ok {
		err = fmt.Errorf("%w; check NTP: this host's clock is %+.0f s from that of STS", err, time.Since(server).Seconds())
	}
	return err
}

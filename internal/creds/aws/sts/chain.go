package sts

import (
	"context"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
)

// chain assumes the first role with the ID token, and then each role of the chain with the
// session before it. Only the last session leaves this function; the others are as short as
// STS allows, and nobody has their keys.
func chain(ctx context.Context, c caller, r Request, last aws.Session) (creds.Credential, error) {
	out, err := assume(ctx, c.client, r, aws.ShortestSession)
	if err != nil {
		return creds.Credential{}, explain(err, r, c.guard)
	}
	s := last
	keys, err := check(answerOf(out), s, aws.ShortestSession)
	for i := range r.Chain {
		if err != nil {
			return creds.Credential{}, err
		}
		requested := aws.ShortestSession
		if i == len(r.Chain)-1 {
			requested = aws.ChainedDuration(r.Lifetime, r.Limit)
		}
		last.Before = append(last.Before, s.Role)
		s.Role = r.Chain[i].Role
		keys, err = hop{caller: c, request: r, index: i, with: keys}.assume(ctx, s, requested)
	}
	if err != nil {
		return creds.Credential{}, err
	}
	last.Role = s.Role
	return aws.NewCredential(keys, last)
}

// hop is the call of STS for one role of a chain.
type hop struct {
	caller

	request Request
	index   int      // in request.Chain
	with    aws.Keys // of the session before it
}

// assume makes the call, for a session s of that duration.
func (h hop) assume(ctx context.Context, s aws.Session, requested time.Duration) (aws.Keys, error) {
	tries := h.guard.Tries()
	out, err := h.client.AssumeRole(ctx, h.input(requested), func(o *awssts.Options) { o.Credentials = static(h.with) })
	if err != nil {
		return aws.Keys{}, h.explain(err, h.guard.Tries()-tries)
	}
	return check(answer{out.Credentials, out.AssumedRoleUser, out.ResultMetadata}, s, requested)
}

// input returns the request in the form of the SDK. The session policies are those of the
// session that the job gets.
func (h hop) input(requested time.Duration) *awssts.AssumeRoleInput {
	role := h.request.Chain[h.index]
	input := &awssts.AssumeRoleInput{
		RoleArn:         sdk.String(role.Role.String()),
		RoleSessionName: sdk.String(h.request.Session),
		DurationSeconds: sdk.Int32(int32(requested / time.Second)), //nolint:gosec // at most an hour
		ExternalId:      optional(role.ExternalID),
		SourceIdentity:  optional(role.SourceIdentity),
	}
	for _, tag := range role.Tags {
		addTag(input, tag)
	}
	if h.index == len(h.request.Chain)-1 {
		input.Policy, input.PolicyArns = policies(h.request)
	}
	return input
}

// addTag adds a session tag to a request.
func addTag(input *awssts.AssumeRoleInput, tag aws.Tag) {
	input.Tags = append(input.Tags, types.Tag{Key: sdk.String(tag.Key), Value: sdk.String(tag.Value)})
	if tag.Transitive {
		input.TransitiveTagKeys = append(input.TransitiveTagKeys, tag.Key)
	}
}

// static returns keys that sign requests.
func static(k aws.Keys) sdk.CredentialsProvider {
	return sdk.CredentialsProviderFunc(func(context.Context) (sdk.Credentials, error) {
		return sdk.Credentials{
			AccessKeyID:     k.AccessKeyID.Reveal(),
			SecretAccessKey: k.SecretAccessKey.Reveal(),
			SessionToken:    k.SessionToken.Reveal(),
			CanExpire:       true,
			Expires:         k.Expires,
		}, nil
	})
}

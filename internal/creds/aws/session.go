package aws

import (
	"fmt"
	"time"
)

// Bounds of a session's duration. STS refuses a duration outside of ShortestSession and
// LongestSession. Every role allows StandardSession.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
const (
	ShortestSession = 15 * time.Minute
	StandardSession = time.Hour
	LongestSession  = 12 * time.Hour
)

// SessionDuration returns the duration to request: lifetime, which is how long the job
// may run, but at most limit, and within the bounds. A lifetime of 0 or less is not known
// and means StandardSession. A limit of 0 or less means no limit.
func SessionDuration(lifetime, limit time.Duration) time.Duration {
	if lifetime <= 0 {
		lifetime = StandardSession
	}
	if limit > 0 {
		lifetime = min(lifetime, limit)
	}
	return min(max(lifetime, ShortestSession), LongestSession)
}

// ChainedDuration returns the duration to request of the last role of a chain, as
// SessionDuration does.
func ChainedDuration(lifetime, limit time.Duration) time.Duration {
	return min(SessionDuration(lifetime, limit), LongestChained)
}

// SessionName returns the role session name of a job, which CloudTrail shows:
// GitLabRunner-<project>-<pipeline>-<job>. STS allows 64 characters. A longer name is cut
// at its beginning, so that the ids stay whole.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
func SessionName(project, pipeline, job int64) string {
	name := fmt.Sprintf("GitLabRunner-%d-%d-%d", project, pipeline, job)
	return name[max(0, len(name)-64):]
}

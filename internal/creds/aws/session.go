package aws

import (
	"fmt"
	"time"
)

// Bounds of a session's duration. STS refuses shorter and longer ones; every
// role allows the standard one.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
const (
	ShortestSession = 15 * time.Minute
	StandardSession = time.Hour
	LongestSession  = 12 * time.Hour
)

// SessionDuration returns the session duration to request: as long as the job may
// run, but no longer than limit, and within the bounds. A lifetime that is 0 or less
// is not known, and stands for the standard one. A limit of 0 or less is none.
func SessionDuration(lifetime, limit time.Duration) time.Duration {
	if lifetime <= 0 {
		lifetime = StandardSession
	}
	if limit > 0 {
		lifetime = min(lifetime, limit)
	}
	return min(max(lifetime, ShortestSession), LongestSession)
}

// SessionName returns the role session name of a job,
// GitLabRunner-<project>-<pipeline>-<job>, so that CloudTrail names the job. STS
// allows 64 characters: where the ids need more, the word before them gives way.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
func SessionName(project, pipeline, job int64) string {
	name := fmt.Sprintf("GitLabRunner-%d-%d-%d", project, pipeline, job)
	return name[max(0, len(name)-64):]
}

package grant

import (
	"fmt"
	"strings"
	"time"

	"rolecall/internal/creds/aws"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// readSession reads the longest duration of a session. An empty text means 0: as long
// as the job may run.
func readSession(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	return parseSession(text)
}

// parseSession reads a duration that AWS accepts for a session.
func parseSession(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < aws.ShortestSession || d > aws.LongestSession || d%time.Second != 0 {
		return 0, fmt.Errorf(`%s: want a duration from "15m" to "12h", such as "1h"`, tenant.Quote(text))
	}
	return d, nil
}

// readRenew reads how long before its end an endpoint renews a session.
func readRenew(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Minute || d%time.Second != 0 {
		return 0, fmt.Errorf(`%s: want a duration of "1m" or more, such as "30m"`, tenant.Quote(text))
	}
	return d, nil
}

// readDelivery reports whether an endpoint gives credentials to scripts, and not their
// environment.
func readDelivery(text string) (bool, error) {
	if text != "env" && text != "endpoint" {
		return false, fmt.Errorf(`%s: want "env" or "endpoint"`, tenant.Quote(text))
	}
	return text == "endpoint", nil
}

// readRegion reads an AWS region. An empty text means the region of the runner's
// service.
func readRegion(text string) (string, error) {
	if meant := aws.RegionOfZone(text); meant != "" {
		return "", fmt.Errorf("%s is a zone, want its region, %s", tenant.Quote(text), meant)
	}
	if !aws.IsRegion(text) {
		return "", fmt.Errorf("%s is not an AWS region", tenant.Quote(text))
	}
	return text, nil
}

// readAccount reads the id of an AWS account.
func readAccount(text string) (string, error) {
	if len(text) != 12 || strings.Trim(text, "0123456789") != "" {
		return "", fmt.Errorf("%s: want the 12 digits of an account id", tenant.Quote(text))
	}
	return text, nil
}

// readPolicyARN reads the ARN of a managed policy, AWS's or an account's own.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
func readPolicyARN(text string) (string, error) {
	parts := strings.Split(text, ":")
	printable := !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
	if !printable || len(text) > 2048 || len(parts) != 6 || !isPolicy(parts) {
		return "", fmt.Errorf("%s: want the ARN of a managed policy, such as arn:aws:iam::aws:policy/ReadOnlyAccess", tenant.Quote(text))
	}
	if _, err := readAccount(parts[4]); err != nil && parts[4] != "aws" {
		return "", fmt.Errorf("%s: want aws or 12 digits as its account", tenant.Quote(text))
	}
	return text, nil
}

// isPolicy reports whether the six parts of an ARN name a managed policy, of whatever
// account.
func isPolicy(parts []string) bool {
	return parts[0] == "arn" && parts[1] != "" && policyfile.MadeOf(parts[1], "") && parts[2] == "iam" && parts[3] == "" &&
		strings.HasPrefix(parts[5], "policy/") && !strings.HasSuffix(parts[5], "/")
}

package sts

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"
)

// The operation, and the action of policies that allows it.
const (
	operation = "AssumeRoleWithWebIdentity"
	action    = "sts:" + operation
)

// request is what a client asks for.
type request struct {
	role, session, token string
	duration             time.Duration
}

// read returns a request whose form is as STS wants it.
func read(form url.Values) (request, error) {
	ask := request{role: form.Get("RoleArn"), session: form.Get("RoleSessionName"), token: form.Get("WebIdentityToken")}
	if form.Get("Action") != operation || form.Get("Version") != "2011-06-15" {
		return ask, refusal{http.StatusBadRequest, "InvalidAction", fmt.Sprintf("Could not find operation %s for version %s", form.Get("Action"), form.Get("Version"))}
	}
	for name := range form {
		if regexp.MustCompile(`^(Policy|PolicyArns\..*|ProviderId)$`).MatchString(name) {
			return ask, refusal{http.StatusNotImplemented, "NotImplemented", "this stand-in for STS does not know " + name}
		}
	}
	for _, field := range []struct {
		name, value string
		least, most int
		pattern     string
	}{
		{"roleSessionName", ask.session, 2, 64, `[\w+=,.@-]*`},
		{"webIdentityToken", ask.token, 4, 20000, `[\x00-\x7F]*`},
		{"roleArn", ask.role, 20, 2048, `[\x09\x0A\x0D\x20-\x7E\x{85}\x{A0}-\x{10FFFF}]+`},
	} {
		if err := validate(field.name, field.value, field.least, field.most, field.pattern); err != nil {
			return ask, err
		}
	}
	if !regexp.MustCompile(`^arn:[a-z-]+:iam::\d{12}:role/.+$`).MatchString(ask.role) {
		return ask, invalid("Request ARN is invalid")
	}
	var err error
	ask.duration, err = readDuration(form.Get("DurationSeconds"))
	return ask, err
}

// validate returns an error unless a value has a length and a form.
func validate(name, value string, least, most int, pattern string) error {
	constraint := ""
	switch {
	case value == "":
		return invalid(fmt.Sprintf("1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", name))
	case len(value) < least:
		constraint = fmt.Sprintf("Member must have length greater than or equal to %d", least)
	case len(value) > most:
		constraint = fmt.Sprintf("Member must have length less than or equal to %d", most)
	case !regexp.MustCompile(`\A` + pattern + `\z`).MatchString(value):
		constraint = "Member must satisfy regular expression pattern: " + pattern
	default:
		return nil
	}
	if name == "webIdentityToken" {
		value = "***"
	}
	return invalid(fmt.Sprintf("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: %s", value, name, constraint))
}

// readDuration returns how long a session is to last.
func readDuration(text string) (time.Duration, error) {
	const least, most = 900, 43200
	if text == "" {
		return time.Hour, nil
	}
	seconds, err := strconv.Atoi(text)
	constraint := ""
	switch {
	case err != nil:
		return 0, invalid("1 validation error detected: 'durationSeconds' is no number")
	case seconds < least:
		constraint = fmt.Sprintf("greater than or equal to %d", least)
	case seconds > most:
		constraint = fmt.Sprintf("less than or equal to %d", most)
	default:
		return time.Duration(seconds) * time.Second, nil
	}
	return 0, invalid(fmt.Sprintf("1 validation error detected: Value '%d' at 'durationSeconds' failed to satisfy constraint: Member must have value %s", seconds, constraint))
}

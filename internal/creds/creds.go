// Package creds holds the credentials of a job: what any provider gives, and how it
// is written to an env file.
package creds

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"rolecall/internal/mask"
)

// The variables of an env file, as AWS's SDKs and tools read them.
//
// https://docs.aws.amazon.com/sdkref/latest/guide/environment-variables.html
const (
	accessKeyID     = "AWS_ACCESS_KEY_ID"
	secretAccessKey = "AWS_SECRET_ACCESS_KEY" //nolint:gosec // the name of a variable
	sessionToken    = "AWS_SESSION_TOKEN"     //nolint:gosec // the name of a variable
	region          = "AWS_REGION"
	defaultRegion   = "AWS_DEFAULT_REGION"
	expiration      = "AWS_CREDENTIAL_EXPIRATION"
)

// Credentials are temporary credentials of STS, with the region that a script
// uses them in.
type Credentials struct {
	AccessKeyID     mask.Secret
	SecretAccessKey mask.Secret
	SessionToken    mask.Secret
	Region          string
	Expires         time.Time
}

// Check reports an error unless every field can stand unquoted in an env file.
// What passes reads back the same through ". FILE", through "xargs" and through
// "docker run --env-file FILE". The error names the field, never its value.
func (c Credentials) Check() error {
	const upper, lower, digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "0123456789"
	fields := []struct {
		name, value, letters string
		least, most          int
	}{
		{"access key id", c.AccessKeyID.Reveal(), upper + digits, 16, 128},
		{"secret access key", c.SecretAccessKey.Reveal(), upper + lower + digits + "+/=._-", 16, 256},
		{"session token", c.SessionToken.Reveal(), upper + lower + digits + "+/=._-", 16, 16 << 10},
		{"region", c.Region, lower + digits + "-", 1, 32},
	}
	for _, f := range fields {
		if len(f.value) < f.least || len(f.value) > f.most || strings.Trim(f.value, f.letters) != "" {
			return fmt.Errorf("%s is not %d to %d of the characters %s", f.name, f.least, f.most, f.letters)
		}
	}
	return nil
}

// Environ returns the credentials as NAME=value, in the order of the env file.
func (c Credentials) Environ() []string {
	return []string{
		accessKeyID + "=" + c.AccessKeyID.Reveal(),
		secretAccessKey + "=" + c.SecretAccessKey.Reveal(),
		sessionToken + "=" + c.SessionToken.Reveal(),
		region + "=" + c.Region,
		defaultRegion + "=" + c.Region,
		expiration + "=" + c.Expires.UTC().Format(time.RFC3339),
	}
}

// EnvFile returns the content of the env file.
func (c Credentials) EnvFile() []byte {
	return []byte(strings.Join(c.Environ(), "\n") + "\n")
}

// ParseEnvFile reads what EnvFile wrote. Anything else is an error, since
// nobody but the driver writes the file.
func ParseEnvFile(content []byte) (Credentials, error) {
	values := map[string]string{}
	for line := range strings.Lines(string(content)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		values[name] = value
	}
	expires, err := time.Parse(time.RFC3339, values[expiration])
	if err != nil {
		return Credentials{}, errors.New("it has no valid " + expiration)
	}
	c := Credentials{
		AccessKeyID:     mask.NewSecret(values[accessKeyID]),
		SecretAccessKey: mask.NewSecret(values[secretAccessKey]),
		SessionToken:    mask.NewSecret(values[sessionToken]),
		Region:          values[region],
		Expires:         expires,
	}
	if err := c.Check(); err != nil {
		return Credentials{}, err
	}
	if !bytes.Equal(c.EnvFile(), content) {
		return Credentials{}, errors.New("it is not as the driver wrote it")
	}
	return c, nil
}

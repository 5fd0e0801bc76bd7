package aws_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
	"rolecall/internal/mask"
)

// The values of valid keys.
const (
	goodID     = "ASIAIOSFODNN7EXAMPLE"
	goodSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	goodToken  = "IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJHMEUC_-.AiEA=="
)

// expires is when the keys of the tests expire.
var expires = time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)

// newCredential returns the credential with these values.
func newCredential(id, secret, token, region string) (creds.Credential, error) {
	keys := aws.Keys{AccessKeyID: mask.NewSecret(id), SecretAccessKey: mask.NewSecret(secret), SessionToken: mask.NewSecret(token), Expires: expires}
	session := aws.Session{Role: aws.Role{Partition: "aws", Account: "111122223333", Path: "ci/deploy"}, Name: "GitLabRunner-1-2-3", Region: region}
	return aws.NewCredential(keys, session)
}

// goodFile is the env file of good keys.
const goodFile = "AWS_ACCESS_KEY_ID=" + goodID + "\nAWS_SECRET_ACCESS_KEY=" + goodSecret + "\nAWS_SESSION_TOKEN=" + goodToken +
	"\nAWS_REGION=eu-central-1\nAWS_DEFAULT_REGION=eu-central-1\n"

func TestNewCredential(t *testing.T) {
	t.Parallel()
	c, err := newCredential(goodID, goodSecret, goodToken, "eu-central-1")
	if err != nil {
		t.Fatal(err)
	}
	set := creds.Set{c}
	if err := set.Check(); err != nil {
		t.Errorf("it cannot be written: %v", err)
	}
	if diff := cmp.Diff(goodFile, string(set.EnvFile())); diff != "" {
		t.Errorf("the env file differs:\n%s", diff)
	}
	secrets := map[string]string{}
	for _, s := range c.Secrets {
		secrets[s.Kind] = s.Value.Reveal()
	}
	want := map[string]string{"access key id": goodID, "secret access key": goodSecret, "session token": goodToken}
	if diff := cmp.Diff(want, secrets); diff != "" {
		t.Errorf("the secrets differ:\n%s", diff)
	}
	facts := creds.Facts{
		{Name: "role_arn", Value: "arn:aws:iam::111122223333:role/ci/deploy"},
		{Name: "role_session_name", Value: "GitLabRunner-1-2-3"},
		{Name: "access_key_id", Value: goodID},
		{Name: "region", Value: "eu-central-1"},
	}
	if diff := cmp.Diff(facts, c.Facts); diff != "" {
		t.Errorf("the facts differ:\n%s", diff)
	}
	if c.String() != "aws" || !c.Expires.Equal(expires) {
		t.Errorf("%s expires %v", c, c.Expires)
	}
}

// TestNewCredentialOfSession: the expiry is that of the keys and no variable, and a
// refused duration is a fact.
func TestNewCredentialOfSession(t *testing.T) {
	t.Parallel()
	keys := aws.Keys{mask.NewSecret(goodID), mask.NewSecret(goodSecret), mask.NewSecret(goodToken), expires.In(time.FixedZone("odd", 5400))}
	c, err := aws.NewCredential(keys, aws.Session{Region: "eu-central-1", RefusedDuration: 2 * time.Hour})
	if err != nil || string(creds.Set{c}.EnvFile()) != goodFile || !c.Expires.Equal(expires) || c.Facts.Get(aws.RefusedDurationFact) != "2h0m0s" {
		t.Errorf("%v, shortened %q, env file\n%s", err, c.Facts.Get(aws.RefusedDurationFact), creds.Set{c}.EnvFile())
	}
}

func TestNewCredentialAccepts(t *testing.T) {
	t.Parallel()
	letters := strings.Repeat("A", 16)
	for name, v := range map[string][4]string{
		"shortest":   {letters, letters, letters, "x"},
		"longest":    {strings.Repeat("A", 128), strings.Repeat("a", 256), strings.Repeat("+", 16<<10), strings.Repeat("x", 32)},
		"signs only": {"0000000000000000", "++++////====....____----", "====================", "--"},
	} {
		c, err := newCredential(v[0], v[1], v[2], v[3])
		if err == nil {
			err = creds.Set{c}.Check()
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNewCredentialRefuses puts each malformed text into each field. It must be refused
// with the field's name and without the value.
func TestNewCredentialRefuses(t *testing.T) {
	t.Parallel()
	filler := strings.Repeat("A", 20)
	for _, text := range []string{
		"", "A\n", filler + "\n", "\n" + filler, filler + "\nLD_PRELOAD=/x", filler + " ", " " + filler, filler + "$(id)" + filler,
		filler + "`id`", filler + "'", filler + `"`, filler + `\`, filler + "#", filler + ";", filler + "&", filler + "|", filler + "*",
		filler + "~", filler + "\x00", filler + "\r", filler + "\t", filler + "é", filler + "\xff", filler + "?", filler + "[a]", filler + "{a,b}",
		filler + "!", filler + "%", filler + ":", filler + ",", filler + "@", filler + "<", filler + ">", filler + "(", filler + "\u2028",
		strings.Repeat("A", 17<<10),
	} {
		for field, v := range map[string][4]string{
			"access key id":     {text, goodSecret, goodToken, "eu-central-1"},
			"secret access key": {goodID, text, goodToken, "eu-central-1"},
			"session token":     {goodID, goodSecret, text, "eu-central-1"},
			"region":            {goodID, goodSecret, goodToken, strings.ToLower(text)},
		} {
			c, err := newCredential(v[0], v[1], v[2], v[3])
			if err == nil || !strings.HasPrefix(err.Error(), field+" must have ") || c.Provider != "" || c.Env != nil {
				t.Errorf("%s %.60q: %v, error %v, want one of that field", field, text, c, err)
			}
			if err != nil && len(text) > 2 && strings.Contains(err.Error(), text) {
				t.Errorf("%s %.60q: the error holds the value: %v", field, text, err)
			}
		}
	}
}

func TestNewCredentialLetterCase(t *testing.T) {
	t.Parallel()
	for want, v := range map[string][4]string{
		"access key id must have 16 to 128 of the characters": {strings.ToLower(goodID), goodSecret, goodToken, "x"},
		"region must have 1 to 32 of the characters":          {goodID, goodSecret, goodToken, "EU"},
	} {
		if _, err := newCredential(v[0], v[1], v[2], v[3]); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// TestOverridesOwn: of the credential's variables a job may set only the region.
func TestOverridesOwn(t *testing.T) {
	t.Parallel()
	c, err := newCredential(goodID, goodSecret, goodToken, "eu-central-1")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range c.Env {
		if isRegion := strings.HasSuffix(v.Name, "_REGION"); aws.Overrides(v.Name) == isRegion || !aws.IsVariable(v.Name) {
			t.Errorf("Overrides(%s) = %v; a job chooses its region and nothing else", v.Name, !isRegion)
		}
	}
}

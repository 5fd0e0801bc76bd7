package creds_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/creds"
	"rolecall/internal/mask"
)

// credentials returns credentials of those values.
func credentials(id, secret, token, region string) creds.Credentials {
	return creds.Credentials{
		AccessKeyID:     mask.NewSecret(id),
		SecretAccessKey: mask.NewSecret(secret),
		SessionToken:    mask.NewSecret(token),
		Region:          region,
		Expires:         expires,
	}
}

// good returns valid credentials.
func good() creds.Credentials { return credentials(goodID, goodSecret, goodToken, "eu-central-1") }

// goodFile is the env file of good.
const goodFile = "AWS_ACCESS_KEY_ID=" + goodID + "\nAWS_SECRET_ACCESS_KEY=" + goodSecret + "\nAWS_SESSION_TOKEN=" + goodToken +
	"\nAWS_REGION=eu-central-1\nAWS_DEFAULT_REGION=eu-central-1\nAWS_CREDENTIAL_EXPIRATION=2031-02-03T04:05:06Z\n"

func TestEnvFileOfCredentials(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(goodFile, string(good().EnvFile())); diff != "" {
		t.Errorf("the env file differs:\n%s", diff)
	}
	if diff := cmp.Diff(strings.Split(strings.TrimSuffix(goodFile, "\n"), "\n"), good().Environ()); diff != "" {
		t.Errorf("the environment differs:\n%s", diff)
	}
	zone := good()
	zone.Expires = expires.In(time.FixedZone("odd", 5400))
	if diff := cmp.Diff(goodFile, string(zone.EnvFile())); diff != "" {
		t.Errorf("the env file of a time in another zone differs:\n%s", diff)
	}
}

func TestCheckAcceptsCredentials(t *testing.T) {
	t.Parallel()
	letters := strings.Repeat("A", 16)
	for name, c := range map[string]creds.Credentials{
		"as of STS":  good(),
		"shortest":   credentials(letters, letters, letters, "x"),
		"longest":    credentials(strings.Repeat("A", 128), strings.Repeat("a", 256), strings.Repeat("+", 16<<10), strings.Repeat("x", 32)),
		"signs only": credentials("0000000000000000", "++++////====....____----", "====================", "--"),
	} {
		if err := c.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCheckRefuses puts every odd text into every field: each must be refused
// for the field's name, and no refusal may hold the value.
func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	filler := strings.Repeat("A", 20)
	odd := []string{
		"", "A", filler + "\n", "\n" + filler, filler + "\nLD_PRELOAD=/x", filler + " ", " " + filler, filler + "$(id)" + filler,
		filler + "`id`", filler + "'", filler + `"`, filler + `\`, filler + "#", filler + ";", filler + "&", filler + "|", filler + "*",
		filler + "~", filler + "\x00", filler + "\r", filler + "\t", filler + "é", filler + "\xff", filler + "?", filler + "[a]", filler + "{a,b}",
		filler + "!", filler + "%", filler + ":", filler + ",", filler + "@", filler + "<", filler + ">", filler + "(", filler + "\u2028",
		strings.Repeat("A", 17<<10),
	}
	for _, text := range odd {
		for field, c := range map[string]creds.Credentials{
			"access key id":     credentials(text, goodSecret, goodToken, "eu-central-1"),
			"secret access key": credentials(goodID, text, goodToken, "eu-central-1"),
			"session token":     credentials(goodID, goodSecret, text, "eu-central-1"),
			"region":            credentials(goodID, goodSecret, goodToken, strings.ToLower(text)),
		} {
			if field == "region" && text == "A" {
				continue // a region of one letter is one
			}
			err := c.Check()
			if err == nil || !strings.HasPrefix(err.Error(), field+" is not ") {
				t.Errorf("%s %.60q: error %v, want one of that field", field, text, err)
			}
			if err != nil && len(text) > 2 && strings.Contains(err.Error(), text) {
				t.Errorf("%s %.60q: the error holds the value: %v", field, text, err)
			}
		}
	}
}

func TestCheckLetterCase(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]creds.Credentials{
		"access key id is not 16 to 128 of the characters": credentials(strings.ToLower(goodID), goodSecret, goodToken, "x"),
		"region is not 1 to 32 of the characters":          credentials(goodID, goodSecret, goodToken, "EU"),
	} {
		if err := c.Check(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestParseEnvFile(t *testing.T) {
	t.Parallel()
	c, err := creds.ParseEnvFile([]byte(goodFile))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(c.EnvFile()); got != goodFile {
		t.Errorf("it reads back as\n%s", got)
	}
	if !c.Expires.Equal(expires) || c.Region != "eu-central-1" || c.SecretAccessKey.Reveal() != goodSecret {
		t.Errorf("fields differ: %v, %q", c.Expires, c.Region)
	}
}

func TestParseEnvFileRefuses(t *testing.T) {
	t.Parallel()
	const notOurs, noExpiry = "it is not as the driver wrote it", "it has no valid AWS_CREDENTIAL_EXPIRATION"
	replace := func(from, to string) string { return strings.Replace(goodFile, from, to, 1) }
	for name, test := range map[string]struct{ content, want string }{
		"empty":             {"", noExpiry},
		"zeros":             {strings.Repeat("\x00", len(goodFile)), noExpiry},
		"no last newline":   {strings.TrimSuffix(goodFile, "\n"), notOurs},
		"a newline more":    {goodFile + "\n", notOurs},
		"a line more":       {goodFile + "LD_PRELOAD=/x\n", notOurs},
		"a line before":     {"X=1\n" + goodFile, notOurs},
		"a comment":         {"# x\n" + goodFile, notOurs},
		"a line twice":      {"AWS_ACCESS_KEY_ID=" + goodID + "\n" + goodFile, notOurs},
		"export":            {replace("AWS_REGION", "export AWS_REGION"), "region is not"},
		"CRLF":              {strings.ReplaceAll(goodFile, "\n", "\r\n"), noExpiry},
		"two regions":       {replace("AWS_DEFAULT_REGION=eu", "AWS_DEFAULT_REGION=us"), notOurs},
		"another order":     {replace("AWS_ACCESS_KEY_ID="+goodID+"\n", "") + "AWS_ACCESS_KEY_ID=" + goodID + "\n", notOurs},
		"expiry of a zone":  {replace("06Z", "06+00:00"), notOurs},
		"expiry a fraction": {replace("06Z", "06.5Z"), notOurs},
		"expiry a date":     {replace("T04:05:06Z", ""), noExpiry},
		"no secret":         {replace("AWS_SECRET_ACCESS_KEY", "X"), "secret access key is not"},
		"quoted secret":     {replace(goodSecret, "'"+goodSecret+"'"), "secret access key is not"},
		"shell in a secret": {replace(goodSecret, goodSecret+"$(id)"), "secret access key is not"},
		"half":              {goodFile[:120], noExpiry},
	} {
		c, err := creds.ParseEnvFile([]byte(test.content))
		if err == nil || !strings.HasPrefix(err.Error(), test.want) || c != (creds.Credentials{}) {
			t.Errorf("%s: %v, %v, want none and %q", name, c, err, test.want)
		}
		if err != nil && (strings.Contains(err.Error(), goodSecret) || strings.Contains(err.Error(), goodID)) {
			t.Errorf("%s: the error holds a secret: %v", name, err)
		}
	}
}

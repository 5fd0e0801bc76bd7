package aws_test

import (
	"strings"
	"testing"

	"rolecall/internal/creds/aws"
)

// role is the ARN of a role.
const role = "arn:aws:iam::111122223333:role/ci/deploy"

func TestParseRole(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		role,
		"arn:aws:iam::111122223333:role/deploy",
		"arn:aws-cn:iam::111122223333:role/a/b/c",
		"arn:aws-us-gov:iam::111122223333:role/x",
		"arn:minio:iam:::role/idmp-abcdef",
		"arn:aws:iam::111122223333:role/w+=,.@-_",
		"arn:aws:iam::111122223333:role/" + strings.Repeat("x", 2048-31),
	} {
		r, err := aws.ParseRole(text)
		if err != nil || r.String() != text {
			t.Errorf("ParseRole(%.60q) = %.60q, %v", text, r, err)
		}
	}
}

func TestParseRoleRefuses(t *testing.T) {
	t.Parallel()
	const want = "is not the ARN of an IAM role, such as arn:aws:iam::111122223333:role/deploy"
	for _, text := range []string{
		"", "deploy", "111122223333", "arn:aws:iam", "arn:aws:iam::111122223333", "arn:aws:iam::111122223333:role", "arn:aws:iam::111122223333:role/",
		"arn:aws:iam::111122223333:role/a/", "arn:aws:iam::111122223333:user/x", "arn:aws:sts::111122223333:assumed-role/x/y",
		"arn:aws:iam:eu-west-1:111122223333:role/x", "arn:aws:iam::11112222333:role/x", "arn:aws:iam::1111222233334:role/x",
		"arn:aws:iam::11112222333a:role/x", "arn:aws:s3:::role/bucket-name", " " + role, role + " ", role + "\n", "arn:aws:iam::111122223333:role/a b",
		"arn:aws:iam::111122223333:role/ä", "arn:aws:iam::111122223333:role/x\x00", "arn:aws:iam::111122223333:Role/x", "ARN:aws:iam::111122223333:role/x",
		"arn:a:iam:::role/a", "arn:aws:iam::111122223333:role/" + strings.Repeat("x", 2048), "https://" + role, strings.Repeat("\n", 5000),
	} {
		r, err := aws.ParseRole(text)
		if err == nil || !strings.Contains(err.Error(), want) || r != (aws.Role{}) {
			t.Errorf("ParseRole(%.60q) = %v, %v, want none and %q", text, r, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "\n") || len(err.Error()) > 600) {
			t.Errorf("ParseRole(%.60q): the error is no short line: %v", text, err)
		}
	}
}

// FuzzParseRole checks that an accepted text is a printable ARN in one line.
func FuzzParseRole(f *testing.F) {
	for _, seed := range []string{role, "arn:minio:iam:::role/x-1234567", "", "arn:::::", "arn:aws:iam::111122223333:role/a//b", "arn:$(id):iam:::role/xxxxxx", role + "\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := aws.ParseRole(text)
		if err != nil {
			return
		}
		odd := strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
		if r.String() != text || odd || !strings.HasPrefix(text, "arn:") || !strings.Contains(text, ":role/") || len(text) < 20 || len(text) > 2048 {
			t.Fatalf("accepted %q as %q", text, r)
		}
	})
}

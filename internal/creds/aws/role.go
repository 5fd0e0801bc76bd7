// Package aws holds AWS's rules that need no call to its servers: the ARN of a role, the
// names of variables, and the bounds of a session. It does not link the SDK.
package aws

import (
	"fmt"
	"strings"
)

// Role is the ARN of an IAM role. Any partition is accepted. The ARNs of MinIO have no
// account.
type Role struct {
	Partition string // such as aws
	Account   string // 12 digits, or empty
	Path      string // path and name, such as ci/deploy
}

// ParseRole reads an ARN arn:<partition>:iam::<account>:role/<path and name> with 20 to
// 2048 printable characters. The error quotes at most 100 characters of text.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
func ParseRole(text string) (Role, error) {
	printable := strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
	parts := strings.SplitN(text, ":", 6)
	if len(text) < 20 || len(text) > 2048 || !printable || len(parts) != 6 ||
		parts[0] != "arn" || parts[1] == "" || parts[2] != "iam" || parts[3] != "" || !isAccount(parts[4]) ||
		!strings.HasPrefix(parts[5], "role/") || strings.HasSuffix(parts[5], "/") {
		return Role{}, fmt.Errorf("%.100q is not the ARN of an IAM role, such as arn:aws:iam::111122223333:role/deploy", text)
	}
	return Role{parts[1], parts[4], strings.TrimPrefix(parts[5], "role/")}, nil
}

// isAccount reports whether text is empty or the id of an AWS account.
func isAccount(text string) bool {
	return text == "" || len(text) == 12 && strings.Trim(text, "0123456789") == ""
}

// MarshalText returns the ARN.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText is ParseRole.
func (r *Role) UnmarshalText(text []byte) (err error) {
	*r, err = ParseRole(string(text))
	return err
}

// String returns the ARN.
func (r Role) String() string {
	return "arn:" + r.Partition + ":iam::" + r.Account + ":role/" + r.Path
}

// Name returns the role's name without its path.
func (r Role) Name() string { return r.Path[strings.LastIndexByte(r.Path, '/')+1:] }

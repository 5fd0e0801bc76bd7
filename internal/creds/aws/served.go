package aws

import (
	"encoding/json"
	"strings"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/mask"
)

// The variables by which AWS's SDKs and tools find the endpoint of a container.
//
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
const (
	containerURL   = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
	containerToken = "AWS_CONTAINER_AUTHORIZATION_TOKEN" //nolint:gosec // the name of a variable
)

// answer is what an endpoint of a container answers. Some SDKs need all fields but the
// account.
type answer struct {
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	Token           string
	Expiration      string // RFC 3339, in UTC
	AccountID       string `json:"AccountId,omitempty"`
}

// Sends reports whether AWS's SDKs send the value of a variable to the endpoint of a container.
func Sends(variable string) bool { return variable == containerToken }

// served returns how an endpoint gives keys to scripts, and nil if none does. The variables
// are for the tenant's own keys only: tools take one endpoint.
func served(k Keys, s Session) *creds.Served {
	if s.Source == "" && !s.Endpoint {
		return nil
	}
	content, _ := json.Marshal(answer{ // cannot fail: texts can always be encoded
		AccessKeyID:     k.AccessKeyID.Reveal(),
		SecretAccessKey: k.SecretAccessKey.Reveal(),
		Token:           k.SessionToken.Reveal(),
		Expiration:      k.Expires.UTC().Format(time.RFC3339),
		AccountID:       s.Role.Account,
	})
	out := &creds.Served{Answer: mask.NewSecret(string(content))}
	if s.Source == "" {
		out.URL, out.Token = containerURL, containerToken
	}
	return out
}

// joinRoles returns the ARNs of roles with spaces between them.
func joinRoles(roles []Role) string {
	texts := make([]string, len(roles))
	for i, r := range roles {
		texts[i] = r.String()
	}
	return strings.Join(texts, " ")
}

// Profile returns the text by which tools find a credential under the name of a profile: they
// start program, which asks the endpoint. An empty region is not written.
//
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
func Profile(name, program, region string) creds.ToolText {
	text := "[profile " + name + "]\ncredential_process = " + program + " " + name + "\n"
	if region != "" {
		text += "region = " + region + "\n"
	}
	return creds.ToolText{File: configFile, Text: text}
}

// IsProgram reports whether all tools read path in a profile as one absolute path: some split
// it at spaces, others give it to a shell.
func IsProgram(path string) bool {
	return strings.HasPrefix(path, "/") && strings.Trim(path, wordLetters+"/.+-@:") == ""
}

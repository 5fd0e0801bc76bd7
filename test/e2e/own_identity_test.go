package e2e_test

import (
	"strings"
	"testing"

	"rolecall/test/document"
)

// testOwnIdentity: a script takes an identity by itself, with the ID token of its job. The
// credentials of its tenant win over its profile, unless it gives them up as docs/errors.md says.
func testOwnIdentity(t *testing.T, w *world) {
	who := "$(" + w.s3("use alpha") + " | sed -n 1p)"
	other := ""
	document.Run(t, "docs/errors.md", "RC106", func(s document.Step) { other = strings.TrimSpace(s.Command) })
	job := w.job("alpha",
		`echo "$GITLAB_OIDC_TOKEN" > token`,
		`printf "[profile other]\nrole_arn=`+w.minio.RoleARN("alpha")+`\nweb_identity_token_file=$PWD/token\n" > config`,
		"export AWS_CONFIG_FILE=$PWD/config AWS_ENDPOINT_URL_STS="+w.minio.URL,
		"first="+who,
		"export AWS_PROFILE=other",
		"second="+who,
		"unset AWS_PROFILE",
		`aws() { `+w.s3("use alpha")+` | sed -n 1p; }`, // the key in place of the name
		"third=$( "+other+" )",
		"fourth="+who,
		"rm token config",
		`[ -n "$first" ] && [ "$first" = "$second" ] && echo "the profile does not win"`,
		`[ -n "$third" ] && [ "$first" != "$third" ] && [ "$first" = "$fourth" ] && echo "then it does, there alone"`)
	contains(t, w.succeed(t, sharedToken, job), "the profile does not win", "then it does, there alone")
}

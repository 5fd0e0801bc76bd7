package e2e_test

import (
	"testing"
)

// testOwnIdentity: a script takes an identity by itself, with the ID token of its job. The
// credentials of its tenant win over its profile, until it gives them up.
func testOwnIdentity(t *testing.T, w *world) {
	who := "$(" + w.s3("use alpha") + " | sed -n 1p)"
	job := w.job("alpha",
		`echo "$GITLAB_OIDC_TOKEN" > token`,
		`printf "[profile own]\nrole_arn=`+w.minio.RoleARN("alpha")+`\nweb_identity_token_file=$PWD/token\n" > config`,
		"export AWS_CONFIG_FILE=$PWD/config AWS_ENDPOINT_URL_STS="+w.minio.URL,
		"first="+who,
		"export AWS_PROFILE=own",
		"second="+who,
		"unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN",
		"third="+who,
		"rm token config",
		`[ -n "$first" ] && [ "$first" = "$second" ] && echo "the profile does not win"`,
		`[ -n "$third" ] && [ "$first" != "$third" ] && echo "then it does"`)
	contains(t, w.succeed(t, sharedToken, job), "the profile does not win", "then it does")
}

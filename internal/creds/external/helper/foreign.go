package helper

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"rolecall/internal/audit"
	"rolecall/internal/creds"
	"rolecall/internal/creds/external"
	"rolecall/internal/mask"
)

// set adds a variable.
func (g *given) set(name, value string) {
	g.Env = append(g.Env, creds.Variable{Name: name, Value: mask.NewSecret(value)})
}

// put adds a file.
func (g *given) put(name, variable, content string) {
	g.Files = append(g.Files, creds.File{Name: name, Variables: []string{variable}, Content: mask.NewSecret(content)})
}

// readAWS reads an answer of credential_process. Scripts get no AWS_CREDENTIAL_EXPIRATION: with it
// botocore takes the keys for ones that are renewed in the environment, and hides the error of AWS
// when they have expired. ROLECALL_EXPIRES says when that is.
//
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
func readAWS(out []byte) (given, error) {
	var a struct {
		Version                                                int
		AccessKeyId, SecretAccessKey, SessionToken, Expiration string
	}
	if err := decode(out, false, &a); err != nil {
		return given{}, bad(err)
	}
	var g given
	for _, one := range []struct{ variable, kind, value string }{
		{external.KeyID, "AWS access key id", a.AccessKeyId},
		{external.Key, "AWS secret access key", a.SecretAccessKey},
		{external.Session, "AWS session token", a.SessionToken},
	} {
		if one.value == "" && one.variable == external.Session {
			continue // the keys of a user have none
		}
		g.set(one.variable, one.value)
		g.hide(one.kind, one.value)
	}
	if a.Version != 1 {
		return g, bad(fmt.Errorf("its Version is %d, want 1", a.Version))
	}
	g.Facts = creds.Facts{{Name: audit.KeyFact, Value: a.AccessKeyId}}
	var err error
	g.expires, err = readTime(a.Expiration)
	return g, err
}

// identityToken is the user of an answer whose secret is a token for the registry's server of tokens.
//
// https://github.com/docker/docker-credential-helpers#development
const identityToken = "<token>"

// login is a login of config.json.
//
// https://docs.docker.com/reference/cli/docker/login/
type login struct {
	Auth          string `json:"auth,omitempty"`
	IdentityToken string `json:"identitytoken,omitempty"`
}

// readDocker reads an answer of a credential helper of docker, and gives it to the job as a
// config.json. buildx keeps its own files elsewhere: the job cannot write to the folder.
func readDocker(out []byte, t external.Terms) (given, error) {
	var a struct{ ServerURL, Username, Secret string }
	if err := decode(out, false, &a); err != nil {
		return given{}, bad(err)
	}
	var g given
	g.hide("password of a registry", a.Secret)
	one := login{IdentityToken: a.Secret}
	if a.Username != identityToken {
		one = login{Auth: base64.StdEncoding.EncodeToString([]byte(a.Username + ":" + a.Secret))}
		g.hide("login to a registry", one.Auth)
	}
	if a.Username == "" {
		return g, bad(errors.New("it has no Username"))
	}
	auths := map[string]login{}
	for _, server := range serversOf(t) {
		auths[server] = one
	}
	config, _ := json.Marshal(map[string]any{"auths": auths}) // cannot fail: texts can always be encoded
	g.put(t.Source+".docker", external.DockerDir, string(config))
	g.Files[0].As = "config.json"
	g.Folders = []creds.Folder{{Variable: external.BuildxDir, Path: ".docker/buildx"}}
	return g, nil
}

// serversOf returns the servers that the login is for.
func serversOf(t external.Terms) []string {
	if len(t.Servers) == 0 {
		return []string{t.Input}
	}
	return t.Servers
}

// readKubernetes reads an ExecCredential.
//
// https://kubernetes.io/docs/reference/config-api/client-authentication.v1/
func readKubernetes(out []byte, source string) (given, error) {
	var a struct {
		APIVersion, Kind string
		Status           struct{ Token, ClientCertificateData, ClientKeyData, ExpirationTimestamp string }
	}
	if err := decode(out, false, &a); err != nil {
		return given{}, bad(err)
	}
	var g given
	if s := a.Status; s.Token != "" {
		g.hide("token of Kubernetes", s.Token)
		g.set(external.Token, s.Token)
		g.put(source+".token", external.TokenFile, s.Token)
	}
	if s := a.Status; s.ClientKeyData != "" {
		g.hide("client key of Kubernetes", s.ClientKeyData)
		g.put(source+".key", external.KeyFile, s.ClientKeyData)
		g.put(source+".crt", external.Certificate, s.ClientCertificateData)
	}
	if a.Kind != "ExecCredential" || a.APIVersion != execAPI && a.APIVersion != execAPI+"beta1" {
		return g, bad(errors.New("it is no ExecCredential of " + execAPI))
	}
	if s := a.Status; (s.ClientKeyData == "") != (s.ClientCertificateData == "") {
		return g, bad(errors.New("a client certificate and its key go together"))
	}
	var err error
	g.expires, err = readTime(a.Status.ExpirationTimestamp)
	return g, err
}

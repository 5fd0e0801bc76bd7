package image

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"rolecall/internal/mask"
)

// loginKind names a secret of a login in the job log.
const loginKind = "login of a registry"

// dockerConfig is what docker's config.json has of logins.
//
// https://docs.docker.com/reference/cli/docker/login/
type dockerConfig struct {
	Auths map[string]struct {
		Auth          string `json:"auth"` // base64 of USERNAME:PASSWORD
		Username      string `json:"username"`
		Password      string `json:"password"`
		IdentityToken string `json:"identitytoken"`
		RegistryToken string `json:"registrytoken"`
	} `json:"auths"`
}

// ConfigSecrets returns what must not be printed of a text in the form of docker's
// config.json, whether or not its logins are used. Of a broken one it is what can be read.
func ConfigSecrets(text string) []mask.Named {
	var config dockerConfig
	_ = json.Unmarshal([]byte(text), &config)
	var texts []string
	for _, host := range slices.Sorted(maps.Keys(config.Auths)) {
		a := config.Auths[host]
		decoded, _ := base64.StdEncoding.DecodeString(a.Auth)
		_, password, _ := strings.Cut(string(decoded), ":")
		texts = append(texts, a.Auth, password, a.IdentityToken, a.RegistryToken)
		texts = append(texts, loginTexts(a.Username, a.Password)...)
	}
	return named(texts)
}

// LoginSecrets returns what must not be printed of a login: the password, and the base64 of
// user and password that docker keeps.
func LoginSecrets(username string, password mask.Secret) []mask.Named {
	return named(loginTexts(username, password.Reveal()))
}

// loginTexts returns the secrets of a login, as texts.
func loginTexts(username, password string) []string {
	if password == "" {
		return nil
	}
	return []string{password, base64.StdEncoding.EncodeToString([]byte(username + ":" + password))}
}

// named returns texts as secrets, once each. Texts that are too short to be masked are left
// out.
func named(texts []string) []mask.Named {
	var all []mask.Named
	slices.Sort(texts)
	for _, text := range slices.Compact(texts) {
		if len(text) >= mask.MinLen {
			all = append(all, mask.Named{Kind: loginKind, Value: mask.NewSecret(text)})
		}
	}
	return all
}

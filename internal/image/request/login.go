package request

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"rolecall/internal/image"
	"rolecall/internal/job"
	"rolecall/internal/mask"
)

// maxLogins bounds how many logins DOCKER_AUTH_CONFIG may have.
const maxLogins = 100

// logins returns the logins of a job. Those of DOCKER_AUTH_CONFIG come first, as with GitLab
// Runner; an error says why there are none.
func logins(r job.Response, request job.Request) ([]image.Login, error) {
	all, err := readAuthConfig(request[image.AuthConfig])
	for _, one := range r.Logins {
		all = append(all, image.Login{Host: registryOf(one.URL), Username: one.Username, Password: one.Password, Source: image.OfJob})
	}
	return all, err
}

// auth is a login in the form of docker's config.json.
type auth struct {
	Auth     string `json:"auth"` // base64 of USERNAME:PASSWORD
	Username string `json:"username"`
	Password string `json:"password"`
}

// readAuthConfig reads the logins in a text of the form of docker's config.json. Programs
// that it names are never started. No error quotes the text.
//
// https://docs.gitlab.com/ci/docker/using_docker_images/#determine-your-docker_auth_config-data
func readAuthConfig(text string) ([]image.Login, error) {
	if text == "" {
		return nil, nil
	}
	var config struct {
		Auths   map[string]auth `json:"auths"`
		Helpers map[string]any  `json:"credHelpers"`
		Store   any             `json:"credsStore"`
	}
	switch err := json.Unmarshal([]byte(text), &config); {
	case err != nil:
		return nil, errors.New("it is not the JSON of docker's config.json")
	case len(config.Auths) > maxLogins:
		return nil, errors.New("it has too many logins")
	case len(config.Auths) == 0 && (config.Helpers != nil || config.Store != nil):
		return nil, errors.New("credHelpers and credsStore name programs, which are not started here; write auths")
	}
	var all []image.Login
	for _, host := range slices.Sorted(maps.Keys(config.Auths)) {
		l, err := config.Auths[host].login()
		if err != nil {
			return nil, err
		}
		l.Host, l.Source = registryOf(host), image.AuthConfig
		all = append(all, l)
	}
	return all, nil
}

// login returns the user and the password.
func (a auth) login() (image.Login, error) {
	if a.Auth == "" {
		return image.Login{Username: a.Username, Password: mask.NewSecret(a.Password)}, nil
	}
	text, err := base64.StdEncoding.DecodeString(a.Auth)
	user, password, ok := strings.Cut(string(text), ":")
	if err != nil || !ok {
		return image.Login{}, errors.New("an auth in it is not the base64 of USERNAME:PASSWORD")
	}
	return image.Login{Username: user, Password: mask.NewSecret(strings.TrimRight(password, "\x00"))}, nil
}

// registryOf returns the registry that a login is for, as full names of images begin: a
// host in lower case, and perhaps a path.
func registryOf(text string) string {
	host, path, _ := strings.Cut(text, "/")
	if scheme := strings.ToLower(host); scheme == "https:" || scheme == "http:" {
		host, _, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/") // an old form, whose path means nothing
		path = ""
	}
	if host = strings.ToLower(host); host == "index.docker.io" {
		host = "docker.io"
	}
	path, _, _ = strings.Cut(path, ":")
	return strings.TrimSuffix(host+"/"+path, "/")
}

package gcp

import (
	"encoding/json"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/idtoken"
	"rolecall/internal/mask"
)

// slack is what a job's ID token may lack of the timeout of the job: it is issued before prepare
// runs.
const slack = 5 * time.Minute

// Types of tokens, and of credential files.
//
// https://www.rfc-editor.org/rfc/rfc8693#name-token-type-identifiers
const (
	JWTType  = "urn:ietf:params:oauth:token-type:jwt"
	fileType = "external_account"
)

// file is a credential file of Google's libraries. It has no secret: it names the file of the ID
// token, which the libraries read anew for each exchange.
//
// https://google.aip.dev/auth/4117
type file struct {
	Type             string         `json:"type"`
	UniverseDomain   string         `json:"universe_domain"`
	Audience         string         `json:"audience"`
	SubjectTokenType string         `json:"subject_token_type"`
	TokenURL         string         `json:"token_url"`
	TokenInfoURL     string         `json:"token_info_url,omitempty"`
	ImpersonationURL string         `json:"service_account_impersonation_url,omitempty"`
	Impersonation    *impersonation `json:"service_account_impersonation,omitempty"`
	Source           fileSource     `json:"credential_source"`
}

// impersonation is what a credential file says of the tokens of a service account.
type impersonation struct {
	Lifetime int64 `json:"token_lifetime_seconds"`
}

// fileSource is where a library finds the ID token.
type fileSource struct {
	File string `json:"file"`
}

// Give returns the credential of an order: the files and variables by which scripts exchange the
// job's ID token themselves. It asks no server.
func Give(o creds.Order, t Terms, token idtoken.Token) creds.Credential {
	config, tokenFile := Name+"-"+o.Name+".json", Name+"-"+o.Name+".token"
	return creds.Credential{
		Provider: Name,
		Name:     o.Name,
		Env:      t.environ(),
		Files: []creds.File{
			{Name: config, Variables: []string{adcVariable, overrideVariable}, Content: mask.NewSecret(t.file(tokenFile)), Names: []string{tokenFile}},
			{Name: tokenFile, Content: token.Raw},
		},
		Folders: []creds.Folder{{Variable: configVariable, Path: "gcloud"}},
		Facts:   append(t.facts(), early(o, token)...),
		Expires: time.Unix(token.Claims.Expiry, 0),
	}
}

// file returns the content of the credential file.
func (t Terms) file(tokenFile string) string {
	f := file{
		Type: fileType, UniverseDomain: t.Universe, Audience: t.Audience(), SubjectTokenType: JWTType,
		TokenURL: t.TokenURL, TokenInfoURL: t.infoURL(), ImpersonationURL: t.ImpersonationURL(), Source: fileSource{creds.PathOf(tokenFile)},
	}
	if t.Lifetime > 0 {
		f.Impersonation = &impersonation{int64(t.Lifetime / time.Second)}
	}
	content, _ := json.Marshal(f) // cannot fail: it has texts and a number
	return string(content)
}

// environ returns the variables that hold no path.
func (t Terms) environ() []creds.Variable {
	var set []creds.Variable
	add := func(name, value string) { set = append(set, creds.Variable{Name: name, Value: mask.NewSecret(value)}) }
	if t.Universe != defaultUniverse {
		add(universeVariable, t.Universe)
		add(gcloudUniverse, t.Universe)
	}
	if t.Project != "" {
		for _, name := range projectVariables() {
			add(name, t.Project)
		}
	}
	return set
}

// early returns the fact that the ID token ends before the job may, if it does.
func early(o creds.Order, token idtoken.Token) creds.Facts {
	if time.Until(time.Unix(token.Claims.Expiry, 0)) > o.Lifetime-slack {
		return nil
	}
	return creds.Facts{{Name: earlyFact, Value: "true"}}
}

package creds_test

import (
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/mask"
)

// The values of valid credentials.
const (
	goodID     = "ASIAIOSFODNN7EXAMPLE"
	goodSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	goodToken  = "IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJHMEUC_-.AiEA=="
)

// expires is when the credentials of the tests expire.
var expires = time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)

// variable returns a variable.
func variable(name, value string) creds.Variable {
	return creds.Variable{Name: name, Value: mask.NewSecret(value)}
}

// of returns a set with one credential. The arguments are names and values of its
// variables, alternately.
func of(namesAndValues ...string) creds.Set {
	c := creds.Credential{Provider: "test"}
	for i := 0; i < len(namesAndValues); i += 2 {
		c.Env = append(c.Env, variable(namesAndValues[i], namesAndValues[i+1]))
	}
	return creds.Set{c}
}

// first returns a credential that uses all fields.
func first() creds.Credential {
	return creds.Credential{
		Provider: "cloud",
		Name:     "deploy",
		Env:      []creds.Variable{variable("CLOUD_ID", goodID), variable("CLOUD_URL", "https://cloud.example:8443/a,b@c%20")},
		Files:    []creds.File{{Name: "key.json", Variables: []string{"CLOUD_KEY_FILE", "CLOUD_FILE_KEY"}, Content: mask.NewSecret("{\"key\": \"" + goodSecret + "\"}\n")}},
		Secrets:  []mask.Named{{Kind: "cloud key", Value: mask.NewSecret(goodSecret)}},
		Facts:    creds.Facts{{Name: "account", Value: "12"}},
		Expires:  expires,
		Folders:  []creds.Folder{{Variable: "CLOUD_DIR", Path: ".config/cloud"}},
	}
}

// second returns another credential.
func second() creds.Credential {
	return creds.Credential{
		Provider: "vault",
		Env:      []creds.Variable{variable("VAULT_TOKEN", goodToken)},
		Secrets:  []mask.Named{{Kind: "vault token", Value: mask.NewSecret(goodToken)}},
		Expires:  expires.Add(-time.Hour),
	}
}

package azure

import (
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/idtoken"
)

// slack is what a job's ID token may lack of the timeout of the job: it is issued before prepare
// runs.
const slack = 5 * time.Minute

// Give returns the credential of an order: the file and variables by which scripts exchange the
// job's ID token themselves. It asks no server.
func Give(o creds.Order, t Terms, token idtoken.Token) creds.Credential {
	return creds.Credential{
		Provider: Name,
		Name:     o.Name,
		Env:      t.environ(),
		Files:    []creds.File{{Name: Name + "-" + o.Name + ".token", Variables: []string{tokenVariable, terraformVariable}, Content: token.Raw}},
		Folders:  []creds.Folder{{Variable: configVariable, Path: Name}},
		Facts:    append(t.facts(), early(o, token)...),
		Expires:  time.Unix(token.Claims.Expiry, 0),
	}
}

// early returns the fact that the ID token ends before the job may, if it does.
func early(o creds.Order, token idtoken.Token) creds.Facts {
	if time.Until(time.Unix(token.Claims.Expiry, 0)) > o.Lifetime-slack {
		return nil
	}
	return creds.Facts{{Name: earlyFact, Value: "true"}}
}

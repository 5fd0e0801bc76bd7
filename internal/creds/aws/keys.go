package aws

import (
	"encoding/json"
	"errors"

	"rolecall/internal/creds"
	"rolecall/internal/mask"
)

// KeysOf returns the keys of a credential that NewCredential has made, whether scripts have them
// or an endpoint gives them.
func KeysOf(c creds.Credential) (Keys, error) {
	k := Keys{Expires: c.Expires}
	for _, v := range c.Env {
		switch v.Name {
		case accessKeyID:
			k.AccessKeyID = v.Value
		case secretAccessKey:
			k.SecretAccessKey = v.Value
		case sessionToken:
			k.SessionToken = v.Value
		}
	}
	if c.Served != nil {
		var a answer
		if json.Unmarshal([]byte(c.Served.Answer.Reveal()), &a) != nil {
			return Keys{}, errors.New("the answer of the endpoint is not one of AWS")
		}
		k.AccessKeyID, k.SecretAccessKey, k.SessionToken = mask.NewSecret(a.AccessKeyID), mask.NewSecret(a.SecretAccessKey), mask.NewSecret(a.Token)
	}
	if c.Provider != Name || k.Check("any") != nil {
		return Keys{}, errors.New("it is no session of AWS")
	}
	return k, nil
}

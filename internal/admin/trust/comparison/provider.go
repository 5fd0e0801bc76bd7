package comparison

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rolecall/internal/admin/trust"
)

// Provider is an identity provider as AWS has it. Its thumbprints do not matter: AWS trusts the
// certificate authorities of the server.
type Provider struct {
	URL       string   `json:"Url"` // without https://
	Audiences []string `json:"ClientIDList"`
}

// ReadProvider reads what aws iam get-open-id-connect-provider prints.
func ReadProvider(content []byte) (Provider, error) {
	var p Provider
	if err := json.Unmarshal(content, &p); err != nil || p.URL == "" {
		return Provider{}, errors.New("it is not what aws iam get-open-id-connect-provider prints with --output json")
	}
	return p, nil
}

// CompareProvider returns how an identity provider differs from what a plan says of it. Audiences
// that it has besides let nobody in: each role asks for its own.
func CompareProvider(want trust.Provider, got Provider) []Finding {
	var found []Finding
	if bare(want.URL) != bare(got.URL) {
		found = append(found, Finding{Kind: Missing, Text: fmt.Sprintf("the identity provider is that of %s, and the policy file has %s", got.URL, bare(want.URL))})
	}
	for _, audience := range want.Audiences {
		if !slices.Contains(got.Audiences, audience) {
			found = append(found, Finding{Kind: Missing, Text: "the identity provider does not have the audience " + audience})
		}
	}
	return found
}

// bare returns a URL as AWS prints it.
func bare(url string) string { return strings.TrimPrefix(url, "https://") }

package trust_test

import (
	"strings"
	"testing"

	"rolecall/internal/admin/trust"
	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/tenant"
)

// TestRefuses: there is no trust policy for a tenant without a role, a role without an
// account, or an issuer that is no server.
func TestRefuses(t *testing.T) {
	t.Parallel()
	given := func(account string) []tenant.Gift {
		return []tenant.Gift{{Provider: aws.Name, Settings: grant.Settings{Role: aws.Role{Partition: "aws", Account: account, Path: "x"}}}}
	}
	for name, test := range map[string]struct {
		issuer string
		gifts  []tenant.Gift
		want   string
	}{
		"no role":         {"https://" + host, nil, `tenant "alpha" gives no AWS credentials`},
		"no account":      {"https://" + host, given(""), "has no account, so it is not a role of AWS"},
		"no issuer":       {"", given("111122223333"), `the issuer "" of the policy file is not a URL`},
		"a path":          {"/gitlab", given("111122223333"), `the issuer "/gitlab" of the policy file is not a URL`},
		"half an address": {"https://[::1", given("111122223333"), `the issuer "https://[::1" of the policy file is not a URL`},
	} {
		result, err := trust.New(test.issuer, tenant.Tenant{Name: "alpha", Gifts: test.gifts}, "")
		if err == nil || !strings.Contains(err.Error(), test.want) || result.Notes != nil {
			t.Errorf("%s: %+v, %v, want %q", name, result, err, test.want)
		}
	}
}

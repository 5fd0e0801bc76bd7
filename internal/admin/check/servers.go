package check

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken/jwks"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// checkKeys checks that the issuer's keys can be read and used, as prepare does. It
// verifies a token that nobody has signed: if only the signature is refused, there are
// keys.
func (h *host) checkKeys(ctx context.Context) []Finding {
	const area = "issuer's keys"
	gitlab := h.settings.GitLab
	if h.policy == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	dir, err := os.MkdirTemp("", "rolecall-check-")
	if err != nil {
		return []Finding{fix(idKeys, area, err.Error(), "make room for temporary files")}
	}
	defer func() { _ = os.RemoveAll(dir) }()
	source := jwks.Source{Issuer: gitlab.Issuer, URL: gitlab.JWKSURL, Dir: dir, CABundle: readIf(gitlab.CABundle)}
	where := cmp.Or(gitlab.JWKSFile, gitlab.JWKSURL, gitlab.Issuer)
	if source.File, err = policyfile.ReadNamed("gitlab.jwks_file", gitlab.JWKSFile); err != nil {
		return []Finding{fix(idKeys, area, err.Error(), "correct the file, or gitlab.jwks_file in the policy file")}
	}
	_, err = source.Verify(ctx, unsigned(gitlab.Issuer))
	found := fault.SideOf(err) == fault.Author
	switch {
	case strings.HasSuffix(gitlab.Issuer, "/") && (!found || !discovers(gitlab)):
		return []Finding{fix(idKeys, area, fmt.Sprintf("the issuer %q ends with a slash, and the claim iss of GitLab's ID tokens does not: every token is refused", gitlab.Issuer), "remove the slash in the policy file")}
	case !found:
		return []Finding{fix(idKeys, area, err.Error(), "correct gitlab in the policy file, or the network, proxy or CA: until then no job gets credentials")}
	}
	return []Finding{ok(area, where+" has keys that verify ID tokens")}
}

// discovers reports whether the issuer itself says where its keys are, and so what its
// name is.
func discovers(gitlab tenant.GitLab) bool { return gitlab.JWKSFile == "" && gitlab.JWKSURL == "" }

// unsigned returns a token of the issuer with a wrong signature.
func unsigned(issuer string) string {
	encode := base64.RawURLEncoding.EncodeToString
	claims, _ := json.Marshal(map[string]string{"iss": issuer}) // a text is always JSON
	return encode([]byte(`{"alg":"RS256","kid":"rolecall"}`)) + "." + encode(claims) + "." + encode([]byte("none"))
}

// readIf returns the content of a file, or nil. An error is reported by checkFiles.
func readIf(path string) []byte {
	content, _ := policyfile.ReadNamed("", path)
	return content
}

// server is the address of a server, and the file of the CAs that sign its certificate.
type server struct{ url, bundle string }

// checkGitLab checks that the runners' servers and the issuer answer, and compares
// their clocks with this host's.
func (h *host) checkGitLab(ctx context.Context) []Finding {
	gitlab := h.settings.GitLab
	var servers []server
	for _, r := range h.config.Runners {
		if r.ours() {
			servers = append(servers, server{r.URL, cmp.Or(r.CAFile, gitlab.CABundle)})
		}
	}
	if discovers(gitlab) && gitlab.Issuer != "" {
		servers = append(servers, server{gitlab.Issuer, gitlab.CABundle})
	}
	servers = sorted(servers)
	return gather(len(servers), func(i int) []Finding {
		skew, err := h.checkServer(ctx, servers[i].bundle, "", servers[i].url)
		if err != nil {
			return []Finding{fix(idGitLab, "GitLab", err.Error(), "correct the runner's url, or the network, proxy or CA")}
		}
		return skew
	})
}

// checkSTS checks that STS answers. Any answer is fine.
func (h *host) checkSTS(ctx context.Context) []Finding {
	const area = "STS"
	if h.policy == nil {
		return nil
	}
	server, endpoints := grant.ServerOf(h.settings), h.endpoints()
	return gather(len(endpoints), func(i int) []Finding {
		skew, err := h.checkServer(ctx, server.CABundle, server.Proxy, endpoints[i])
		if err != nil {
			return []Finding{fix(idSTS, area, err.Error(), "correct sts.endpoint, sts.proxy, sts.ca_bundle or the tenants' region, or the network")}
		}
		return append([]Finding{ok(area, endpoints[i]+" answers")}, skew...)
	})
}

// endpoints returns the addresses of STS for the tenants, by the policy file, else by the
// environment of the runner's service.
//
// https://docs.aws.amazon.com/general/latest/gr/sts.html
func (h *host) endpoints() []string {
	server := grant.ServerOf(h.settings)
	if e := cmp.Or(server.Endpoint, h.serviceVariable("AWS_ENDPOINT_URL_STS")); e != "" {
		return []string{e}
	}
	var endpoints []string
	ofService := h.serviceVariable("AWS_REGION")
	for _, t := range h.policy.Tenants() {
		for _, given := range grant.All(t.Gifts) {
			if e := regional(given.Role, cmp.Or(given.Region, ofService)); e != "" && !slices.Contains(endpoints, e) {
				endpoints = append(endpoints, e)
			}
		}
	}
	return endpoints
}

// regional returns the regional endpoint of STS for a role, or an empty text if the
// role's partition is unknown.
func regional(role aws.Role, region string) string {
	p, known := aws.LookupPartition(role.Partition)
	if !known {
		return ""
	}
	return "https://sts." + cmp.Or(region, p.Region) + "." + p.Domain
}

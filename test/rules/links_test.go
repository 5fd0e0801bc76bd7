package rules_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// links says which costly packages a program links.
type links struct {
	SDK    bool // the AWS SDK
	HTTP   bool // net/http
	Crypto bool // any of crypto/...
	Unpack bool // what unpacks archives, a third of a stage's start
	Policy bool // the reader of the policy file
	Names  bool // the judge of names of images, which takes a millisecond to start
}

// linksOf reads the import paths that a program depends on.
func linksOf(deps []string) links {
	has := func(path string) bool {
		return slices.ContainsFunc(deps, func(d string) bool { return d == path || strings.HasPrefix(d, path+"/") })
	}
	return links{
		SDK:    has("github.com/aws"),
		HTTP:   slices.Contains(deps, "net/http"),
		Crypto: has("crypto"),
		Unpack: has("github.com/klauspost/compress"),
		Policy: slices.Contains(deps, "rolecall/internal/tenant/policyfile"),
		Names:  has("github.com/distribution/reference"),
	}
}

// TestLinks: run is started about ten times a job, and config and cleanup once, so
// they must start fast. A program has only what it needs.
func TestLinks(t *testing.T) {
	t.Parallel()
	want := map[string]links{
		"config":          {Policy: true},
		"prepare":         {SDK: true, HTTP: true, Crypto: true, Policy: true, Names: true},
		"registry":        {HTTP: true, Crypto: true, Unpack: true, Names: true},
		"run":             {Policy: true},
		"endpoint":        {SDK: true, HTTP: true, Crypto: true, Policy: true},
		"credential":      {},
		"handover":        {SDK: true, HTTP: true, Crypto: true, Policy: true},
		"cleanup":         {Crypto: true, Unpack: true, Policy: true}, // a rotated audit log: 0.3 ms
		"gate":            {Crypto: true, Unpack: true},               // klauspost/compress/zstd imports crypto/rand
		"sweep":           {Crypto: true, Unpack: true, Policy: true},
		"revoke":          {HTTP: true, Crypto: true, Policy: true},
		"rolecall-broker": {SDK: true, HTTP: true, Crypto: true, Policy: true},
		"rolecall":        {HTTP: true, Crypto: true, Unpack: true, Policy: true, Names: true}, // rotated audit logs are compressed
	}
	got := map[string]links{}
	for _, p := range list(t, "./cmd/...") {
		got[filepath.Base(p.ImportPath)] = linksOf(p.Deps)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what the programs link (- wanted, + linked):\n%s", diff)
	}
}

// TestHandoverLinks: the program handover has the clients of its stores, and neither what runs scripts
// nor what asks STS.
func TestHandoverLinks(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "./cmd/handover") {
		for _, room := range []string{"rolecall/internal/backend/host", "rolecall/internal/backend/podman", "rolecall/internal/creds/aws/sts", "github.com/aws/aws-sdk-go-v2/config", "github.com/aws/aws-sdk-go-v2/service/sts"} {
			if slices.Contains(p.Deps, room) {
				t.Errorf("handover links %s", room)
			}
		}
	}
}

// TestStandIns: a stand-in for a server of a cloud has nothing of the driver, so that it judges
// the driver by its own knowledge.
func TestStandIns(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"cloud", "fakecloud", "fakests", "issuer", "signature"} {
		for _, p := range list(t, "./test/"+folder+"/...") {
			if i := slices.IndexFunc(p.Deps, func(d string) bool { return strings.HasPrefix(d, "rolecall/internal/") }); i >= 0 {
				t.Errorf("%s imports %s", p.ImportPath, p.Deps[i])
			}
		}
	}
}

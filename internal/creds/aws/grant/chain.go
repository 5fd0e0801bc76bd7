package grant

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"rolecall/internal/creds/aws"
	"rolecall/internal/idtoken"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// Hop is a role of a chain as a policy file has it. Claims are not filled in.
type Hop struct {
	Role           aws.Role
	ExternalID     string
	Tags           []Tag // in the order of their keys
	SourceIdentity Value // without a text and a claim: none
}

// Tag is a session tag of a policy file.
type Tag struct {
	Key        string
	Value      Value
	Transitive bool
}

// Value is a text, or stands for a claim of the job's ID token.
type Value struct {
	Text  string
	Claim string // name of the claim; empty: Text is the value
}

// claimPrefix begins a value that stands for a claim.
const claimPrefix = "claim:"

// readChain reads the chain of a tenant or a source.
func readChain(t policyfile.Table) []Hop {
	var chain []Hop
	for _, h := range t.Tables("chain") {
		var hop Hop
		policyfile.Set(h, "role_arn", aws.ParseRole, &hop.Role)
		policyfile.Set(h, "external_id", readExternalID, &hop.ExternalID)
		policyfile.Set(h, "source_identity", func(text string) (Value, error) { return readValue(text, aws.CheckSourceIdentity) }, &hop.SourceIdentity)
		policyfile.SetPairs(h, "tags", hop.addTag)
		var transitive []string
		policyfile.SetAny(h, "transitive", hop.readTransitive, &transitive)
		chain = append(chain, hop)
	}
	return chain
}

// readExternalID reads an external id.
func readExternalID(text string) (string, error) { return text, aws.CheckExternalID(text) }

// readValue reads a value. Check says whether AWS takes a text; a claim is checked when there
// is a job.
func readValue(text string, check func(string) error) (Value, error) {
	name, isClaim := strings.CutPrefix(text, claimPrefix)
	if isClaim {
		return readClaim(name)
	}
	return Value{Text: text}, check(text)
}

// readClaim reads the name of a claim.
func readClaim(name string) (Value, error) {
	if _, known := (idtoken.Claims{}).Get(name); !known {
		return Value{}, fmt.Errorf("%s is no claim that can be used; those are %s", tenant.Quote(name), strings.Join(idtoken.ClaimNames(), ", "))
	}
	return Value{Claim: name}, nil
}

// addTag adds a tag of a policy file. AWS does not tell keys apart by their case.
func (h *Hop) addTag(key, text string) error {
	if err := aws.CheckTagKey(key); err != nil {
		return fmt.Errorf("%s: %w", tenant.Quote(key), err)
	}
	if h.tag(key) != nil {
		return fmt.Errorf("%s differs from another key by its case alone, and AWS takes both for the same", tenant.Quote(key))
	}
	value, err := readValue(text, aws.CheckTagValue)
	if err != nil {
		return fmt.Errorf("%s: %w", tenant.Quote(key), err)
	}
	h.Tags = append(h.Tags, Tag{Key: key, Value: value})
	return nil
}

// tag returns the tag with that key, or nil.
func (h *Hop) tag(key string) *Tag {
	i := slices.IndexFunc(h.Tags, func(t Tag) bool { return strings.EqualFold(t.Key, key) })
	if i < 0 {
		return nil
	}
	return &h.Tags[i]
}

// readTransitive marks a tag of the hop as one that later sessions have too.
func (h *Hop) readTransitive(key string) (string, error) {
	tag := h.tag(key)
	if tag == nil {
		return "", fmt.Errorf("%s is not among tags", tenant.Quote(key))
	}
	tag.Transitive = true
	return key, nil
}

// checkChain reports what is wrong in a chain as a whole.
func (s Settings) checkChain(t policyfile.Table) {
	before, identity, fixed := s.Role, false, Hop{}
	for i, h := range t.Tables("chain") {
		if i == aws.MaxHops {
			h.FailTable(fmt.Errorf("a chain has at most %d roles after the first", aws.MaxHops))
			return
		}
		hop := s.Chain[i]
		if !h.Own("role_arn") {
			h.FailTable(errors.New("role_arn is missing"))
		}
		s.checkHop(h, hop, before)
		if hop.SourceIdentity != (Value{}) && identity {
			h.Fail("source_identity", errors.New("a role before it in the chain sets it, and it stays the same"))
		}
		before, identity = hop.Role, identity || hop.SourceIdentity != (Value{})
		fixed.fix(h, hop)
	}
}

// checkHop reports what is wrong in a hop that follows the role before.
func (s Settings) checkHop(t policyfile.Table, hop Hop, before aws.Role) {
	if hop.Role == (aws.Role{}) {
		return
	}
	s.checkAccount(t, hop.Role)
	if hop.Role.Partition != before.Partition && before.Partition != "" {
		t.Fail("role_arn", errors.New("it is of another partition than the role before it, which cannot assume it"))
	}
	if len(hop.Tags) > aws.MaxTags {
		t.Fail("tags", fmt.Errorf("there are %d, and AWS takes at most %d", len(hop.Tags), aws.MaxTags))
	}
}

// fix adds the transitive tags of a hop to those that later hops cannot set, and reports
// those of the hop that it cannot set.
func (h *Hop) fix(t policyfile.Table, hop Hop) {
	for _, tag := range hop.Tags {
		if h.tag(tag.Key) != nil {
			t.Fail("tags", fmt.Errorf("%s is transitive in a role before it in the chain, and cannot be set again", tenant.Quote(tag.Key)))
		}
	}
	for _, tag := range hop.Tags {
		if tag.Transitive {
			h.Tags = append(h.Tags, tag)
		}
	}
}

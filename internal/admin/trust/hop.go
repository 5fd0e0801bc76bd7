package trust

import (
	"encoding/json"
	"fmt"
	"strings"

	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/tenant"
)

// Hop is what a role of a chain needs in AWS, beside the first.
type Hop struct {
	Notes []Note

	name, source string // of the tenant and of its source
	place        int    // in the chain, from 2 on
	before       aws.Role
	hop          grant.Hop
}

// NewHop returns what the role at a place of the chain of a tenant, or of one of its sources,
// needs. The second role has place 2.
func NewHop(t tenant.Tenant, source string, place int) (Hop, error) {
	given, err := Given(t, source)
	if err != nil {
		return Hop{}, err
	}
	if place < 2 || place > 1+len(given.Chain) {
		return Hop{}, fmt.Errorf("no role is at place %d of the chain, which has %d", place, 1+len(given.Chain))
	}
	h := Hop{name: string(t.Name), source: source, place: place, before: given.Role, hop: given.Chain[place-2]}
	if place > 2 {
		h.before = given.Chain[place-3].Role
	}
	h.Notes = h.notes()
	return h, nil
}

// notes returns what the trust policy does not say.
func (h Hop) notes() []Note {
	notes := []Note{{"chain", fmt.Sprintf("%s must be allowed %s on %s, by a policy of its own", h.before, strings.Join(h.actions(), ", "), h.hop.Role)}}
	for _, tag := range h.hop.Tags {
		if tag.Value.Claim != "" {
			notes = append(notes, noteOf(tag))
		}
	}
	return notes
}

// noteOf says what policies can do with a tag that stands for a claim.
func noteOf(tag grant.Tag) Note {
	return Note{"tags", fmt.Sprintf("the tag %s is the claim %s of the job's ID token: policies of the role can ask for aws:PrincipalTag/%[1]s", tag.Key, tag.Value.Claim)}
}

// actions returns what the trust policy allows.
func (h Hop) actions() []string { return actions(h.hop) }

// actions returns what the role before a role must be allowed.
func actions(h grant.Hop) []string {
	hop := aws.Hop{Tags: make([]aws.Tag, len(h.Tags))}
	if h.SourceIdentity != (grant.Value{}) {
		hop.SourceIdentity = "any"
	}
	return hop.Actions()
}

// hopDocument is a trust policy with several actions.
type hopDocument struct {
	Version   string
	Statement []hopStatement
}

type hopStatement struct {
	Effect    string
	Principal map[string]string
	Action    []string
	Condition map[string]map[string]string `json:",omitempty"`
}

// JSON returns the trust policy, for --assume-role-policy-document.
func (h Hop) JSON() []byte {
	s := hopStatement{Effect: "Allow", Principal: map[string]string{"AWS": h.before.String()}, Action: h.actions()}
	if h.hop.ExternalID != "" {
		s.Condition = map[string]map[string]string{"StringEquals": {"sts:ExternalId": literal(h.hop.ExternalID)}}
	}
	return encode(hopDocument{"2012-10-17", []hopStatement{s}})
}

// Permissions returns the policy that the role before needs, as JSON.
func (h Hop) Permissions() []byte {
	type statement struct {
		Effect   string
		Action   []string
		Resource string
	}
	text, _ := json.Marshal(struct { // cannot fail: texts can always be encoded
		Version   string
		Statement []statement
	}{"2012-10-17", []statement{{"Allow", h.actions(), h.hop.Role.String()}}})
	return text
}

// Commands returns the commands of the AWS CLI that create the role, whose trust policy lies
// in file, and that let the role before assume it.
func (h Hop) Commands(file string) string {
	role := h.hop.Role
	return fmt.Sprintf(`# in account %s, role %d of the chain:
aws iam create-role --role-name %s --path %s --max-session-duration 3600 --assume-role-policy-document %s
# or, if the role exists already:
aws iam update-assume-role-policy --role-name %s --policy-document %s
# in account %s, for the role before it:
aws iam put-role-policy --role-name %s --policy-name %s --policy-document %s
`, role.Account, h.place, shell(role.Name()), shell(path(role)), shell("file://"+file), shell(role.Name()), shell("file://"+file),
		h.before.Account, shell(h.before.Name()), shell("assume-"+role.Name()), shell(string(h.Permissions())))
}

// HCL returns the role as a configuration of Terraform or OpenTofu.
func (h Hop) HCL() string {
	var text strings.Builder
	for _, note := range h.Notes {
		fmt.Fprintf(&text, "# %s\n", oneLine(note.String()))
	}
	policy := escapeTemplates(strings.TrimSpace(string(h.JSON())))
	role := h.hop.Role
	fmt.Fprintf(&text, `
resource "aws_iam_role" %s {
  name                 = %s
  path                 = %s
  max_session_duration = 3600
  assume_role_policy   = jsonencode(%s)
}

# In account %s, for the role before it.
resource "aws_iam_role_policy" %s {
  name   = %s
  role   = %s
  policy = jsonencode(%s)
}
`, quote(label(h.name, h.source, h.place)), quote(role.Name()), quote(path(role)), strings.ReplaceAll(policy, "\n", "\n  "),
		h.before.Account, quote(label(h.name, h.source, h.place-1)+"_assume"), quote("assume-"+role.Name()), quote(h.before.Name()), escapeTemplates(string(h.Permissions())))
	return text.String()
}

package tenant

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
)

// maxProblems bounds how many errors of a policy file are told at once.
const maxProblems = 10

// problem is something wrong in a policy file. Its line is 0 while only its place
// is known.
type problem struct {
	place

	offset, line int
	text         string
}

// compiler turns a policy file into a Policy.
type compiler struct {
	content  []byte
	problems []problem
}

// Compile reads a policy file: strict TOML, in which everything that is unknown,
// missing or without effect is an error. An error is one line for each of at most
// ten problems, FILE:LINE: what is wrong, without a value that may be secret.
//
// https://toml.io/en/v1.0.0
func Compile(file string, content []byte) (*Policy, error) {
	c := &compiler{content: content}
	policy := c.compile()
	if len(c.problems) == 0 {
		return policy, nil
	}
	c.locate()
	slices.SortStableFunc(c.problems, func(a, b problem) int { return cmp.Compare(a.line, b.line) })
	var lines []error
	for _, p := range c.problems {
		lines = append(lines, fmt.Errorf("%s:%d: %s", file, p.line, p.text))
	}
	return nil, errors.Join(lines...)
}

// compile returns the policy, which is of no use where it has met problems.
func (c *compiler) compile() *Policy {
	if !c.checkBytes() {
		return nil
	}
	c.checkKeys()
	if len(c.problems) > 0 {
		return nil
	}
	var d document
	if err := toml.NewDecoder(bytes.NewReader(c.content)).DisallowUnknownFields().Decode(&d); err != nil {
		c.failDecode(err)
		return nil
	}
	if len(d.Tenants) == 0 {
		c.fail(place{}, "the file has no tenant; add one with [[tenant]]")
	}
	hash := fnv.New128a()
	_, _ = hash.Write(c.content)
	policy := &Policy{settings: c.settings(d), hash: hex.EncodeToString(hash.Sum(nil))}
	c.tenants(d, policy)
	if len(c.problems) == 0 {
		c.checkUsers(policy)
	}
	return policy
}

// checkUsers reports tenants that have a unix user in common, with one another or
// with the jobs of no tenant: those can read each other's credentials. And a user
// who would have no folder to work in.
func (c *compiler) checkUsers(p *Policy) {
	const unsafe = `; or set shared_user = "unsafe" at the top of the file, for tenants that may read each other's credentials`
	users := map[string]string{p.settings.RunAs: "the jobs of no tenant"}
	for i, t := range p.tenants {
		at := table{c, place{table: "tenant", index: i}, "tenant " + quote(string(t.Name)) + ": "}
		switch other, taken := users[t.RunAs]; {
		case t.RunAs != "" && (p.settings.BuildsDir == "" || p.settings.CacheDir == ""):
			at.fail("run_as", -1, errors.New("such a user needs folders of its own; set builds_dir and cache_dir at the top of the file"))
		case p.settings.SharedUser:
		case t.RunAs == "" && len(p.tenants) > 1:
			at.fail("run_as", -1, errors.New("it is missing, and there are other tenants; name a unix user of the tenant's own"+unsafe))
		case t.RunAs != "" && taken:
			at.fail("run_as", -1, fmt.Errorf("it is the user of %s too; name one of the tenant's own%s", other, unsafe))
		}
		users[t.RunAs] = "tenant " + quote(string(t.Name))
	}
}

// checkBytes reports whether the file is a text at all.
func (c *compiler) checkBytes() bool {
	i := bytes.IndexFunc(c.content, func(r rune) bool { return r == 0 || r == '\ufeff' || r == utf8.RuneError })
	if i < 0 {
		return true
	}
	r, _ := utf8.DecodeRune(c.content[i:])
	what := map[rune]string{0: "a NUL byte", '\ufeff': "a byte order mark", utf8.RuneError: "a byte that is not UTF-8, or U+FFFD for one"}[r]
	c.failLine(i, what+"; save the file as plain UTF-8 text")
	return false
}

// failDecode reports what the decoder has found, on one line.
func (c *compiler) failDecode(err error) {
	line := 1
	var found *toml.DecodeError
	if errors.As(err, &found) {
		line, _ = found.Position()
	}
	text := strings.Trim(quote(strings.TrimPrefix(err.Error(), "toml: ")), `"`)
	c.problems = append(c.problems, problem{line: line, text: text})
}

// fail reports a problem at a place.
func (c *compiler) fail(at place, text string) {
	if !c.full() {
		c.problems = append(c.problems, problem{place: at, text: text})
	}
}

// failLine reports a problem at an offset.
func (c *compiler) failLine(offset int, text string) {
	if !c.full() {
		c.problems = append(c.problems, problem{line: c.lineOf(offset), text: text})
	}
}

// full reports whether there are as many problems as are told.
func (c *compiler) full() bool { return len(c.problems) >= maxProblems }

// tenants compiles the tenants of a document into policy.
func (c *compiler) tenants(d document, policy *Policy) {
	defaults := Tenant{IDToken: IDToken, RefTypes: []string{"branch"}}
	table{c, place{table: "defaults"}, "[defaults] "}.apply(&defaults, d.Defaults)
	seen := make(map[Name]bool, len(d.Tenants))
	policy.tenants = make([]Tenant, 0, len(d.Tenants))
	for i, keys := range d.Tenants {
		if c.full() {
			return
		}
		t := defaults
		at := table{c, place{table: "tenant", index: i}, "tenant " + strconv.Itoa(i+1) + " of the file: "}
		if keys.Name == nil {
			at.fail("name", -1, errors.New("it is missing"))
		} else {
			at.label = "tenant " + quote(*keys.Name) + ": "
			set(at, "name", keys.Name, func(text string) (Name, error) { return readName(text, seen) }, &t.Name)
		}
		at.apply(&t, keys.keys)
		at.check(t, keys.keys, d.Defaults)
		policy.tenants = append(policy.tenants, t)
	}
}

// readName reads the name of a tenant that is not among those seen, and adds it.
func readName(text string, seen map[Name]bool) (Name, error) {
	name, err := ParseName(text)
	switch {
	case err != nil:
		return None, err
	case name == nobody:
		return None, errors.New("jobs of no tenant have that name; choose another")
	case seen[name]:
		return None, errors.New("the file has another tenant of that name")
	}
	seen[name] = true
	return name, nil
}

// Package policyfile reads the policy file: strict TOML, compiled to a tenant.Policy.
package policyfile

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"

	"rolecall/internal/tenant"
)

// maxProblems bounds how many errors of a policy file are reported at once.
const maxProblems = 10

// problem is an error in a policy file. Its line is 0 until locate has found it.
type problem struct {
	place

	offset, line int
	text         string
}

// compiler turns a policy file into a Policy.
type compiler struct {
	content   []byte
	providers []Provider
	known     map[string]Keys            // keys of the tables at the top, except tenant
	names     []string                   // names of these tables
	repeated  map[string]map[string]Keys // keys of the tables that may occur several times, by provider
	problems  []problem
	unplaced  bool // no scripts run by the policy: tenants need no unix users
}

// Compile reads the content of a policy file: strict TOML, in which everything that is
// unknown, missing or without effect is an error. The providers say which keys about
// credentials it may have. The error has one line for each of at most ten problems,
// FILE:LINE: what is wrong, without a value that may be secret.
//
// https://toml.io/en/v1.0.0
func Compile(file string, content []byte, providers ...Provider) (*tenant.Policy, error) {
	return (&compiler{content: content, providers: providers}).run(file)
}

// compileUnplaced is Compile for a program that runs no scripts.
func compileUnplaced(file string, content []byte, providers ...Provider) (*tenant.Policy, error) {
	return (&compiler{content: content, providers: providers, unplaced: true}).run(file)
}

// run reads the content.
func (c *compiler) run(file string) (*tenant.Policy, error) {
	c.known, c.names = c.tables()
	c.repeated = c.repeatedTables()
	policy := c.compile()
	if len(c.problems) == 0 {
		return policy, nil
	}
	return nil, c.report(file)
}

// report returns the problems as an error, in the order of their lines.
func (c *compiler) report(file string) error {
	c.locate()
	slices.SortStableFunc(c.problems, func(a, b problem) int { return cmp.Compare(a.line, b.line) })
	var lines []error
	for _, p := range c.problems {
		lines = append(lines, fmt.Errorf("%s:%d: %s", file, p.line, p.text))
	}
	return errors.Join(lines...)
}

// compile returns the policy. It must not be used if there are problems.
func (c *compiler) compile() *tenant.Policy {
	if !c.checkBytes() {
		return nil
	}
	c.checkKeys()
	if len(c.problems) > 0 {
		return nil
	}
	document := map[string]any{}
	if err := toml.Unmarshal(c.content, &document); err != nil {
		c.failDecode(err)
		return nil
	}
	if document["tenant"] == nil {
		c.fail(place{}, "the file has no tenant; add one with [[tenant]]")
	}
	settings := c.settings(document)
	tenants := c.tenants(document, &settings)
	if len(c.problems) == 0 && !c.unplaced {
		c.checkUsers(settings, tenants)
	}
	return tenant.NewPolicy(settings, tenants, hashOf(c.content))
}

// hashOf returns the hash by which a stage notices that the policy file has changed.
func hashOf(content []byte) string {
	hash := fnv.New128a()
	_, _ = hash.Write(content)
	return hex.EncodeToString(hash.Sum(nil))
}

// checkBytes reports whether the file is a text.
func (c *compiler) checkBytes() bool {
	i := bytes.IndexFunc(c.content, func(r rune) bool { return notText(r) != "" })
	if i < 0 {
		return true
	}
	r, _ := utf8.DecodeRune(c.content[i:])
	c.failLine(i, notText(r)+"; save the file as plain UTF-8 text")
	return false
}

// notText names a character that no text file has; empty for any other.
func notText(r rune) string {
	switch r {
	case 0:
		return "a NUL byte"
	case '\ufeff':
		return "a byte order mark"
	case utf8.RuneError:
		return "a byte that is not UTF-8, or U+FFFD for one"
	}
	return ""
}

// failDecode reports an error of the decoder, on one line.
func (c *compiler) failDecode(err error) {
	line := 1
	if found, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, _ = found.Position()
	}
	text := strings.Trim(tenant.Quote(strings.TrimPrefix(err.Error(), "toml: ")), `"`)
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

// full reports whether there are as many problems as are reported.
func (c *compiler) full() bool { return len(c.problems) >= maxProblems }

// tenants compiles the tenants of a document. It completes all by what [defaults] says of
// jobs without a tenant.
func (c *compiler) tenants(document map[string]any, all *tenant.Settings) []tenant.Tenant {
	base := tenant.Tenant{IDToken: tenant.IDToken, RefTypes: []string{"branch"}}
	defaults := c.table(document, "defaults")
	setTenant(defaults, &base)
	all.Limits, all.Images = base.Limits, base.Images.Clone()
	defaults.checkImages(*all)
	defaults.limitProcesses(all.RunAs, &all.Limits)
	settings := c.apply(defaults, nil)
	seen, counts := map[tenant.Name]bool{}, map[string]int{}
	list, _ := document["tenant"].([]any)
	tenants := make([]tenant.Tenant, 0, len(list))
	for i, item := range list {
		if c.full() {
			break
		}
		t := c.tenantTable(i, item)
		c.nest(&t, counts)
		t.defaults = defaults.values
		one := base
		Set(t, "name", func(text string) (tenant.Name, error) { return readName(text, seen) }, &one.Name)
		setTenant(t, &one)
		t.limitProcesses(one.RunAs, &one.Limits)
		one.Gifts = c.gifts(t, c.apply(t, settings))
		one.Handover = t.setHandoverOf(all.Handover, one.Gifts)
		t.checkImages(*all)
		t.checkTenant()
		t.checkRequests(one)
		tenants = append(tenants, one)
	}
	return tenants
}

// tenantTable returns the table of the tenant with that index, whose messages begin with
// the tenant's name. A tenant without a name is a problem.
func (c *compiler) tenantTable(index int, item any) Table {
	values, _ := item.(map[string]any)
	t := Table{compiler: c, at: place{table: "tenant", index: index}, label: fmt.Sprintf("tenant %d of the file: ", index+1), values: values}
	name, ok := values["name"].(string)
	if !ok {
		t.Fail("name", errors.New("it is missing"))
		return t
	}
	t.label = "tenant " + tenant.Quote(name) + ": "
	return t
}

// Missing returns the error about a key that a tenant needs but does not have.
func Missing() error { return errors.New("it is missing, here and in [defaults]") }

// checkTenant reports the keys that a tenant lacks.
func (t Table) checkTenant() {
	for _, key := range []string{"audience", "projects"} {
		if !t.Has(key) {
			t.Fail(key, Missing())
		}
	}
}

// readName reads the name of a tenant that is not among those seen, and adds it.
func readName(text string, seen map[tenant.Name]bool) (tenant.Name, error) {
	name, err := tenant.ParseName(text)
	switch {
	case err != nil:
		return tenant.None, err
	case name == tenant.Nobody:
		return tenant.None, errors.New("jobs without a tenant have that name; choose another")
	case seen[name]:
		return tenant.None, errors.New("the file has another tenant of that name")
	}
	seen[name] = true
	return name, nil
}

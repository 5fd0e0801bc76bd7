package policyfile

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"rolecall/internal/tenant"
)

const (
	tenantTable = "tenant"
	sourceTable = "tenant.source"
	// maxSources bounds the sources of a tenant: a job asks the servers of all of them before
	// it begins.
	maxSources = 10
)

// repeatedTables returns the tables that may occur several times in a file, with the keys
// that each provider knows of them. Those of a tenant are in tenantKeys.
func (c *compiler) repeatedTables() map[string]map[string]Keys {
	all := map[string]map[string]Keys{tenantTable: {}, sourceTable: {}, handoverTable: {}}
	for _, s := range c.sourcers() {
		all[sourceTable][s.Name()] = s.SourceKeys()
		for list, keys := range s.Lists() {
			for _, table := range []string{tenantTable + "." + list, sourceTable + "." + list} {
				if all[table] == nil {
					all[table] = map[string]Keys{}
				}
				all[table][s.Name()] = keys
			}
		}
	}
	return all
}

// sourcers returns the providers of which a tenant may have sources.
func (c *compiler) sourcers() []Sourcer {
	var all []Sourcer
	for _, p := range c.providers {
		if s, ok := p.(Sourcer); ok {
			all = append(all, s)
		}
	}
	return all
}

// isRepeated reports whether a table may occur several times in a file.
func (c *compiler) isRepeated(table string) bool { return c.repeated[table] != nil }

// checkRepeated reports a table that must have two brackets, and one that comes before the
// table which it is a part of. Open has the tables that the next one can be a part of.
func (c *compiler) checkRepeated(table string, node *unstable.Node, offset int, open map[string]bool) {
	dot := strings.LastIndexByte(table, '.')
	switch {
	case isSingle(table) && node.Kind == unstable.ArrayTable:
		c.failLine(offset, fmt.Sprintf("write %s with one bracket: a tenant has only one such table", bracketed(table)))
	case node.Kind != unstable.ArrayTable && !isSingle(table):
		c.failLine(offset, fmt.Sprintf("a %s begins with [[%s]], in two brackets", table[dot+1:], table))
	case dot > 0 && !open[table[:dot]]:
		c.failLine(offset, fmt.Sprintf("%s comes after the [[%s]] that it is a part of", bracketed(table), table[:dot]))
	}
	maps.DeleteFunc(open, func(other string, _ bool) bool { return strings.HasPrefix(other, table+".") })
	open[table] = true
}

// nest finds the lists of tables within a table that may occur several times. Counts has how
// many of each there were before it in the file.
func (c *compiler) nest(t *Table, counts map[string]int) {
	t.within = map[string][]Table{}
	for _, table := range slices.Sorted(maps.Keys(c.repeated)) {
		name, ok := strings.CutPrefix(table, t.at.table+".")
		items, _ := t.values[name].([]any)
		if isSingle(table) && t.values[name] != nil {
			items = []any{t.values[name]}
		}
		if !ok || strings.Contains(name, ".") {
			continue
		}
		for i, item := range items {
			values, _ := item.(map[string]any)
			one := Table{compiler: c, at: place{table: table, index: counts[table]}, values: values}
			one.label = t.label + labelOf(table, i, values)
			counts[table]++
			c.nest(&one, counts)
			t.within[name] = append(t.within[name], one)
		}
	}
}

// labelOf returns the beginning of messages about a table of a list: its name, or which one
// of the list it is.
func labelOf(table string, index int, values map[string]any) string {
	list := table[strings.LastIndexByte(table, '.')+1:]
	if isSingle(table) {
		return list + ": "
	}
	if name, ok := values["name"].(string); ok {
		return list + " " + tenant.Quote(name) + ": "
	}
	return fmt.Sprintf("%s %d: ", list, index+1)
}

// sources compiles the sources of a tenant, whose settings of each provider are own.
func (c *compiler) sources(t Table, own []any) []tenant.Gift {
	var gifts []tenant.Gift
	seen, sets := map[string]bool{}, map[string]string{}
	for i, s := range t.Tables("source") {
		if i == maxSources {
			s.FailTable(fmt.Errorf("a tenant has at most %d sources", maxSources))
			break
		}
		var name string
		Set(s, "name", func(text string) (string, error) { return readSource(text, seen) }, &name)
		if provider := c.sourceOf(s); provider >= 0 {
			settings := c.providers[provider].(Sourcer).Source(s, own[provider])
			gift := tenant.Gift{Provider: c.providers[provider].Name(), Name: name, Settings: settings}
			s.setToken(&gift)
			s.checkSets(settings, sets)
			gifts = append(gifts, gift)
		}
	}
	t.checkLists(c)
	return gifts
}

// checkRequests reports a limit below what each job of the tenant asks for.
func (t Table) checkRequests(one tenant.Tenant) {
	if n := len(one.Gifts); one.MaxRequests > 0 && one.MaxRequests < uint64(n) {
		t.Fail("max_requests_per_minute", fmt.Errorf("each job of the tenant asks for %d credentials; allow as many at least", n))
	}
}

// checkLists reports what is wrong in the lists of tables of the tenant itself.
func (t Table) checkLists(c *compiler) {
	for _, s := range c.sourcers() {
		for list, keys := range s.Lists() {
			for _, one := range t.Tables(list) {
				one.checkKeys(keys)
				switch asks := s.Asks(); {
				case asks == "":
					one.FailTable(fmt.Errorf("it is a part of a source, and not of a tenant; begin it with [[%s.%s]]", sourceTable, list))
				case !t.Has(asks):
					one.FailTable(fmt.Errorf("without %s of the tenant it has no effect", asks))
				}
			}
		}
	}
}

// sourceOf returns the index of the provider of a source, whose keys and lists it checks, and
// -1 if the source is wrong.
func (c *compiler) sourceOf(s Table) int {
	text, ok := s.values["provider"].(string)
	known := slices.Sorted(maps.Keys(c.repeated[sourceTable]))
	i := slices.IndexFunc(c.providers, func(p Provider) bool { return p.Name() == text })
	switch {
	case !ok || s.values["name"] == nil:
		s.FailTable(errors.New("it needs a name and a provider, as texts in quotes"))
		return -1
	case i < 0 || !slices.Contains(known, text):
		s.Fail("provider", fmt.Errorf("%s: want one of %s", tenant.Quote(text), strings.Join(known, ", ")))
		return -1
	}
	before := len(c.problems)
	s.checkSource(text)
	if len(c.problems) > before {
		return -1
	}
	return i
}

// checkSource reports the keys and lists of a source that the provider does not know.
func (t Table) checkSource(provider string) {
	keys := maps.Clone(t.compiler.repeated[sourceTable][provider])
	keys["name"], keys["provider"], keys["id_token"], keys["audience"] = Text, Text, Text, Text
	t.checkKeys(keys)
	for list, tables := range t.within {
		t.compiler.checkList(tables, list, provider)
	}
}

// checkList reports the keys of tables within a source that the provider does not know.
func (c *compiler) checkList(tables []Table, list, provider string) {
	keys := c.repeated[sourceTable+"."+list][provider]
	for _, one := range tables {
		one.checkKeys(keys)
		if keys == nil {
			one.FailTable(fmt.Errorf("a source of the provider %s has no such table", provider))
		}
	}
}

// checkKeys reports the keys of a table that are not among those, and values of a wrong kind.
func (t Table) checkKeys(keys Keys) {
	for _, key := range slices.Sorted(maps.Keys(t.values)) {
		if t.within[key] != nil {
			continue
		}
		kind, known := keys[key]
		switch {
		case !known:
			at := t.at
			at.key, at.element = key, -1
			t.compiler.fail(at, fmt.Sprintf("unknown key %s in %s", tenant.Quote(key), bracketed(t.at.table)))
		case !isKind(t.values[key], kind):
			t.Fail(key, fmt.Errorf("want %s", kind))
		}
	}
}

// isKind reports whether a value that was read is of a kind.
func isKind(value any, kind Kind) bool {
	switch v := value.(type) {
	case string:
		return kind == Text
	case int64:
		return kind == Number
	case bool:
		return kind == Switch
	case []any:
		return kind == List && !slices.ContainsFunc(v, isNoText)
	case map[string]any:
		return kind == Pairs && !slices.ContainsFunc(slices.Collect(maps.Values(v)), isNoText)
	}
	return false
}

// isNoText reports whether a value is not a text.
func isNoText(value any) bool { _, ok := value.(string); return !ok }

// readSource reads the name of a source that is not among those seen, and adds it.
func readSource(text string, seen map[string]bool) (string, error) {
	switch {
	case text == "" || len(text) > 32 || text[0] == '-' || !MadeOf(text, ""):
		return "", errors.New("want 1 to 32 of a-z, 0-9 and -, not starting with -")
	case text == "default":
		return "", errors.New("the tenant's own credentials have that name; choose another")
	case seen[text]:
		return "", errors.New("the tenant has another source of that name")
	}
	seen[text] = true
	return text, nil
}

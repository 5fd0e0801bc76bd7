package policyfile

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"rolecall/internal/tenant"
)

// place is a place in a policy file.
type place struct {
	table   string // "": before the first table
	index   int    // of a table that occurs several times in the file, such as a tenant
	key     string // "": the table itself
	element int    // of a list; -1: the list itself
}

// String names the table of the place, for messages.
func (p place) String() string {
	if p.table == "" {
		return "the top"
	}
	return "[" + p.table + "]"
}

// kindOf returns the kind of value that a key of a table has; empty if the key is
// unknown.
func (c *compiler) kindOf(table, key string) Kind {
	switch {
	case table == "":
		return topKeys()[key]
	case table == "tenant" && key == "name":
		return Text
	case table == "tenant":
		return c.known["defaults"][key]
	}
	return c.known[table][key]
}

// hasKind reports whether a value is of a kind.
func hasKind(value *unstable.Node, kind Kind) bool {
	switch value.Kind {
	case unstable.String:
		return kind == Text
	case unstable.Integer:
		return kind == Number
	case unstable.Bool:
		return kind == Switch
	case unstable.Array:
		return kind == List && hasTexts(value)
	}
	return false
}

// hasTexts reports whether an array consists of texts.
func hasTexts(array *unstable.Node) bool {
	for items := array.Children(); items.Next(); {
		if items.Node().Kind != unstable.String {
			return false
		}
	}
	return true
}

// checkKeys reports every unknown table and key, and every value of a wrong type. It
// respects case, since the decoder would take Refs for refs.
func (c *compiler) checkKeys() {
	open := map[string]bool{}
	c.walk(func(at place, node *unstable.Node, offset int) bool {
		switch {
		case node.Kind == unstable.KeyValue:
			c.checkKey(at, node.Value(), offset)
		case c.isRepeated(at.table):
			c.checkRepeated(at.table, node, offset, open)
		case node.Kind == unstable.ArrayTable && c.isTable(at.table):
			c.failLine(offset, fmt.Sprintf("write [%s] with one bracket: there is only one such table", at.table))
		case !c.isTable(at.table):
			c.failLine(offset, fmt.Sprintf("unknown table %s; known are %s and tenant", tenant.Quote(at.table), strings.Join(c.names, ", ")))
		}
		return !c.full()
	})
}

// isTable reports whether a table other than tenant is known.
func (c *compiler) isTable(table string) bool { return c.known[table] != nil }

// checkKey checks a key and the type of its value.
func (c *compiler) checkKey(at place, value *unstable.Node, offset int) {
	kind := c.kindOf(at.table, at.key)
	switch {
	case at.table == "" && (at.key == "tenant" || c.isTable(at.key)):
		c.failLine(offset, at.key+" is a table: begin it with a line of its own, as in [gitlab] or [[tenant]]")
	case isSingle(at.table + "." + at.key):
		c.failLine(offset, fmt.Sprintf("%s is a table: begin it with a line of its own, [%s.%[1]s]", at.key, at.table))
	case c.isRepeated(at.table + "." + at.key):
		c.failLine(offset, fmt.Sprintf("%s is a list of tables: begin each with a line of its own, [[%s.%[1]s]]", at.key, at.table))
	case at.table != "" && at.table != "tenant" && !c.isTable(at.table):
		// The unknown table has an error already, and tables within tenants are checked when
		// it is known of which provider they are.
	case kind == "":
		c.failLine(offset, fmt.Sprintf("unknown key %s in %s%s", tenant.Quote(at.key), at, c.hint(at)))
	case !hasKind(value, kind):
		c.failLine(offset, fmt.Sprintf("%s: want %s", at.key, kind))
	}
}

// walk calls visit for each table and key of the file, with its place and its offset,
// until visit returns false. It ends at the first error of TOML.
func (c *compiler) walk(visit func(at place, node *unstable.Node, offset int) bool) {
	var p unstable.Parser
	p.Reset(c.content)
	at, seen := place{element: -1}, map[string]int{}
	for p.NextExpression() {
		node := p.Expression()
		parts, offset := keyParts(node)
		here := at
		switch {
		case node.Kind != unstable.KeyValue:
			at = place{table: tableName(parts), element: -1}
			if c.isRepeated(at.table) {
				at.index = seen[at.table]
				seen[at.table]++
			}
			here = at
		case len(parts) == 2 && at.table == "" && c.isTable(parts[0]): // gitlab.issuer = ...
			here.table, here.key = parts[0], parts[1]
		default:
			here.key = strings.Join(parts, ".")
		}
		if !visit(here, node, offset) {
			return
		}
	}
}

// tableName returns the name of a table. A part with a dot in it is none of a known table.
func tableName(parts []string) string {
	if slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(part, ".") }) {
		return fmt.Sprintf("%q", parts)
	}
	return strings.Join(parts, ".")
}

// keyParts returns the parts of a dotted key, and the offset of the first.
func keyParts(node *unstable.Node) (parts []string, offset int) {
	for keys := node.Key(); keys.Next(); {
		if parts == nil {
			offset = int(keys.Node().Raw.Offset)
		}
		parts = append(parts, string(keys.Node().Data))
	}
	return parts, offset
}

// locate fills in the lines of the problems whose place alone is known.
func (c *compiler) locate() {
	c.walk(func(at place, node *unstable.Node, offset int) bool {
		for i := range c.problems {
			c.problems[i].meet(at, node, offset)
		}
		return true
	})
	for i := range c.problems {
		if p := &c.problems[i]; p.line == 0 {
			p.line = c.lineOf(p.offset)
		}
	}
}

// meet sets the offset of the problem if the problem is about the table or key at this
// place. The offset of the table serves until the key is found.
func (p *problem) meet(at place, node *unstable.Node, offset int) {
	switch {
	case p.line > 0 || p.table != at.table || p.index != at.index:
	case at.key == "":
		p.offset = offset
	case p.key == at.key:
		p.offset = max(offset, elementOffset(node, p.element))
	}
}

// elementOffset returns the offset of an element of a key's list, or 0.
func elementOffset(node *unstable.Node, element int) int {
	items := node.Value().Children()
	for i := 0; items.Next(); i++ {
		if i == element {
			return int(items.Node().Raw.Offset)
		}
	}
	return 0
}

// lineOf returns the line of an offset.
func (c *compiler) lineOf(offset int) int { return 1 + bytes.Count(c.content[:offset], []byte("\n")) }

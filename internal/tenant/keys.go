package tenant

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// place is where something stands in a policy file.
type place struct {
	table   string // "": before the first table
	index   int    // of a tenant
	key     string // "": the table itself
	element int    // of a list; -1: the list itself
}

// String returns the table as messages name it.
func (p place) String() string {
	if p.table == "" {
		return "the top"
	}
	return "[" + p.table + "]"
}

// kindOf returns the kind of value that a key has, or Invalid for an unknown key.
func kindOf(table, key string) unstable.Kind {
	switch table {
	case "":
		return oneOf(key, unstable.String, "builds_dir", "cache_dir", "credentials_dir", "audit_log", "run_as", "shared_user", "run_as_root")
	case "gitlab":
		return oneOf(key, unstable.String, "issuer", "jwks_url", "jwks_file", "ca_bundle")
	case "sts":
		return oneOf(key, unstable.String, "endpoint", "proxy", "ca_bundle")
	case "gate":
		return max(oneOf(key, unstable.String, "incomplete", "max_duration"), oneOf(key, unstable.Integer, "max_bytes"))
	case "tenant", "defaults":
		if key == "name" && table == "tenant" {
			return unstable.String
		}
		return max(
			oneOf(key, unstable.Bool, "protected", "required"),
			oneOf(key, unstable.Integer, "max_open_files", "max_processes", "max_memory"),
			oneOf(key, unstable.Array, "projects", "refs", "ref_types", "environments", "allowed_accounts", "policy_arns"),
			oneOf(key, unstable.String, "role_arn", "audience", "id_token", "region", "duration", "session_policy_file", "run_as"))
	}
	return unstable.Invalid
}

// oneOf returns kind if key is one of keys, else Invalid.
func oneOf(key string, kind unstable.Kind, keys ...string) unstable.Kind {
	for _, k := range keys {
		if k == key {
			return kind
		}
	}
	return unstable.Invalid
}

// checkKeys reports every table and key that is unknown in its very letters, and
// every value of a wrong type. The decoder would take Refs for refs.
func (c *compiler) checkKeys() {
	walk(c.content, func(at place, node *unstable.Node, offset int) bool {
		switch {
		case node.Kind == unstable.KeyValue:
			c.checkKey(at, node.Value(), offset)
		case at.table == "tenant":
			if node.Kind != unstable.ArrayTable {
				c.failLine(offset, "a tenant begins with [[tenant]], in two brackets")
			}
		case node.Kind == unstable.ArrayTable && isTable(at.table):
			c.failLine(offset, fmt.Sprintf("[%s] has one bracket, since there is but one", at.table))
		case !isTable(at.table):
			c.failLine(offset, fmt.Sprintf("unknown table %s; known are gitlab, sts, gate, defaults and tenant", quote(at.table)))
		}
		return !c.full()
	})
}

// isTable reports whether a table is known, tenant aside.
func isTable(table string) bool {
	return oneOf(table, unstable.Table, "gitlab", "sts", "gate", "defaults") == unstable.Table
}

// checkKey checks a key and the type of its value.
func (c *compiler) checkKey(at place, value *unstable.Node, offset int) {
	kind := kindOf(at.table, at.key)
	switch {
	case at.table == "" && (at.key == "tenant" || isTable(at.key)):
		c.failLine(offset, at.key+" is a table: begin it with a line of its own, as in [gitlab] or [[tenant]]")
	case at.table != "" && at.table != "tenant" && !isTable(at.table):
		// The unknown table has its error.
	case kind == unstable.Invalid:
		c.failLine(offset, fmt.Sprintf("unknown key %s in %s", quote(at.key), at))
	case kind != value.Kind:
		c.failLine(offset, fmt.Sprintf("%s: want %s", at.key, wanted(kind)))
	case kind == unstable.Array:
		for items := value.Children(); items.Next(); {
			if items.Node().Kind != unstable.String {
				c.failLine(offset, fmt.Sprintf("%s: want %s", at.key, wanted(kind)))
				return
			}
		}
	}
}

// wanted describes the kind of a value.
func wanted(kind unstable.Kind) string {
	switch kind {
	case unstable.Bool:
		return "true or false, without quotes"
	case unstable.Integer:
		return "a whole number, without quotes"
	case unstable.Array:
		return `a list of texts, such as ["a", "b"]`
	default:
		return "a text in quotes"
	}
}

// walk calls visit for each table and key of content, with where it stands and its
// offset, until visit returns false. It ends where content is no TOML.
func walk(content []byte, visit func(at place, node *unstable.Node, offset int) bool) {
	var p unstable.Parser
	p.Reset(content)
	at, tenants := place{element: -1}, 0
	for p.NextExpression() {
		node := p.Expression()
		var parts []string
		offset := 0
		for keys := node.Key(); keys.Next(); {
			if parts == nil {
				offset = int(keys.Node().Raw.Offset)
			}
			parts = append(parts, string(keys.Node().Data))
		}
		here := at
		switch {
		case node.Kind != unstable.KeyValue:
			at = place{table: strings.Join(parts, "."), element: -1}
			if at.table == "tenant" {
				at.index = tenants
				tenants++
			}
			here = at
		case len(parts) == 2 && at.table == "" && isTable(parts[0]): // gitlab.issuer = ...
			here.table, here.key = parts[0], parts[1]
		default:
			here.key = strings.Join(parts, ".")
		}
		if !visit(here, node, offset) {
			return
		}
	}
}

// locate fills in the lines of the problems that know their place only.
func (c *compiler) locate() {
	walk(c.content, func(at place, node *unstable.Node, offset int) bool {
		for i := range c.problems {
			p := &c.problems[i]
			switch {
			case p.line > 0 || p.table != at.table || p.index != at.index:
			case at.key == "": // the table's, unless the key is found
				p.offset = offset
			case p.key == at.key:
				p.offset = max(offset, elementOffset(node, p.element))
			}
		}
		return true
	})
	for i := range c.problems {
		if p := &c.problems[i]; p.line == 0 {
			p.line = c.lineOf(p.offset)
		}
	}
}

// elementOffset returns the offset of an element of the list that a key has, or 0.
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

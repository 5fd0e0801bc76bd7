package policyfile

import (
	"maps"
	"slices"

	"github.com/agext/levenshtein"

	"rolecall/internal/tenant"
)

const (
	typo    = 2  // letters of a key that may be wrong, missing or too many in a slip of the pen
	longest = 64 // bytes of an unknown key that is compared: the time grows with its length
)

// hint says what an admin who wrote an unknown key may have meant: a key of the same table
// that is almost spelled so, or the table that has such a key. It is empty if there is none.
func (c *compiler) hint(at place) string {
	if key := nearest(at.key, c.keysOf(at.table)); key != "" {
		return "; did you mean " + tenant.Quote(key) + "?"
	}
	for _, table := range append([]string{"", "tenant"}, c.names...) {
		switch {
		case c.kindOf(table, at.key) == "":
		case table == "":
			return "; it belongs to the top of the file, before the first table"
		default:
			return "; it belongs to " + place{table: table}.String()
		}
	}
	return ""
}

// keysOf returns the names of the keys of a table, sorted.
func (c *compiler) keysOf(table string) []string {
	keys := c.known[table]
	switch table {
	case "":
		keys = topKeys()
	case "tenant":
		keys = maps.Clone(c.known["defaults"])
		keys["name"] = Text
	}
	return slices.Sorted(maps.Keys(keys))
}

// nearest returns the key that is spelled most like name, empty if none is much like it.
func nearest(name string, keys []string) (near string) {
	if len(name) > longest {
		return ""
	}
	least := min(typo+1, len(name)/2) // short words are all alike
	for _, key := range keys {
		if distance := levenshtein.Distance(name, key, nil); distance < least {
			least, near = distance, key
		}
	}
	return near
}

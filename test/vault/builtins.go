package main

import (
	"maps"
	"slices"

	"github.com/hashicorp/vault/plugins/database/postgresql"
	"github.com/hashicorp/vault/sdk/helper/consts"
)

// builtins is what the server knows of plugins beside the engines that main gives it: the
// database engine's way to PostgreSQL.
type builtins struct{}

// of returns the plugins of a kind, by name.
func (builtins) of(kind consts.PluginType) map[string]func() (any, error) {
	if kind != consts.PluginTypeDatabase {
		return nil
	}
	return map[string]func() (any, error){"postgresql-database-plugin": postgresql.New}
}

// Get returns a plugin's function.
func (b builtins) Get(name string, kind consts.PluginType) (func() (any, error), bool) {
	plugin, ok := b.of(kind)[name]
	return plugin, ok
}

// Contains reports whether there is such a plugin.
func (b builtins) Contains(name string, kind consts.PluginType) bool {
	_, ok := b.of(kind)[name]
	return ok
}

// Keys returns the names of the plugins of a kind.
func (b builtins) Keys(kind consts.PluginType) []string {
	return slices.Sorted(maps.Keys(b.of(kind)))
}

// DeprecationStatus says that no plugin is deprecated.
func (b builtins) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, b.Contains(name, kind)
}

// IsBuiltinEntPlugin says that no plugin is one of Vault Enterprise.
func (builtins) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }

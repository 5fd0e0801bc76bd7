package tree

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"rolecall/internal/admin"
	"rolecall/packaging/manual"
	"rolecall/packaging/notices"
)

// Make returns the parts that are made from sources and programs. This host must be able to run
// the programs, which have the version and are as old as when says.
func Make(ctx context.Context, root, programs, version string, when time.Time) (Parts, error) {
	p := Parts{Root: root, Programs: programs, Pages: manual.Pages{}}
	pages := manual.Pages(p.Pages)
	if err := pages.Admin(admin.Program{}.Command(), "rolecall "+version, when); err != nil {
		return p, err
	}
	if err := pages.Programs(ctx, programs, "rolecall "+version, when); err != nil {
		return p, err
	}
	changes, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	if err != nil {
		return p, err
	}
	p.Changes = manual.Compress(changes)
	commands, err := os.ReadDir(filepath.Join(root, "cmd"))
	if err != nil {
		return p, err
	}
	var linked []notices.Module
	for _, command := range commands {
		modules, err := notices.Of(filepath.Join(programs, command.Name()))
		if err != nil {
			return p, err
		}
		linked = notices.Union(linked, modules)
	}
	p.Notices, err = notices.Text(ctx, root, linked)
	return p, err
}

// Package notices knows which modules of others the programs link, and their licences.
package notices

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Module is a module that a program links.
type Module struct {
	Path, Version, Sum string
}

// Of returns the modules that a program links. What is in the program is all that counts: go.mod
// also has what tests need.
func Of(program string) ([]Module, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, err
	}
	var modules []Module
	for _, dep := range info.Deps {
		modules = append(modules, Module{dep.Path, dep.Version, dep.Sum})
	}
	return modules, nil
}

// Linked returns the modules that the programs in the folders link, by the programs' names.
func Linked(folders ...string) (map[string][]Module, error) {
	programs := map[string][]Module{}
	for _, folder := range folders {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			modules, err := Of(filepath.Join(folder, entry.Name()))
			if err != nil {
				return nil, err
			}
			programs[entry.Name()] = Union(programs[entry.Name()], modules)
		}
	}
	return programs, nil
}

// Union returns the modules of all lists, each once and sorted.
func Union(lists ...[]Module) []Module {
	all := slices.Concat(lists...)
	slices.SortFunc(all, func(a, b Module) int { return strings.Compare(a.Path+" "+a.Version, b.Path+" "+b.Version) })
	return slices.Compact(all)
}

// licence matches the names of files that say what others may do, or must repeat.
var licence = regexp.MustCompile(`(?i)^(licen[cs]e|notice|copying|patents|authors|copyright)([-_.].*)?$`)

// Text returns the licences of Go and of modules, as one file. The modules must be those of the
// go.mod in the folder root. A module without a licence is an error: nobody may pass it on.
func Text(ctx context.Context, root string, modules []Module) ([]byte, error) {
	var text bytes.Buffer
	text.WriteString("The programs of rolecall link the Go standard library and the modules below. These are their licences.\n")
	goroot, err := output(ctx, root, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	if err := add(&text, "the Go standard library", strings.TrimSpace(string(goroot))); err != nil {
		return nil, err
	}
	for _, m := range modules {
		out, err := output(ctx, root, "go", "mod", "download", "-json", m.Path+"@"+m.Version)
		if err != nil {
			return nil, err
		}
		var found struct{ Dir string }
		if err := json.Unmarshal(out, &found); err != nil {
			return nil, err
		}
		if err := add(&text, m.Path+" "+m.Version, found.Dir); err != nil {
			return nil, err
		}
	}
	return text.Bytes(), nil
}

// add adds the licences in a folder.
func add(text *bytes.Buffer, name, folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	found := false
	for _, entry := range entries {
		if !entry.Type().IsRegular() || !licence.MatchString(entry.Name()) {
			continue
		}
		content, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			return err
		}
		found = found || !strings.EqualFold(entry.Name(), "authors")
		fmt.Fprintf(text, "\n%s\n%s: %s\n\n%s\n", strings.Repeat("-", 80), name, entry.Name(), bytes.TrimSpace(content))
	}
	if !found {
		return errors.New(name + " has no licence in " + folder)
	}
	return nil
}

// output runs a command in the folder dir, and returns what it prints.
func output(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = dir
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%v: %w: %s", command.Args, err, out)
	}
	return out, nil
}

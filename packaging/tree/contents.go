package tree

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// libexec is the folder of the driver's programs.
const libexec = "/usr/libexec/rolecall"

// Parts are what a tree is made from.
type Parts struct {
	Root     string            // folder of the driver's go.mod
	Programs string            // folder of the programs
	Pages    map[string][]byte // manual pages and completions, by their paths on the host
	Notices  []byte            // the licences of what is linked
	Changes  []byte            // the changelog, compressed
}

// broker is the program that is a package of its own.
const broker = "rolecall-broker"

// Driver returns what the package rolecall has.
func Driver(p Parts) (Tree, error) {
	t := Tree{dir(libexec, 0o755)}
	commands, err := os.ReadDir(p.in("cmd"))
	if err != nil {
		return nil, err
	}
	for _, command := range commands {
		if name := command.Name(); name != broker {
			t = append(t, program(filepath.Join(libexec, name), filepath.Join(p.Programs, name)))
		}
	}
	t = append(t,
		link("/usr/bin/rolecall", "../libexec/rolecall/rolecall"),
		link(libexec+"/doctor", "rolecall"), // its name before
		dir("/etc/rolecall", 0o755),
		dir("/var/lib/rolecall", 0o711),
		dir("/usr/share/rolecall", 0o755),
		file("/usr/share/rolecall/gitlab-runner.conf", p.in("systemd/gitlab-runner.conf")),
		file("/usr/share/rolecall/rolecall.toml.example", p.in("rolecall.toml.example")),
		file("/usr/share/rolecall/runner-config.toml.example", p.in("runner-config.toml.example")),
		config("/etc/logrotate.d/rolecall", p.in("packaging/files/logrotate")),
		file("/usr/lib/tmpfiles.d/rolecall.conf", p.in("packaging/files/tmpfiles.conf")),
	)
	for _, unit := range []string{"run-rolecall.mount", "rolecall-sweep.service", "rolecall-sweep.timer", "rolecall-revoke.service"} {
		t = append(t, p.unit(unit))
	}
	return slices.Concat(t, p.monitoring(), p.documents("rolecall"), p.pages(false)), nil
}

// Broker returns what the package rolecall-broker has.
func Broker(p Parts) Tree {
	t := Tree{
		dir(libexec, 0o755),
		program(libexec+"/"+broker, filepath.Join(p.Programs, broker)),
		dir("/etc/rolecall", 0o755),
		config("/etc/logrotate.d/"+broker, p.in("packaging/files/logrotate-broker")),
		p.unit(broker + ".service"),
	}
	return slices.Concat(t, p.documents(broker), p.pages(true))
}

// Preset returns the file that tells systemd of a distribution with rpm which units of a package it
// enables: systemd.preset(5).
func Preset(p Parts, ofBroker bool) Entry {
	if ofBroker {
		return file("/usr/lib/systemd/system-preset/90-rolecall-broker.preset", p.in("packaging/files/preset-broker"))
	}
	return file("/usr/lib/systemd/system-preset/90-rolecall.preset", p.in("packaging/files/preset"))
}

// Made returns the files of both packages that are made, and copied from nowhere.
func Made(p Parts) Tree {
	var t Tree
	for _, e := range slices.Concat(p.documents("rolecall"), p.documents(broker), p.pages(false), p.pages(true)) {
		if e.Text != nil {
			t = append(t, e)
		}
	}
	return t
}

// in returns the path of a file of the sources.
func (p Parts) in(name string) string { return filepath.Join(p.Root, name) }

// monitoring returns what Prometheus and Grafana can read, if the sources have that.
func (p Parts) monitoring() Tree {
	const folder = "/usr/share/rolecall/monitoring"
	files, err := os.ReadDir(p.in("monitoring"))
	if err != nil {
		return nil
	}
	t := Tree{dir(folder, 0o755)}
	for _, f := range files {
		if name := f.Name(); !strings.Contains(name, ".test.") {
			t = append(t, file(folder+"/"+name, p.in("monitoring/"+name)))
		}
	}
	return t
}

// unit returns a unit of systemd.
func (p Parts) unit(name string) Entry {
	return file("/usr/lib/systemd/system/"+name, p.in("systemd/"+name))
}

// documents returns the documents of a package.
func (p Parts) documents(name string) Tree {
	folder := "/usr/share/doc/" + name
	return Tree{
		dir(folder, 0o755),
		file(folder+"/copyright", p.in("packaging/files/copyright")),
		file(folder+"/LICENSE", p.in("LICENSE")),
		file(folder+"/SECURITY.md", p.in("SECURITY.md")),
		text(folder+"/THIRD-PARTY-LICENSES", p.Notices),
		text(folder+"/changelog.gz", p.Changes),
	}
}

// pages returns the pages of the broker, or all others, sorted by path.
func (p Parts) pages(ofBroker bool) Tree {
	var t Tree
	for path, content := range p.Pages {
		if (filepath.Base(path) == broker+".8.gz") == ofBroker {
			t = append(t, text(path, content))
		}
	}
	slices.SortFunc(t, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	return t
}

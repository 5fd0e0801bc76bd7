package check

import (
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// unit is a service of systemd, as its file and drop-ins say.
type unit struct {
	name     string              // such as gitlab-runner.service
	settings map[string][]string // values of the section Service, by key
}

// unitDirs are the folders of units, the first one of the highest rank.
//
// https://www.freedesktop.org/software/systemd/man/latest/systemd.unit.html#Unit%20File%20Load%20Path
func (h *host) unitDirs() []string {
	var dirs []string
	for _, dir := range []string{"etc", "run", "usr/local/lib", "usr/lib", "lib"} {
		dirs = append(dirs, filepath.Join(h.Root, dir, "systemd/system"))
	}
	return dirs
}

// services returns all services of the host, sorted by their names.
func (h *host) services() []unit {
	var units []unit
	seen := map[string]bool{}
	for _, dir := range h.unitDirs() {
		paths, _ := filepath.Glob(filepath.Join(dir, "*.service")) // the pattern is well-formed
		for _, path := range paths {
			if name := filepath.Base(path); !seen[name] {
				seen[name] = true
				units = append(units, h.readUnit(path))
			}
		}
	}
	slices.SortFunc(units, func(a, b unit) int { return cmp.Compare(a.name, b.name) })
	return units
}

// readUnit reads the file of a unit and then its drop-ins, in the order of their names.
// Of two drop-ins with one name the one in the folder of the higher rank counts.
func (h *host) readUnit(path string) unit {
	u := unit{filepath.Base(path), map[string][]string{}}
	u.read(path)
	dropins := map[string]string{}
	for _, dir := range slices.Backward(h.unitDirs()) {
		paths, _ := filepath.Glob(filepath.Join(dir, u.name+".d", "*.conf"))
		for _, path := range paths {
			dropins[filepath.Base(path)] = path
		}
	}
	for _, name := range slices.Sorted(maps.Keys(dropins)) {
		u.read(dropins[name])
	}
	return u
}

// read adds the settings of a file. An empty value removes those that were read before.
// A comment makes a setting whose name begins with # or ;, which nobody looks for. A
// file that cannot be read says nothing.
//
// https://www.freedesktop.org/software/systemd/man/latest/systemd.syntax.html
func (u unit) read(path string) {
	content, _ := os.ReadFile(path)
	section := ""
	for line := range strings.Lines(strings.ReplaceAll(string(content), "\\\n", " ")) {
		line = strings.TrimSpace(line)
		key, value, isSetting := strings.Cut(line, "=")
		switch key, value = strings.TrimSpace(key), strings.TrimSpace(value); {
		case strings.HasPrefix(line, "["):
			section = line
		case section != "[Service]" || !isSetting:
		case value == "":
			delete(u.settings, key)
		default:
			u.settings[key] = append(u.settings[key], value)
		}
	}
}

// get returns the last value of a setting, or an empty text.
func (u unit) get(key string) string {
	values := u.settings[key]
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// words returns all words of all values of a setting, without quotes.
func (u unit) words(key string) []string {
	return strings.Fields(strings.NewReplacer(`"`, "", "'", "").Replace(strings.Join(u.settings[key], " ")))
}

// variable returns a variable that the unit sets, or an empty text.
func (u unit) variable(name string) string { return entry(u.words("Environment"), name) }

// entry returns the value of the last entry NAME=value of an environment, or an empty
// text.
func entry(environ []string, name string) string {
	for _, e := range slices.Backward(environ) {
		if value, found := strings.CutPrefix(e, name+"="); found {
			return value
		}
	}
	return ""
}

// stopTime returns how long systemd waits for the end of the service before it kills it,
// and whether it does so at all.
//
// https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html#TimeoutStopSec=
func (u unit) stopTime() (time.Duration, bool) {
	const byDefault = "90"
	return span(cmp.Or(u.get("TimeoutStopSec"), u.get("TimeoutSec"), byDefault))
}

// span reads a time such as 90, 2h or 1min 30s. It returns false for infinity, and for
// what it does not understand.
//
// https://www.freedesktop.org/software/systemd/man/latest/systemd.time.html
func span(text string) (time.Duration, bool) {
	var sum time.Duration
	rest := strings.ReplaceAll(text, " ", "")
	for rest != "" {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.Atoi(rest[:digits])
		rest = rest[digits:]
		letters := len(rest) - len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyz"))
		of := spanUnit(rest[:letters])
		if err != nil || of == 0 {
			return 0, false
		}
		sum += time.Duration(n) * of
		rest = rest[letters:]
	}
	return sum, sum > 0
}

// spanUnit returns the unit of time with that name, or 0.
func spanUnit(name string) time.Duration {
	switch name {
	case "", "s", "sec", "second", "seconds":
		return time.Second
	case "m", "min", "minute", "minutes":
		return time.Minute
	case "h", "hr", "hour", "hours":
		return time.Hour
	case "d", "day", "days":
		return 24 * time.Hour
	}
	return 0
}

package admin

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"rolecall/internal/admin/redaction"
	"rolecall/internal/adminfile"
	"rolecall/internal/audit/reading"
	"rolecall/internal/tenant/policyfile"
	"rolecall/internal/version"
)

// maxConfig bounds how many bytes of a file are read for a bundle.
const maxConfig = 8 << 20

// members returns the files of a bundle. All of them have passed one redaction.Secrets: what was
// taken out of one file is in no other.
func (d call) members(b bundling) []member {
	var s redaction.Secrets
	all := []member{
		{Name: "policy.toml", What: "the policy file without comments and what may be secret", content: tomlOf(cmp.Or(*b.config, policyfile.Default), s.Policy)},
		{Name: "config.toml", What: "the runner's configuration without comments and what may be secret", content: tomlOf(*b.runner, s.Runner)},
		{Name: "units.txt", What: "units of systemd without comments, arguments and values of variables", content: unitsText(&s)},
		{Name: "host.txt", What: "versions of rolecall, the system, the kernel and podman", content: hostText()},
		{Name: "findings.json", What: "the findings of rolecall check", content: d.findingsText(b)},
		{Name: "audit.jsonl", What: linesWhat(b), content: d.linesText(b)},
	}
	for i := range all {
		all[i].content = s.Hide(all[i].content)
		all[i].Bytes = len(all[i].content)
	}
	return all
}

// linesWhat says which lines of the audit log a bundle has.
func linesWhat(b bundling) string {
	what := fmt.Sprintf("the newest lines of the audit log, %d at most", *b.lines)
	if *b.anonymise {
		what += ", with names as hashes"
	}
	return what
}

// tomlOf returns a file without what may be secret, or why it is not there.
func tomlOf(path string, without func([]byte) ([]byte, error)) string {
	path, err := filepath.Abs(path)
	var content []byte
	if err == nil {
		content, err = adminfile.Read(path, maxConfig)
	}
	if err == nil {
		content, err = without(content)
	}
	if err != nil {
		return "# " + err.Error() + "\n"
	}
	return string(content)
}

// unitsText returns the units of the runner and the driver.
func unitsText(s *redaction.Secrets) string {
	var text strings.Builder
	for _, dir := range []string{"/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"} {
		for _, pattern := range []string{"*rolecall*", "gitlab-runner*.service", "gitlab-runner*.service.d/*.conf"} {
			paths, _ := filepath.Glob(filepath.Join(dir, "systemd/system", pattern)) // the pattern is well-formed
			for _, path := range paths {
				if content, err := adminfile.Read(path, maxConfig); err == nil {
					fmt.Fprintf(&text, "# %s\n%s\n", path, s.Unit(string(content)))
				}
			}
		}
	}
	return text.String()
}

// hostText returns which programs and which system the host has.
func hostText() string {
	return fmt.Sprintf("rolecall: %s\nbuilt by: %s for %s/%s\nsystem: %s\nkernel: %s\npodman: %s\n",
		version.Long(), runtime.Version(), runtime.GOOS, runtime.GOARCH, distribution(), kernel(), podmanVersion())
}

// podmanVersion returns what podman says of its version.
func podmanVersion() string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "podman", "--version")
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/nonexistent"}
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return "not known: " + err.Error()
	}
	return strings.TrimSpace(string(out[:min(len(out), 200)]))
}

// findingsText returns the findings of rolecall check as JSON.
func (d call) findingsText(b bundling) string {
	return jsonText(d.hostOf(*b.config, *b.runner).Check(context.Background()))
}

// jsonText returns a value as JSON.
func jsonText(value any) string {
	var text bytes.Buffer
	err := call{stdout: &text}.printJSON(value)
	if err != nil {
		return "{}\n"
	}
	return text.String()
}

// linesText returns the newest lines of the audit log, the newest first, or why they are not there.
func (d call) linesText(b bundling) string {
	log, err := d.open(b.asking)
	if err != nil {
		return errorLine(err)
	}
	defer log.Close()
	var text strings.Builder
	hash, n := newHasher(*b.anonymise), 0
	for e := range log.Newest(reading.Filter{}) {
		if n++; n > *b.lines {
			break
		}
		_, _ = io.WriteString(&text, lineOf(hash.event(e))) // a Builder takes all
	}
	if err := unreadError(log); err != nil {
		_, _ = text.WriteString(errorLine(err))
	}
	return text.String()
}

// lineOf returns a value as a line of JSON.
func lineOf(value any) string {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // all that is written here can be encoded
	return escaped(line.String())
}

// errorLine returns an error as a line of JSON.
func errorLine(err error) string { return lineOf(map[string]string{"rolecall_error": err.Error()}) }

// Package sbom makes the list of what the programs are made of, in the form of CycloneDX.
package sbom

import (
	"encoding/base64"
	"encoding/hex"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"rolecall/packaging/notices"
)

// List is what a list of parts tells.
type List struct {
	Version string
	Time    time.Time
	Go      string // the version of Go, whose standard library all programs link

	// Programs are the modules that each program links, by the program's name.
	Programs map[string][]notices.Module
}

// Write writes the list as JSON. It is the same for the same parts: it has no serial number, and
// the time is that of the sources.
//
// https://cyclonedx.org/docs/1.6/json/
func (l List) Write(w io.Writer) error {
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{
		Timestamp: l.Time.Format(time.RFC3339),
		Component: &cdx.Component{
			BOMRef: "rolecall", Type: cdx.ComponentTypeApplication, Name: "rolecall", Version: l.Version,
			Licenses: &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}},
		},
	}
	components, dependencies := l.parts()
	bom.Components, bom.Dependencies = &components, &dependencies
	return cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false).Encode(bom)
}

// parts returns the programs and modules, and which program links which module.
func (l List) parts() ([]cdx.Component, []cdx.Dependency) {
	std := cdx.Component{BOMRef: "pkg:golang/std@" + l.Go, Type: cdx.ComponentTypeLibrary, Name: "std", Version: l.Go, PackageURL: "pkg:golang/std@" + l.Go}
	var programs []string
	var modules []notices.Module
	components := []cdx.Component{std}
	dependencies := []cdx.Dependency{}
	for _, name := range slices.Sorted(maps.Keys(l.Programs)) {
		ref := "program:" + name
		programs = append(programs, ref)
		modules = append(modules, l.Programs[name]...)
		components = append(components, cdx.Component{BOMRef: ref, Type: cdx.ComponentTypeApplication, Name: name, Version: l.Version})
		needs := []string{std.BOMRef}
		for _, m := range l.Programs[name] {
			needs = append(needs, purl(m))
		}
		dependencies = append(dependencies, cdx.Dependency{Ref: ref, Dependencies: &needs})
	}
	for _, m := range notices.Union(modules) {
		components = append(components, library(m))
	}
	return components, append(dependencies, cdx.Dependency{Ref: "rolecall", Dependencies: &programs})
}

// library returns a module as a part. Its hash is that of go.sum, over all files of the module,
// as cyclonedx-gomod has it.
func library(m notices.Module) cdx.Component {
	c := cdx.Component{BOMRef: purl(m), Type: cdx.ComponentTypeLibrary, Name: m.Path, Version: m.Version, PackageURL: purl(m)}
	if sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:")); err == nil && len(sum) > 0 {
		c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum)}}
	}
	return c
}

// purl returns the name that tools have for a module.
//
// https://github.com/package-url/purl-spec
func purl(m notices.Module) string {
	return "pkg:golang/" + m.Path + "@" + strings.ReplaceAll(m.Version, "+", "%2B")
}

package image

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Pattern matches full names of images, such as registry.example.com/ci/base:1 or
// docker.io/amazon/aws-cli@sha256:0123…. In a pattern, * stands for any run of characters
// but a slash, and a segment ** for any segments.
type Pattern string

// maxName bounds the length of a pattern, in bytes. It is above the length of any name.
const maxName = 1024

// Match reports whether the pattern matches the whole of a full name.
func (p Pattern) Match(name string) bool {
	return doublestar.MatchUnvalidated(string(p), name) // ParsePattern has validated it
}

// ParsePattern reads a pattern. An error says why the pattern can match no full name.
func ParsePattern(text string) (Pattern, error) {
	if err := checkPattern(text); err != nil {
		return "", fmt.Errorf("%q: %w", text[:min(len(text), 80)], err)
	}
	return Pattern(text), nil
}

// ParseName reads the full name of an image, as an admin writes it.
func ParseName(text string) (string, error) {
	p, err := ParsePattern(text)
	if err == nil && strings.Contains(text, "*") {
		err = fmt.Errorf("%q: want the name of one image, without *", text)
	}
	return string(p), err
}

const (
	lower = "abcdefghijklmnopqrstuvwxyz0123456789"
	upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// checkPattern returns an error if no full name can match.
func checkPattern(text string) error {
	segments := strings.Split(text, "/")
	switch {
	case len(text) > maxName:
		return fmt.Errorf("it has more than %d bytes", maxName)
	case strings.Trim(text, lower+upper+"._-/:@*") != "":
		return errors.New("it cannot match: no name of an image has such characters; the only wildcards are * and **")
	case slices.Contains(segments, ""):
		return errors.New("it cannot match: it has an empty segment")
	case slices.ContainsFunc(segments, func(s string) bool { return s != "**" && strings.Contains(s, "**") }):
		return errors.New("** must be a whole segment, such as registry.example.com/ci/**")
	case text == "**":
		return nil
	}
	if err := checkHost(segments); err != nil {
		return err
	}
	return checkPath(segments[1:])
}

// checkHost checks that a pattern begins with a registry.
func checkHost(segments []string) error {
	host := segments[0]
	switch {
	case len(segments) == 1 || !strings.ContainsAny(host, ".:*") && host != "localhost":
		return errors.New("it cannot match: write the name in full, such as docker.io/library/alpine:* or registry.example.com/ci/**")
	case host == "index.docker.io":
		return errors.New("it cannot match: the name in full begins with docker.io")
	case host == "docker.io" && len(segments) == 2 && segments[1] != "**":
		return errors.New("it cannot match: images of Docker's own are in docker.io/library/")
	case strings.ContainsAny(host, "@_"):
		return errors.New("it cannot match: no registry has such a name")
	}
	return nil
}

// checkPath checks the segments of a pattern after the registry.
func checkPath(segments []string) error {
	last := segments[len(segments)-1]
	repository, digest, hasDigest := strings.Cut(last, "@")
	repository, tag, hasTag := strings.Cut(repository, ":")
	path := strings.Join(append(slices.Clone(segments[:len(segments)-1]), repository), "/")
	switch {
	case strings.Trim(path, lower+"._-/*") != "":
		return errors.New("it cannot match: between registry and tag there are only a-z, 0-9, ., _, - and /")
	case hasDigest && hasTag:
		return errors.New("it cannot match: a name with a digest is judged without its tag; write name@sha256:... alone")
	case hasTag && (tag == "" || strings.Contains(tag, ":")):
		return errors.New("it cannot match: no tag looks so")
	case hasDigest && !mayBeDigest(digest):
		return errors.New("it cannot match: a digest is sha256: and 64 of 0-9 and a-f, or *")
	case !hasDigest && !hasTag && !strings.HasSuffix(last, "*"):
		return errors.New("it cannot match: each name has a tag or a digest; write :* or @* at its end")
	}
	return nil
}

// mayBeDigest reports whether a part of a pattern can match a digest.
func mayBeDigest(text string) bool {
	hex, isSHA := strings.CutPrefix(text, "sha256:")
	if strings.Contains(text, "*") {
		return strings.Trim(text, "sh:0123456789abcdef*") == ""
	}
	return isSHA && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == ""
}

// Package build builds the driver's programs as packages have them: for one architecture,
// from sources whose commit is known, and the same bytes wherever that is done.
package build

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"rolecall/internal/version"
)

// unlisted keeps a file out of git status: Go adds sums to it when the driver's go.mod changes,
// and no program is built by it.
const unlisted = ":(exclude)packaging/go.work.sum"

// Source is what the programs are built from.
type Source struct {
	Root       string // the folder of the driver's go.mod
	Version    string // of the programs and packages, without a leading v
	Prerelease string // sorts before the release of Version; empty: this is the release
	Commit     string // empty: nobody knows
	Time       time.Time
}

// Read returns the sources in the folder root. git tells the commit and its time, unless the
// variables COMMIT and SOURCE_DATE_EPOCH do. It is the release if the variable VERSION says
// so, or if git has a tag of the version at this commit.
//
// https://reproducible-builds.org/specs/source-date-epoch/
func Read(ctx context.Context, root string, variable func(string) string) (Source, error) {
	s := Source{Root: root, Version: variable("VERSION"), Commit: variable("COMMIT")}
	if s.Commit == "" {
		s.Commit = s.git(ctx, "rev-parse", "--short=12", "HEAD")
	}
	epoch := variable("SOURCE_DATE_EPOCH")
	if epoch == "" {
		epoch = s.git(ctx, "log", "-1", "--format=%ct")
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return s, errors.New("nobody knows how old the sources are: build in a git work tree, or set SOURCE_DATE_EPOCH and COMMIT")
	}
	s.Time = time.Unix(seconds, 0).UTC()
	if s.Version != "" {
		return s, nil
	}
	s.Version = version.Version
	if s.git(ctx, "tag", "--points-at", "HEAD", "v"+s.Version) == "" || s.git(ctx, "status", "--porcelain", "--", ".", unlisted) != "" {
		s.Prerelease = s.snapshot()
	}
	return s, nil
}

// snapshot returns a pre-release that sorts by the time of the commit.
func (s Source) snapshot() string {
	return strings.TrimSuffix(s.Time.Format("20060102150405")+"."+s.Commit, ".")
}

// Full returns the version with the pre-release: "0.1.0~20261126195825.2df392c1a6d3".
func (s Source) Full() string {
	if s.Prerelease == "" {
		return s.Version
	}
	return s.Version + "~" + s.Prerelease
}

// git returns what git prints, or nothing where git does not know.
func (s Source) git(ctx context.Context, args ...string) string {
	out, err := exec.CommandContext(ctx, "git", append([]string{"-C", s.Root}, args...)...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// flags returns what the linker writes into the programs.
func (s Source) flags() string {
	const set = " -X rolecall/internal/version."
	flags := "-s -w -buildid=" + set + "date=" + s.Time.Format(time.DateOnly)
	if s.Commit != "" {
		flags += set + "commit=" + s.Commit
	}
	if s.Version != version.Version {
		flags += fmt.Sprintf("%sVersion=%s", set, s.Version)
	}
	return flags
}

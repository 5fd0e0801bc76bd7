package admin

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// bundling is what the command line of bundle says.
type bundling struct {
	asking

	runner, output   *string
	lines            *int
	anonymise, force *bool
}

// member is a file of an archive.
type member struct {
	Name    string `json:"name"`
	What    string `json:"what"`
	Bytes   int    `json:"bytes"`
	content string
}

// bundle writes an archive for people who help.
func (d call) bundle() *cobra.Command {
	var b bundling
	c := newCommand("bundle", "write an archive for people who help: versions, set-up without secrets, findings", func() error { return d.runBundle(b) })
	c.Long = `bundle writes an archive (tar.gz, mode 0600) that you can send to people who help you: versions,
the policy file and the runner's config.toml without what may be secret, the findings of rolecall
check, the newest lines of the audit log, and the units of systemd. It prints a list of what is in
it, before it writes. Look at the archive before you send it: names of tenants, projects, refs and
hosts are in it, and of users. --anonymise replaces names of users, projects, refs and environments
by hashes.`
	c.Example = "  rolecall bundle --anonymise --output help.tar.gz"
	b.asking = askingFlags(c)
	b.runner = runnerFlag(c)
	b.output = c.Flags().String("output", "", "write to `FILE` (default: rolecall-HOST-TIME.tar.gz in this folder)")
	const most = 1000
	b.lines = c.Flags().Int("lines", most, "how many lines of the audit log: `NUMBER`")
	b.anonymise = c.Flags().Bool("anonymise", false, "hash the names of users, projects, refs and environments in lines of the audit log")
	b.force = c.Flags().Bool("force", false, "replace FILE if it exists")
	return c
}

// bundled is what an archive has.
type bundled struct {
	File    string   `json:"file"`
	Members []member `json:"members"`
}

// runBundle prints what the archive will have, and writes it.
func (d call) runBundle(b bundling) error {
	if *b.lines < 0 {
		return usageError{errors.New("--lines: want a number, or 0 for none")}
	}
	now := time.Now().UTC()
	made := bundled{File: *b.output, Members: d.members(b)}
	if made.File == "" {
		host, _ := os.Hostname() // a host without a name is not named
		made.File = "rolecall-" + strings.ReplaceAll(printable(host), "/", "_") + "-" + now.Format("20060102T150405Z") + ".tar.gz"
	}
	if err := d.print(made, made.String(), *b.json); err != nil {
		return err
	}
	return writeFile(made.File, *b.force, func(w io.Writer) error { return archive(w, made.Members, now) })
}

// String returns what is in an archive for people.
func (b bundled) String() string {
	rows := [][]string{{"FILE", "BYTES", "WHAT"}}
	for _, m := range b.Members {
		rows = append(rows, []string{m.Name, fmt.Sprint(m.Bytes), m.What})
	}
	return table(rows) + "\nto " + printable(b.File) + "; look at it before you send it\n"
}

// archive writes members as a compressed archive.
func archive(to io.Writer, members []member, now time.Time) error {
	z := gzip.NewWriter(to)
	t := tar.NewWriter(z)
	for _, m := range members {
		header := &tar.Header{Name: "rolecall/" + m.Name, Mode: 0o600, Size: int64(len(m.content)), ModTime: now.Truncate(time.Second), Format: tar.FormatPAX}
		if err := t.WriteHeader(header); err != nil {
			return err
		}
		if _, err := io.WriteString(t, m.content); err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), z.Close())
}

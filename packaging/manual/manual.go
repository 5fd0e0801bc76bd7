// Package manual makes the pages of man(1) and the completions of shells.
package manual

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// Pages are files by their paths on the host.
type Pages map[string][]byte

// Admin adds the pages and completions of a program of cobra, which is for admins.
func (p Pages) Admin(root *cobra.Command, version string, when time.Time) error {
	root.DisableAutoGenTag = true
	if err := p.commands(root, &doc.GenManHeader{Section: "1", Date: &when, Source: version, Manual: "rolecall"}); err != nil {
		return err
	}
	return p.completions(root)
}

// commands adds the page of a command, and those of the commands below it.
func (p Pages) commands(c *cobra.Command, header *doc.GenManHeader) error {
	if c.HasParent() && !c.IsAvailableCommand() {
		return nil
	}
	name := strings.ReplaceAll(c.CommandPath(), " ", "-")
	own, page := *header, new(bytes.Buffer)
	own.Title = strings.ToUpper(name)
	if err := doc.GenMan(c, &own, page); err != nil {
		return err
	}
	p["/usr/share/man/man1/"+name+".1.gz"] = Compress(page.Bytes())
	for _, below := range c.Commands() {
		if err := p.commands(below, header); err != nil {
			return err
		}
	}
	return nil
}

// completions adds what bash, zsh and fish complete of a program's command line.
func (p Pages) completions(root *cobra.Command) error {
	name := root.Name()
	for path, write := range map[string]func(io.Writer) error{
		"/usr/share/bash-completion/completions/" + name:         func(w io.Writer) error { return root.GenBashCompletionV2(w, true) },
		"/usr/share/zsh/vendor-completions/_" + name:             root.GenZshCompletion,
		"/usr/share/fish/vendor_completions.d/" + name + ".fish": func(w io.Writer) error { return root.GenFishCompletion(w, true) },
	} {
		var out bytes.Buffer
		if err := write(&out); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		p[path] = out.Bytes()
	}
	return nil
}

// Compress compresses a file as gzip -9n does: without a name and a time.
func Compress(content []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level is right
	_, _ = w.Write(content)                                 // a buffer takes all
	_ = w.Close()
	return out.Bytes()
}

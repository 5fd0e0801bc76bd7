package admin

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"
)

// usage is the template of the text about a command line. Its lines have at most width columns.
const usage = `Usage:
  {{.UseLine}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}

Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}

Flags:
{{.LocalFlags.FlagUsagesWrapped 100 | trimTrailingWhitespaces}}
{{if .HasAvailableSubCommands}}
rolecall COMMAND --help says more about a command.
{{end}}`

// furnish gives the root command what is alike for all commands below it: help, completions and
// the errors of flags.
func (d call) furnish(root *cobra.Command) {
	root.SetUsageTemplate(usage)
	root.SetFlagErrorFunc(wrongFlag)
	root.SetHelpCommand(help())
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error { return checkPaths(c.Flags()) }
	root.AddCommand(completion())
	for _, c := range root.Commands() {
		if c.Name() != "init" && c.Flags().Lookup("tenant") != nil { // init takes a tenant that is new
			_ = c.RegisterFlagCompletionFunc("tenant", d.tenants) // the flag is there, and has none yet
		}
	}
}

// wrongFlag returns the error about a flag of a command, cut: a value can be as long as a command
// line.
func wrongFlag(c *cobra.Command, err error) error {
	invalid, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return usageError{fmt.Errorf("%.200s; %s --help lists the flags", err.Error(), c.CommandPath())}
	}
	why := errors.Unwrap(invalid).Error()
	if _, ofText := errors.AsType[*strconv.NumError](err); ofText {
		why = "want a whole number"
		if invalid.GetFlag().Value.Type() == "bool" {
			why = "want true, false or no value"
		}
	}
	return usageError{fmt.Errorf("--%s is %.80q: %s", invalid.GetFlag().Name, invalid.GetValue(), why)}
}

// checkPaths fails if a flag names a file by an empty text, as scripts do whose variable is not
// set: the file that is used without the flag is not meant. Nor is a path longer than the kernel
// takes.
func checkPaths(set *pflag.FlagSet) (err error) {
	set.Visit(func(f *pflag.Flag) {
		switch kind, _ := pflag.UnquoteUsage(f); {
		case kind != "FILE" && kind != "FOLDER":
		case f.Value.String() == "" && f.Name != "drop-in":
			err = usageError{fmt.Errorf("--%s has an empty value: name a path, or leave the flag out", f.Name)}
		case len(f.Value.String()) >= unix.PathMax:
			err = usageError{fmt.Errorf("--%s is %.80q and more: no path is so long", f.Name, f.Value)}
		}
	})
	return err
}

// help says more about a command.
func help() *cobra.Command {
	return &cobra.Command{Use: "help [COMMAND]", Short: "say more about a command", RunE: func(c *cobra.Command, args []string) error {
		about, rest, err := c.Root().Find(args)
		if err != nil || len(rest) > 0 {
			return usageError{fmt.Errorf("there is no command %.40q; rolecall --help lists them", args[0])}
		}
		about.InitDefaultHelpFlag()
		about.InitDefaultVersionFlag()
		return about.Help()
	}}
}

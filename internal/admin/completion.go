package admin

import (
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"rolecall/internal/program"
)

// completion prints what lets a shell complete command lines of the program.
func completion() *cobra.Command {
	shells := []string{"bash", "zsh", "fish"}
	c := &cobra.Command{Use: "completion bash|zsh|fish", Short: "print a script by which a shell completes command lines", ValidArgs: shells}
	c.Long = `completion prints a script for a shell. With it the shell completes commands, flags and the names
of the policy file's tenants. The packages of rolecall bring these scripts.`
	c.Example = "  rolecall completion bash > /etc/bash_completion.d/rolecall"
	c.Args = func(_ *cobra.Command, args []string) error {
		if len(args) != 1 || !slices.Contains(shells, args[0]) {
			return usageError{errors.New("say one shell: bash, zsh or fish")}
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		switch out := c.OutOrStdout(); args[0] {
		case "bash":
			return c.Root().GenBashCompletionV2(out, true)
		case "zsh":
			return c.Root().GenZshCompletion(out)
		default:
			return c.Root().GenFishCompletion(out, true)
		}
	}
	return c
}

// tenants completes the name of a tenant of the policy file.
func (d call) tenants(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var names []cobra.Completion
	file, _ := c.Flags().GetString("config") // each command that has tenants has this flag
	policy, err := d.readPolicy(program.Flags{Config: file})
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	for _, t := range policy.Tenants() {
		names = append(names, string(t.Name))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

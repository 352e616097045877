package main

import (
	"bytes"

	"github.com/spf13/cobra"
)

// newHelp is cobra's own command but for what is no command, which is an error here too.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND...]",
		Short: "Show how a command is used",
		Long:  "Show how a command is used, as --help does behind it.",
		ValidArgsFunction: func(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			var names []cobra.Completion
			if above, rest, err := c.Root().Find(args); err == nil && len(rest) == 0 {
				for _, child := range above.Commands() {
					if child.IsAvailableCommand() {
						names = append(names, cobra.CompletionWithDesc(child.Name(), child.Short))
					}
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			asked, rest, err := c.Root().Find(args)
			if err != nil {
				return misused(c, err)
			}
			if asked.HasSubCommands() && len(rest) > 0 {
				return asked.RunE(asked, rest) // says that there is no such command
			}
			asked.InitDefaultHelpFlag()
			return asked.Help()
		},
	}
}

// keepHelpError has a root command keep why help could not be printed, which cobra does
// not take for an error.
func keepHelpError(root *cobra.Command) (helpError func() error) {
	var failed error
	show := root.HelpFunc()
	root.SetHelpFunc(func(c *cobra.Command, args []string) {
		out := c.OutOrStdout()
		var text bytes.Buffer
		c.SetOut(&text)
		show(c, args)
		c.SetOut(out)
		_, failed = out.Write(text.Bytes())
	})
	return func() error { return failed }
}

package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newCompletion() *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print what makes a shell complete commands and options",
		Long: `Print the script with which bash, zsh, fish or powershell completes the commands
and options of portcullis. That of bash calls functions of the package
bash-completion, which has to be installed and loaded.`,
		Example: `  source <(portcullis completion bash)
  portcullis completion zsh > "${fpath[1]}/_portcullis"
  portcullis completion fish > ~/.config/fish/completions/portcullis.fish`,
		Args:      takes(1, 1, "one SHELL", "name bash, zsh, fish or powershell"),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		RunE: func(c *cobra.Command, args []string) error {
			root, out := c.Root(), c.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(out)
			default:
				return misused(c, fmt.Errorf("there is no completion for %.40q; name bash, zsh, fish or powershell", args[0]))
			}
		},
	}
}

package main

import (
	"github.com/spf13/cobra"

	"portcullis/shared/policy"
)

func newPolicySchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the policy file",
		Long: `Print the JSON Schema of the policy file, with which editors complete keys and mark
mistakes while a policy is written. policy/policy.schema.json is the same.

The schema knows the shape of a policy, and not all that makes it valid:
` + "`portcullis policy check`" + ` does.`,
		Example: `  portcullis policy schema > policy.schema.json`,
		Args:    takes(0, 0, "no argument", "it prints to the standard output, so send that to a file with >"),
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := c.OutOrStdout().Write(policy.Schema())
			return err
		},
	}
}

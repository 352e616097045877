package main

import "github.com/spf13/cobra"

const defaultPolicy = "policy/policy.yaml"

func newPolicy() *cobra.Command {
	c := &cobra.Command{
		Use:     "policy",
		Short:   "Check and test a policy, without AWS",
		Long:    "Check and test a policy, without AWS.",
		Example: `  portcullis policy check`,
	}
	c.AddCommand(newPolicyCheck(), newPolicySchema(), newPolicyTest())
	return c
}

// policyArgument is the policy file that a command line names, or the one that is
// deployed.
func policyArgument(args []string) string {
	if len(args) == 0 {
		return defaultPolicy
	}
	return args[0]
}

package main

import (
	"fmt"
	"io"
	"strings"

	"portcullis/shared/policy"
)

const defaultPolicy = "policy/policy.yaml"

// checkPolicy says whether the functions would take a policy file. It prints the
// hash by which a Run Summary names the policy.
func checkPolicy(args []string, out, errs io.Writer) int {
	file := defaultPolicy
	switch {
	case len(args) == 1 && !strings.HasPrefix(args[0], "-"):
		file = args[0]
	case len(args) > 0:
		fmt.Fprintf(errs, "portcullis policy check: it takes one file, not %q\n", strings.Join(args, " "))
		return usage
	}
	p, err := policy.Load(file)
	if err != nil {
		fmt.Fprintln(errs, err)
		return found
	}
	for _, warning := range p.Warnings {
		fmt.Fprintln(errs, "warning:", warning)
	}
	fmt.Fprintf(out, "%s is valid; its hash is %s\n", file, p.Hash)
	return ok
}

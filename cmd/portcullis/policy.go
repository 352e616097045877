package main

import (
	"fmt"
	"io"
	"strings"

	"portcullis/shared/policy"
)

const defaultPolicy = "policy/policy.yaml"

// checkPolicy says whether the functions of every control would start under a
// policy file. It prints the hash by which a Run Summary names the policy.
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
	if missing := missingSections(p); len(missing) > 0 {
		for _, section := range missing {
			fmt.Fprintf(errs, "%s: %s\n", file, section)
		}
		return found
	}
	fmt.Fprintf(out, "%s is valid; its hash is %s\n", file, p.Hash)
	return ok
}

// missingSections says what a policy lacks for all controls to start. The mode of a
// control is not known here, so a section is asked for even where a deployment has
// turned its control off.
func missingSections(p *policy.Policy) []string {
	var missing []string
	for _, section := range []struct {
		name, parameter string
		there           bool
	}{
		{"external_connections", "ExternalConnectionsMode", p.ExternalConnections != nil},
		{"package_groups", "PackageGroupsMode", p.PackageGroups != nil},
		{"package_origins", "PackageOriginsMode", p.PackageOrigins != nil},
		{"proton_connections", "ProtonConnectionsMode", p.ProtonConnections != nil},
	} {
		if !section.there {
			missing = append(missing, fmt.Sprintf("section %s is missing: add it, because its control does not start without it unless %s is off", section.name, section.parameter))
		}
	}
	return missing
}

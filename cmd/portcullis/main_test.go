package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"portcullis/shared/policy"
)

const (
	sections = "external_connections: {allow: []}\npackage_groups: {min_age: 14d, grace: 14d}\npackage_origins: {guard: []}\n" +
		"proton_connections: {approve: [], rejected_after: 7d, pending_after: 30d}\n"
	valid    = "version: 1\nlimits: {count: 10, share: 10%}\n" + sections
	doubtful = "version: 1\nlimits: {count: 10, share: 10%}\nenforce_on: []\n" + sections
	partial  = "version: 1\nlimits: {count: 10, share: 10%}\npackage_groups: {min_age: 14d, grace: 14d}\npackage_origins: {guard: []}\n"
	wrong    = "version: 1\nlimits: {count: 10, share: 10}\nexternal_connections:\n  alow: []\n"
)

// What is printed is part of the contract, because people and make read it.
func TestCommandLine(t *testing.T) {
	tests := []struct {
		name   string
		args   string
		status int
		out    string // a regular expression for all of standard output
		errs   string // the same for standard error
	}{
		{"prints help that was asked for as the answer", "--help", ok, "^usage:\n  portcullis policy check .+\n$", "^$"},
		{"knows help behind a command", "policy check -h", ok, "^usage:\n", "^$"},
		{"prints help that was not asked for as an error", "", usage, "^$", "^usage:\n"},
		{"names a command that it does not know", "policy chek", usage, "^$", "^portcullis: there is no command \"policy chek\"\nusage:\n"},

		{"says that a policy is valid, and its hash", "policy check valid.yaml", ok, "^valid.yaml is valid; its hash is [0-9a-f]{64}\n$", "^$"},
		{"takes the policy that is deployed where none is named", "policy check", ok, "^policy/policy.yaml is valid", "^$"},
		{"warns about a valid policy", "policy check doubtful.yaml", ok, "^doubtful.yaml is valid", "^warning: doubtful.yaml:3:13: enforce_on is an empty list.*\n$"},
		{"tells every problem, each on a line", "policy check wrong.yaml", found, "^$", "(?s)^wrong.yaml:2:28: .+\nwrong.yaml:4:3: .+\n$"},
		{"tells which controls would not start for want of their section", "policy check partial.yaml", found, "^$",
			"^partial.yaml: section external_connections .+ unless ExternalConnectionsMode is off\npartial.yaml: section proton_connections .+ unless ProtonConnectionsMode is off\n$"},
		{"tells that a file is missing", "policy check missing.yaml", found, "^$", "missing.yaml: no such file"},
		{"takes one file only", "policy check valid.yaml wrong.yaml", usage, "^$", `it takes one file, not "valid.yaml wrong.yaml"`},
		{"takes no option for a file", "policy check --quiet", usage, "^$", `it takes one file, not "--quiet"`},
	}

	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"valid.yaml": valid, "policy/policy.yaml": valid, "doubtful.yaml": doubtful, "partial.yaml": partial, "wrong.yaml": wrong,
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out, errs strings.Builder
			if status := run(strings.Fields(test.args), &out, &errs); status != test.status {
				t.Errorf("status %d, want %d", status, test.status)
			}
			if !regexp.MustCompile(test.out).MatchString(out.String()) {
				t.Errorf("standard output is %q, want %s", out.String(), test.out)
			}
			if !regexp.MustCompile(test.errs).MatchString(errs.String()) {
				t.Errorf("standard error is %q, want %s", errs.String(), test.errs)
			}
		})
	}
}

// A control whose section nobody asks for would miss it only once it is deployed.
func TestTheSectionOfEveryControlIsAskedFor(t *testing.T) {
	mains, err := filepath.Glob("../../functions/*/main.go")
	if err != nil || len(mains) == 0 {
		t.Fatalf("there is no functions/*/main.go (%v)", err)
	}
	mains = slices.DeleteFunc(mains, func(main string) bool { return strings.Contains(main, "planner") }) // it is no control
	missing := missingSections(&policy.Policy{})
	if len(missing) != len(mains) {
		t.Errorf("there are %d controls, and an empty policy lacks %d sections", len(mains), len(missing))
	}
	for i, main := range mains {
		section := strings.ReplaceAll(filepath.Base(filepath.Dir(main)), "-", "_")
		if i < len(missing) && !strings.Contains(missing[i], section) {
			t.Errorf("%s is not asked for here: %s", section, missing[i])
		}
	}
}

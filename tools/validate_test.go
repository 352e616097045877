package tools_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestValidate(t *testing.T) {
	const (
		linter = "#!/bin/sh\nfor last; do :; done\necho \"${last##*/}\" >>\"$CALLS\"\nexit \"$FINDINGS\"\n"
		python = "#!/bin/sh\ncase $1 in -c) echo no module >&2; exit \"$MISSING\" ;; esac\n"
	)
	tests := []struct {
		name              string
		programs          map[string]string // that are installed
		missing, findings string            // exit statuses of Python's import and of cfn-lint
		checked           string            // files that cfn-lint was given
		out               string
		fails             bool
	}{
		{"checks the template as it is written and as it is translated",
			map[string]string{"cfn-lint": linter, "python3": python}, "0", "0", "template.yaml template.json", "as SAM translates it\n", false},
		{"checks the template as it is written where it cannot be translated",
			map[string]string{"cfn-lint": linter, "python3": python}, "1", "0", "template.yaml", "no module\n", false},
		{"checks the template as it is written where there is no Python",
			map[string]string{"cfn-lint": linter}, "0", "0", "template.yaml", "SKIPPED: template.yaml was not checked as SAM translates it", false},
		{"says that nothing was checked where there is no linter",
			map[string]string{"python3": python}, "0", "0", "", "SKIPPED: template.yaml was not checked with AWS's linters", false},
		{"fails where the linter finds something",
			map[string]string{"cfn-lint": linter, "python3": python}, "0", "2", "template.yaml", "", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			folder := t.TempDir()
			for name, text := range test.programs {
				if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			for _, name := range []string{"dirname", "mktemp", "rm", "tail"} {
				program, err := exec.LookPath(name)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(program, filepath.Join(folder, name)); err != nil {
					t.Fatal(err)
				}
			}
			calls := filepath.Join(folder, "calls")
			command := exec.Command("./validate.sh", "template.yaml")
			command.Env = []string{"PATH=" + folder, "CALLS=" + calls, "MISSING=" + test.missing, "FINDINGS=" + test.findings}
			out, err := command.CombinedOutput()
			if (err != nil) != test.fails || !strings.Contains(string(out), test.out) {
				t.Errorf("error %v, output %q; want failure %v and %q in the output", err, out, test.fails, test.out)
			}
			made, err := os.ReadFile(calls)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Fields(test.checked), strings.Fields(string(made))); diff != "" {
				t.Errorf("files that cfn-lint was given (-want +got):\n%s", diff)
			}
		})
	}
}

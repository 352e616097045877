// Package tools_test tries the scripts of this folder with stand-ins for the AWS
// CLI, cfn-lint and Python, which only write down what they are asked.
package tools_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cli stands in for the AWS CLI. It answers for a stack with two functions.
const cli = `#!/bin/sh
printf '%s\n' "$*" | sed 's/ --query .*//; s/ --output text//' >>"$CALLS"
case "$2 $*" in
"$REFUSED "*) echo refused >&2; exit 255 ;;
list-stack-resources*) printf "$FUNCTIONS" ;;
describe-stacks*EventsReservedConcurrency*) echo 5 ;;
invoke*) cat >>"$CALLS"; for answer; do :; done; echo '{"complete":true}' >"$answer"; echo "$FAILURE" ;;
esac
`

const two = `AppleOnEvent\tstack-AppleOnEvent-1\nAppleSweep\tstack-AppleSweep-2\n`

func TestStack(t *testing.T) {
	const (
		list = "cloudformation list-stack-resources --stack-name stack"
		ask  = "cloudformation describe-stacks --stack-name stack"
		put  = "lambda put-function-concurrency --function-name "
	)
	tests := []struct {
		name, command      string
		functions, refused string // what the stack has; the operation that AWS refuses
		failure            string // of the invoked function
		calls              []string
		out                string
		fails              bool
	}{
		{
			name: "stops every function", command: "stop stack", functions: two,
			calls: []string{list, put + "stack-AppleOnEvent-1 --reserved-concurrent-executions 0", put + "stack-AppleSweep-2 --reserved-concurrent-executions 0"},
			out:   "goes to the failure queue, untried",
		},
		{
			name: "does not claim to have stopped a stack that it cannot read", command: "stop stack", functions: two, refused: "list-stack-resources",
			calls: []string{list}, fails: true,
		},
		{
			name: "does not claim to have stopped a stack without functions", command: "stop stack",
			calls: []string{list}, out: "has no functions", fails: true,
		},
		{
			name: "goes on to the next function where one cannot be stopped", command: "stop stack", functions: two, refused: "put-function-concurrency",
			calls: []string{list, put + "stack-AppleOnEvent-1 --reserved-concurrent-executions 0", put + "stack-AppleSweep-2 --reserved-concurrent-executions 0"},
			out:   "stop: stack-AppleSweep-2 FAILED\n", fails: true,
		},
		{
			name: "gives back what the template reserves", command: "start stack", functions: two,
			calls: []string{
				list,
				ask, put + "stack-AppleOnEvent-1 --reserved-concurrent-executions 5",
				ask, "lambda delete-function-concurrency --function-name stack-AppleSweep-2",
			},
			out: "ask for a round",
		},
		{
			name: "gives a function that nothing is reserved for nothing", command: "start stack", functions: `Planner\tstack-Planner-1\n`,
			calls: []string{list, "lambda delete-function-concurrency --function-name stack-Planner-1"},
		},
		{
			name: "does not guess what the template reserves", command: "start stack", functions: two, refused: "describe-stacks",
			calls: []string{list, ask, ask}, out: "FAILED", fails: true,
		},
		{
			name: "sweeps, and prints the summary", command: "sweep stack AppleSweep", functions: two, failure: "None",
			calls: []string{list, invoke("stack-AppleSweep-2"), `{"source": "portcullis", "detail-type": "Sweep Requested", "detail": {"by": "hand"}}`},
			out:   `{"complete":true}`,
		},
		{
			name: "asks for a round, and prints the answer", command: "round stack", functions: `Planner\tstack-Planner-1\n`, failure: "None",
			calls: []string{list, invoke("stack-Planner-1"), `{"source": "portcullis", "detail-type": "Round Requested", "detail": {"by": "hand"}}`},
			out:   `{"complete":true}`,
		},
		{
			name: "fails where the sweep does", command: "sweep stack AppleSweep", functions: two, failure: "Unhandled",
			calls: []string{list, invoke("stack-AppleSweep-2"), `{"source": "portcullis", "detail-type": "Sweep Requested", "detail": {"by": "hand"}}`},
			out:   `{"complete":true}`, fails: true,
		},
		{
			name: "knows the functions of the stack only", command: "sweep stack PearSweep", functions: two,
			calls: []string{list}, out: "has no PearSweep", fails: true,
		},
		{
			name: "knows four commands", command: "delete stack", functions: two,
			calls: []string{list}, out: "not delete", fails: true,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, "aws"), []byte(cli), 0o700); err != nil {
				t.Fatal(err)
			}
			calls := filepath.Join(folder, "calls")
			command := exec.Command("./stack.sh", strings.Fields(test.command)...)
			command.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"),
				"CALLS="+calls, "FUNCTIONS="+test.functions, "REFUSED="+test.refused, "FAILURE="+test.failure)
			out, err := command.CombinedOutput()
			if (err != nil) != test.fails || !strings.Contains(string(out), test.out) {
				t.Errorf("error %v, output %q; want failure %v and %q in the output", err, out, test.fails, test.out)
			}
			made, err := os.ReadFile(calls)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.calls, strings.Split(strings.TrimSpace(string(made)), "\n")); diff != "" {
				t.Errorf("calls of the AWS CLI (-want +got):\n%s", diff)
			}
		})
	}
}

// The script stops what make names, so make has to name it.
func TestMakeCallsTheScript(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip(err)
	}
	for _, command := range []string{"stop", "start", "round"} {
		t.Run(command, func(t *testing.T) {
			out, err := exec.Command("make", "-C", "..", "--dry-run", command, "ENV=prod").CombinedOutput()
			if want := "\ntools/stack.sh " + command + " portcullis-prod\n"; err != nil || !strings.Contains(string(out), want) {
				t.Errorf("error %v, commands %s; want %q among them", err, out, want)
			}
		})
	}
}

func invoke(function string) string {
	return "lambda invoke --function-name " + function + " --payload fileb:///dev/stdin --cli-read-timeout 910"
}

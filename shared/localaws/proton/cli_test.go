package proton_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The AWS CLI is a client that shares no code with the Go SDK.
func TestTheAWSCLIUnderstands(t *testing.T) {
	cli, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("the AWS CLI is not installed: nothing was checked against a client other than the Go SDK")
	}
	s := newStage(t)
	// run returns what the CLI printed, as JSON or else as text.
	run := func(account string, args ...string) any {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), cli, append([]string{"proton"}, args...)...)
		cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") })
		cmd.Env = append(cmd.Env, s.world.Environment(account, region)...)
		cmd.Env = append(cmd.Env, "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
			"AWS_MAX_ATTEMPTS=1", "AWS_PAGER=", "AWS_DEFAULT_OUTPUT=json", "NO_PROXY=127.0.0.1")
		out, err := cmd.Output()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return strings.TrimSpace(string(exit.Stderr))
		} else if err != nil {
			t.Fatal(err)
		}
		var decoded any
		if err := json.Unmarshal(out, &decoded); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		return decoded
	}
	equal := func(want, got any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}

	equal([]any{"PENDING", environment}, run(environment, "create-environment-account-connection",
		"--environment-name", "simple-env", "--management-account-id", management, "--role-arn", role("proton"),
		"--query", "environmentAccountConnection.[status,environmentAccountId]"))
	c := s.proton.Connections(environment, region)[0]
	equal([]any{c.ID}, run(management, "list-environment-account-connections", "--requested-by", "MANAGEMENT_ACCOUNT",
		"--statuses", "PENDING", "--query", "environmentAccountConnections[].id"))
	equal("CONNECTED", run(management, "accept-environment-account-connection", "--id", c.ID, "--query", "environmentAccountConnection.status"))
	refused := run(management, "accept-environment-account-connection", "--id", c.ID)
	if text, _ := refused.(string); !strings.Contains(text, "An error occurred (ConflictException) when calling the "+
		"AcceptEnvironmentAccountConnection operation: environment account connection "+c.ID+" is CONNECTED") {
		t.Errorf("got %v", refused)
	}
	equal(c.ID, run(environment, "delete-environment-account-connection", "--id", c.ID, "--query", "environmentAccountConnection.id"))
}

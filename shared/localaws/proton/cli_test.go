package proton_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws/internal/awscli"
)

// The AWS CLI is a client that shares no code with the Go SDK.
func TestTheAWSCLIUnderstands(t *testing.T) {
	s := newStage(t)
	cli := awscli.Require(t, s.world)
	run := func(account string, args ...string) any {
		t.Helper()
		return cli.Run(t, account, region, append([]string{"proton"}, args...)...)
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

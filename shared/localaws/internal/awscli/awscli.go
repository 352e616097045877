// Package awscli drives the services in localaws by the AWS CLI, a client that shares no code with the Go SDK. Where it
// is not installed, tests are skipped and say what was not checked. It is for tests only.
package awscli

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"portcullis/shared/localaws"
)

// CLI is an installed AWS CLI that calls a World.
type CLI struct {
	path  string
	world *localaws.World
}

// Require skips the test where the AWS CLI is not installed.
func Require(t *testing.T, w *localaws.World) CLI {
	t.Helper()
	path, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("the AWS CLI is not installed: nothing was checked against a client other than the Go SDK")
	}
	return CLI{path, w}
}

// Run returns what the CLI printed, as JSON decodes it, or where it ended with an error, the text of that.
func (c CLI) Run(t *testing.T, account, region string, args ...string) any {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), c.path, args...) //nolint:gosec // G204: tests name the operation
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") })
	cmd.Env = append(cmd.Env, c.world.Environment(account, region)...)
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

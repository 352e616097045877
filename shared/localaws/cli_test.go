package localaws_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/codeartifact"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/internal/awscli"
	"portcullis/shared/localaws/witness"
)

// The AWS CLI is a client that shares no code with the Go SDK.
func TestTheAWSCLIUnderstands(t *testing.T) {
	w, err := localaws.New(start())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	witness.Watch(t, w)
	cli := awscli.Require(t, w)
	packages, events := codeartifact.New(w), eventbridge.New(w)
	corp := packages.AddDomain(account, region, "corp")
	for _, name := range []string{"a1", "a2", "a3"} {
		corp.AddRepository(name)
	}
	packages.SetPageSize(2)

	run := func(t *testing.T, args ...string) any {
		t.Helper()
		return cli.Run(t, account, region, args...)
	}
	same := func(t *testing.T, want, got any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	// on runs an operation on the repository a1 and returns its connections and upstreams.
	on := func(t *testing.T, operation string, more ...string) any {
		t.Helper()
		args := []string{"codeartifact", operation, "--domain", "corp", "--domain-owner", account, "--repository", "a1",
			"--query", "repository.[externalConnections,upstreams]"}
		return run(t, append(args, more...)...)
	}
	connected := []any{
		[]any{map[string]any{"externalConnectionName": "public:npmjs", "packageFormat": "npm", "status": "Available"}}, []any{},
	}

	same(t, []any{"corp"}, run(t, "codeartifact", "list-domains", "--query", "domains[].name"))
	same(t, []any{"a1", "a2", "a3"}, run(t, "codeartifact", "list-repositories", "--query", "repositories[].name"))
	same(t, []any{"a1", "a2", "a3"}, run(t, "codeartifact", "list-repositories-in-domain", "--domain", "corp",
		"--page-size", "1", "--query", "repositories[].name"))
	same(t, connected, on(t, "associate-external-connection", "--external-connection", "public:npmjs"))
	const refused = "An error occurred (ValidationException) when calling the AssociateExternalConnection operation: " +
		"ExternalConnections for repositories are currently limited to 1"
	second := fmt.Sprint(on(t, "associate-external-connection", "--external-connection", "public:pypi"))
	if !strings.Contains(second, refused) {
		t.Errorf("got %s", second)
	}
	same(t, connected, on(t, "describe-repository"))
	same(t, []any{[]any{}, []any{}}, on(t, "disassociate-external-connection", "--external-connection", "public:npmjs"))
	// inCorp runs an operation in the domain and returns what the query picks.
	inCorp := func(t *testing.T, query, operation string, more ...string) any {
		t.Helper()
		args := []string{"codeartifact", operation, "--domain", "corp", "--query", query}
		return run(t, append(args, more...)...)
	}
	corp.PackageGroup("/generic/acme/*").Add()
	same(t, []any{"ALLOW_SPECIFIC_REPOSITORIES", "/*", map[string]any{"PUBLISH": map[string]any{"ADDED": []any{"a1"}}}},
		inCorp(t, "[packageGroup.originConfiguration.restrictions.PUBLISH.effectiveMode, packageGroup.parent.pattern, allowedRepositoryUpdates]",
			"update-package-group-origin-configuration", "--package-group", "/generic/acme/*",
			"--restrictions", "PUBLISH=ALLOW_SPECIFIC_REPOSITORIES",
			"--add-allowed-repositories", "originRestrictionType=PUBLISH,repositoryName=a1"))
	same(t, []any{"/generic/acme/*", "WEAK"}, inCorp(t, "[packageGroup.pattern, associationType]",
		"get-associated-package-group", "--format", "generic", "--namespace", "ACME", "--package", "tool"))
	content := filepath.Join(t.TempDir(), "tool.tar")
	if err := os.WriteFile(content, []byte("a tool"), 0o600); err != nil {
		t.Fatal(err)
	}
	same(t, "Published", inCorp(t, "status", "publish-package-version", "--repository", "a1", "--format", "generic",
		"--namespace", "acme", "--package", "tool", "--package-version", "1.0", "--asset-name", "tool.tar",
		"--asset-content", content, "--asset-sha256", fmt.Sprintf("%x", sha256.Sum256([]byte("a tool")))))
	same(t, []any{"tool"}, inCorp(t, "packages[].package", "list-associated-packages", "--package-group", "/generic/acme/*"))

	const entries = `[{"Source":"portcullis","DetailType":"Summary","Detail":"{}"},
		{"Source":"aws.x","DetailType":"Summary","Detail":"{}"}]`
	same(t, []any{1.0, "NotAuthorizedForSourceException"}, run(t, "events", "put-events", "--entries", entries,
		"--query", "[FailedEntryCount, Entries[1].ErrorCode]"))
	if n := len(events.Events(account, region, "default")); n != 1 {
		t.Errorf("the bus has %d events", n)
	}
}

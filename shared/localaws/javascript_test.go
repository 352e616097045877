package localaws_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/codeartifact"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/proton"
	"portcullis/shared/localaws/witness"
)

// The SDK for JavaScript is generated from the same models as the Go SDK, but by another generator, and shares no code with it.
// `make witness` installs it and says where.
func TestTheSDKForJavaScriptUnderstands(t *testing.T) {
	const variable = "PORTCULLIS_JAVASCRIPT"
	folder := os.Getenv(variable)
	if folder == "" {
		t.Skip(variable + " names no folder with the SDK for JavaScript: nothing was checked against it; `make witness` does")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/javascript/witness.mjs")
	if err != nil {
		t.Fatal(err)
	}

	w, err := localaws.New(start())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	witness.Watch(t, w)
	packages, links := codeartifact.New(w), proton.New(w, eventbridge.New(w))
	corp := packages.AddDomain(account, region, "corp")
	for _, name := range []string{"store", "team", "web"} {
		corp.AddRepository(name)
	}
	packages.SetPageSize(2)
	const other = "444455556666"
	for _, name := range []string{"prod", "test"} {
		links.AddConnection(proton.Request{Region: region, EnvironmentAccount: other, ManagementAccount: account, EnvironmentName: name})
	}
	links.AddConnection(proton.Request{Region: region, EnvironmentAccount: account, ManagementAccount: other, EnvironmentName: "own"})

	cmd := exec.CommandContext(t.Context(), node, "--input-type=module", "-") //nolint:gosec // G204: the script is ours
	cmd.Dir, cmd.Stdin = folder, bytes.NewReader(text)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") })
	cmd.Env = append(cmd.Env, w.Environment(account, region)...)
	cmd.Env = append(cmd.Env, "OWNER="+account, "NO_PROXY=127.0.0.1", "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v after %s", err, out)
	}

	failed := func(name string, status int) any {
		return map[string]any{"error": name, "class": name, "status": float64(status)}
	}
	list := func(items ...any) any { return append([]any{}, items...) }
	connected := map[string]any{"externalConnectionName": "public:npmjs", "packageFormat": "npm", "status": "Available"}
	want := []struct {
		step string
		said any
	}{
		{"domains", list(list("corp", "Active"))},
		{"repositories, by pages", list(list("store", "team"), list("web"))},
		{"describe", list("store", list(), list(), true)},
		{"associate", list("store", list(connected), list(), true)},
		{"associate a second", failed("ValidationException", 400)},
		{"disassociate", list("store", list(), list(), true)},
		{"disassociate again", failed("ResourceNotFoundException", 404)},
		{"describe what is not there", failed("ResourceNotFoundException", 404)},
		{"create a group", map[string]any{"arn": corp.PackageGroup("/*").ARN(), "pattern": "/*"}},
		{"block", list(
			list("EXTERNAL_UPSTREAM", "INHERIT", "ALLOW", "/*"),
			list("INTERNAL_UPSTREAM", "INHERIT", "ALLOW", "/*"),
			list("PUBLISH", "BLOCK", "BLOCK", nil))},
		{"groups, by pages", list(list("/*"), list("/npm/acme/*"))},
		{"associated packages", list(list())},
		{"the group of a package", list("/npm/acme/*", "WEAK")},
		{"its tags", list(map[string]any{"key": "team", "value": "web"})},
		{"delete the group", "/npm/acme/*"},
		{"delete it again", failed("ResourceNotFoundException", 404)},
		{"delete the root", failed("ValidationException", 400)},
		{"requests, by pages", list(list(list("prod", "PENDING", true)), list(list("test", "PENDING", true)))},
		{"reject", "REJECTED"},
		{"reject again", failed("ConflictException", 400)},
		{"reject what is not there", failed("ResourceNotFoundException", 400)},
		{"requests that it made itself", list("own")},
		{"delete", list("own", nil)},
	}
	n := 0
	for line := range strings.Lines(string(out)) {
		var got struct {
			Step string
			Said any
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if n >= len(want) || got.Step != want[n].step {
			t.Fatalf("nobody expects the step %q here", got.Step)
		}
		if diff := cmp.Diff(want[n].said, got.Said); diff != "" {
			t.Errorf("%s: %s", got.Step, diff)
		}
		n++
	}
	if n != len(want) {
		t.Errorf("%d steps, and not %d", n, len(want))
	}
}

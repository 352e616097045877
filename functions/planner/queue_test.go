package main_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/internal/endtoend"
	"portcullis/shared/localaws"
)

// The queue of package-origins holds the changes of all accounts, and one batch of
// it may be about several.

const guarded = `
version: 1
limits: {count: 10, share: 100%}
package_origins:
  guard:
    - package: "pkg:npm/%40acme/ui"
      domains: ["*"]
      external_upstream: block
`

func newGuard(t *testing.T) *endtoend.Hub {
	t.Helper()
	h := endtoend.NewHub(t, guarded)
	h.Deploy("package-origins", "monitor", map[string]string{"MEMBER_ACCOUNTS": web + "," + data + "," + tools, "EXCLUDED_ACCOUNTS": tools})
	for _, account := range []string{home, web, data, tools, stranger} {
		h.Artifact.AddDomain(account, region, "corp")
		if account != home && account != stranger {
			if err := h.Join(account); err != nil {
				t.Fatal(err)
			}
		}
	}
	return h
}

// batch is what Lambda takes from the queue: a group of "corp" was changed in each
// of these accounts. The id of a message is its account.
func batch(t *testing.T, accounts ...string) []byte {
	t.Helper()
	type record struct {
		ID     string `json:"messageId"`
		Source string `json:"eventSource"`
		Body   string `json:"body"`
	}
	var records []record
	for _, account := range accounts {
		records = append(records, record{account, "aws:sqs", fmt.Sprintf(`{"id":"e","source":"aws.codeartifact","detail-type":"AWS API Call via CloudTrail",
			"account":%[1]q,"region":"eu-west-1","detail":{"eventSource":"codeartifact.amazonaws.com","eventName":"DeletePackageGroup","awsRegion":"eu-west-1",
			"userIdentity":{"accountId":%[1]q},"requestParameters":{"domain":"corp","packageGroup":"/npm/acme/*"}}}`, account)})
	}
	payload, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// handle returns the messages that go back, and the accounts that were asked what
// guards the package.
func handle(t *testing.T, h *endtoend.Hub, payload []byte) (back, asked []string, err error) {
	t.Helper()
	before := len(h.World.Calls())
	result, err := h.Functions["package-origins"].Invoke(t.Context(), payload)
	var answer struct {
		BatchItemFailures []struct{ ItemIdentifier string }
	}
	if err == nil {
		if err := json.Unmarshal(result.Payload, &answer); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range answer.BatchItemFailures {
		back = append(back, f.ItemIdentifier)
	}
	for _, c := range h.World.Calls()[before:] {
		if c.Operation == "GetAssociatedPackageGroup" {
			asked = append(asked, c.Account)
			role := map[bool]string{true: "package-origins", false: "read"}[c.Account == home]
			if !strings.HasSuffix(c.Principal, "-"+role) {
				t.Errorf("account %s was asked by %s", c.Account, c.Principal)
			}
		}
	}
	slices.Sort(asked)
	return back, slices.Compact(asked), err
}

func TestABatchIsLookedIntoAccountByAccount(t *testing.T) {
	h := newGuard(t)
	back, asked, err := handle(t, h, batch(t, home, web, data, tools, stranger))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{home, web, data}, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{stranger}, back); diff != "" {
		t.Errorf("back in the queue (-want +got):\n%s", diff)
	}
	var found []string
	for _, detail := range h.Reported("Finding") {
		found = append(found, decode[struct{ Account string }](t, detail).Account)
	}
	slices.Sort(found)
	if diff := cmp.Diff([]string{home, web, data}, found); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}

func TestOnlyWhatCouldNotBeJudgedGoesBack(t *testing.T) {
	h := newGuard(t)
	h.World.Inject(localaws.Fault{Account: web, Operation: "GetAssociatedPackageGroup", Kind: localaws.Fail(403, "AccessDeniedException", "no")})
	back, _, err := handle(t, h, batch(t, home, web, data))
	if diff := cmp.Diff([]string{web}, back); diff != "" || err != nil {
		t.Errorf("error %v, back in the queue (-want +got):\n%s", err, diff)
	}
	// With nothing judged, Lambda counts an error, and takes the whole batch back.
	if _, _, err := handle(t, h, batch(t, web)); err == nil || !strings.Contains(err.Error(), "account "+web) {
		t.Errorf("error %v", err)
	}
}

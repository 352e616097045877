package packagegroup

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/google/go-cmp/cmp"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
)

// The run has to stop while groups are looked at closely, and before one of the
// domains was listed.
func TestARunThatHasToStopSaysWhatItDidNotLookAt(t *testing.T) {
	const dead = 3 * lookers
	var groups []string
	for i := range dead + 1 {
		pattern, parent, mode := fmt.Sprintf("/npm/team-%02d~", i), `, "parent": {"pattern": "/*"}`, `{"mode": "INHERIT", "effectiveMode": "ALLOW"}`
		if i == dead {
			pattern, parent, mode = Root, "", `{"mode": "ALLOW", "effectiveMode": "ALLOW"}`
		}
		var modes []string
		for _, r := range restrictions {
			modes = append(modes, fmt.Sprintf("%q: %s", r, mode))
		}
		groups = append(groups, fmt.Sprintf(`{"arn": "arn:aws:codeartifact:eu-west-1:%s:package-group/corp%s", "pattern": %q, "domainName": "corp", "domainOwner": %q,
			"createdTime": 1600000000%s, "originConfiguration": {"restrictions": {%s}}}`, owner, pattern, pattern, owner, parent, strings.Join(modes, ",")))
	}
	// It has to when the other domain and as many groups as are looked at side by side are asked about. By then
	// the list of the groups was read.
	run, stop := context.WithCancel(t.Context())
	defer stop()
	var unanswered sync.WaitGroup
	unanswered.Add(1 + lookers)
	go func() { unanswered.Wait(); stop() }()
	var mu sync.Mutex
	asked := map[string]bool{}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amzn-Requestid", "1")
		switch {
		case r.URL.Path == "/v1/domains":
			_, _ = fmt.Fprintf(w, `{"domains": [{"name": "corp", "owner": %q}, {"name": "lab", "owner": %q}]}`, owner, owner)
		case r.URL.Path == "/v1/package-groups" && r.URL.Query().Get("domain") == "corp":
			_, _ = fmt.Fprintf(w, `{"packageGroups": [%s]}`, strings.Join(groups, ","))
		default:
			mu.Lock()
			if !asked[r.URL.String()] && len(asked) < 1+lookers {
				asked[r.URL.String()] = true
				unanswered.Done()
			}
			mu.Unlock()
			<-r.Context().Done() // no answer about the tags, or about the other domain
		}
	}))
	defer web.Close()
	environment := map[string]string{
		"ACCOUNT_ID": owner, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_ENDPOINT_URL": web.URL,
	}
	a, err := awsio.FromEnvironment("package-groups", func(name string) string { return environment[name] }, control.Monitor)
	if err != nil {
		t.Fatal(err)
	}
	session, err := a.Session(scope)
	if err != nil {
		t.Fatal(err)
	}
	p := rules
	p.IgnoreLookalikes = true // that the names are much alike keeps none
	o := observer{api: codeartifact.NewFromConfig(session.Reads), scope: scope, clock: session.Clock, policy: p}
	plan := Decide(o.all(run), p, session.Clock.Now())

	want := map[string]string{"domain/lab": "deadline", "package-group/corp/*": "root"}
	for i := range dead {
		want[fmt.Sprintf("package-group/corp/npm/team-%02d~", i)] = "deadline"
	}
	got := map[string]string{}
	for _, f := range plan.Findings {
		got[strings.SplitN(f.Resource, ":", 6)[5]] = f.Code
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if complete(plan) || plan.Actions != nil || plan.Looked != 1 {
		t.Errorf("complete: %t, %d actions, looked at %d", complete(plan), len(plan.Actions), plan.Looked)
	}
}

package undo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"portcullis/internal/endtoend"
	"portcullis/internal/undo"
	"portcullis/shared/control"
	"portcullis/shared/externalconn"
	"portcullis/shared/packagegroup"
	"portcullis/shared/policy"
	"portcullis/shared/report"
)

var at = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

// bus takes every event.
type bus struct{ details []string }

func (b *bus) PutEvents(_ context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	out := &eventbridge.PutEventsOutput{}
	for _, e := range in.Entries {
		if aws.ToString(e.DetailType) == report.OutcomeEvent {
			b.details = append(b.details, *e.Detail)
		}
		out.Entries = append(out.Entries, types.PutEventsResultEntry{EventId: aws.String("x")})
	}
	return out, nil
}

// decided are actions of the controls themselves.
func decided(t *testing.T) []control.Action {
	t.Helper()
	scope := control.Scope{Account: "111122223333", Region: "eu-west-1"}
	name := externalconn.Name{Owner: scope.Account, Domain: "corp", Repo: "web"}
	created := at.Add(-1000 * time.Hour)
	plan := externalconn.Decide(externalconn.Observation{Scope: scope, Connected: []externalconn.Repository{{
		Name: name, ARN: name.ARN(scope.Region), Created: &created, Connections: []string{"public:npmjs"}, Upstreams: []string{},
	}}}, policy.ExternalConnections{}, at)

	arn := "arn:aws:codeartifact:eu-west-1:111122223333:package-group/corp"
	inherit := map[string]packagegroup.Control{}
	for _, kind := range []string{"PUBLISH", "EXTERNAL_UPSTREAM", "INTERNAL_UPSTREAM"} {
		inherit[kind] = packagegroup.Control{Own: packagegroup.Inherit, Effective: packagegroup.Allow}
	}
	tree := packagegroup.Tree{Domain: packagegroup.Domain{Owner: scope.Account, Name: "corp"}, Groups: map[string]packagegroup.Group{
		"/*":        {ARN: arn + "/%2a", Pattern: "/*", Created: created, Controls: inherit},
		"/npm/a/*":  {ARN: arn + "/npm/a/%2a", Pattern: "/npm/a/*", Parent: "/*", Created: created, Controls: inherit, Description: "it's \"$(ours)\""},
		"/npm/b/*":  {ARN: arn + "/npm/b/%2a", Pattern: "/npm/b/*", Parent: "/*", Created: created, Controls: inherit},
		"/pypi/c/*": {ARN: arn + "/pypi/c/%2a", Pattern: "/pypi/c/*", Parent: "/*", Created: created, Controls: inherit},
	}}
	tree.Adopt()
	mark := packagegroup.Mark{Since: at.Add(-400 * time.Hour), Created: created}.String()
	groups := packagegroup.Decide(packagegroup.Observation{Scope: scope, Domains: []packagegroup.Seen{{Tree: tree, Close: map[string]packagegroup.Close{
		"/npm/a/*":  {Tags: map[string]string{packagegroup.MarkTag: mark, "team": "x"}},
		"/npm/b/*":  {Tags: map[string]string{}},
		"/pypi/c/*": {Tags: map[string]string{packagegroup.MarkTag: mark}, Package: "pypi//c"},
	}}}}, policy.PackageGroups{MinAge: time.Hour, Grace: 336 * time.Hour, IgnoreLookalikes: true}, at)
	var operations []string
	for _, a := range append(plan.Actions, groups.Actions...) {
		operations = append(operations, a.Call.Operation)
	}
	slices.Sort(operations)
	if want := []string{"DeletePackageGroup", "DisassociateExternalConnection", "TagResource", "UntagResource"}; !slices.Equal(operations, want) {
		t.Fatalf("the controls plan %q, want %q", operations, want)
	}
	return append(plan.Actions, groups.Actions...)
}

// Whatever a control does is read back from the event and from the log, and its undo
// is taken. The events are those that docs/events.md describes.
func TestWhatTheControlsReportCanBeUndone(t *testing.T) {
	schema := endtoend.Schemas(t)[report.OutcomeEvent]
	for _, a := range decided(t) {
		t.Run(a.Call.Operation, func(t *testing.T) {
			var log bytes.Buffer
			events := &bus{}
			reporter := &report.Reporter{Out: &log, Log: report.NewLogger(&log, "INFO"), API: events, BusName: "b", Run: "r1"}
			run := reporter.Begin(t.Context(), a.Control, "hand", func() time.Time { return at })
			if err := run.Intent(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			intent := log.String()
			run.Outcome(t.Context(), control.Outcome{Action: a, Status: control.Applied, Code: "verified", Detail: "done"})
			if err := run.Send(t.Context()); err != nil || len(events.details) != 1 {
				t.Fatalf("%d events, %v", len(events.details), err)
			}
			detail := events.details[0]
			instance, err := jsonschema.UnmarshalJSON(strings.NewReader(detail))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(instance); err != nil {
				t.Errorf("the event is none of docs/events.md: %v", err)
			}
			line := quoted(t, log.String()[len(intent):])
			for name, text := range map[string]string{
				"detail":     detail,
				"event":      fmt.Sprintf(`{"detail-type":"Action Outcome","source":"portcullis","time":"2026-11-20T09:00:01Z","detail":%s}`, detail),
				"log":        log.String(),
				"intent":     intent,
				"aws logs":   fmt.Sprintf(`{"events":[{"timestamp":1,"ingestionTime":2,"message":"START RequestId: x"},{"timestamp":1,"ingestionTime":2,"message":%s}]}`, line),
				"insights":   fmt.Sprintf(`{"results":[[{"field":"@ptr","value":"x"},{"field":"@message","value":%s}]],"status":"Complete"}`, line),
				"messages":   fmt.Sprintf(`[%s, null, 3]`, line),
				"not lost":   fmt.Sprintf(`{"message":"event not delivered","detailType":"Action Outcome","detail":%s}`, detail),
				"list":       "[" + detail + "]",
				"and others": `{"message":"finding"} {"_aws":{}} {"detail-type":"Finding","source":"portcullis","detail":{}} ` + detail,
			} {
				read, err := undo.Read("file", []byte(text))
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				read = undo.Settle(read)
				if len(read) != 1 {
					t.Errorf("%s: read %d outcomes, want 1", name, len(read))
					continue
				}
				o := read[0]
				want := control.Applied
				if name == "intent" {
					want = undo.Intended
				}
				if done, _ := o.Done(); o.Status != want || o.Resource != a.Resource || !done || o.Run != "r1" {
					t.Errorf("%s: read %+v", name, o)
				}
				r, err := undo.Prepare(o)
				if err != nil {
					t.Errorf("%s: %v", name, err)
				} else if r.Outcome.ID != a.ID {
					t.Errorf("%s: it is for %s, want %s", name, r.Outcome.ID, a.ID)
				}
			}
		})
	}
}

// quoted is a text as JSON.
func quoted(t testing.TB, text string) []byte {
	t.Helper()
	line, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func detail(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The fixtures are whole events, one for each operation of a control.
func TestTheFixturesAreEvents(t *testing.T) {
	schema := endtoend.Schemas(t)[report.OutcomeEvent]
	for _, name := range []string{"connection.json", "group.json", "mark.json", "unmark.json", "proton.json"} {
		instance, err := jsonschema.UnmarshalJSON(strings.NewReader(detail(t, name)))
		if err == nil {
			err = schema.Validate(instance)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		read, err := undo.Read(name, []byte(detail(t, name)))
		if err != nil || len(read) != 1 {
			t.Fatalf("%s: %d outcomes, %v", name, len(read), err)
		}
		if _, err := undo.Prepare(read[0]); (name == "proton.json") != errors.Is(err, undo.ErrNone) || name != "proton.json" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A record that was changed, or that nothing of ours has written, is refused before
// anything is called.
func TestAChangedRecordIsRefused(t *testing.T) {
	for _, row := range []struct{ fixture, old, replaced, why string }{
		{"connection.json", `"AssociateExternalConnection"`, `"DisassociateExternalConnection"`, "which no undo of Portcullis does"},
		{"connection.json", `"AssociateExternalConnection"`, `"TagResource"`, "does not undo"},
		{"connection.json", `"DisassociateExternalConnection"`, `"DeleteRepository"`, "does not undo"},
		{"connection.json", `"service": "codeartifact"`, `"service": "iam"`, `of "iam"`},
		{"connection.json", `"region": "eu-west-1"`, `"region": "us-east-1"`, "its Region or its owner"},
		{"connection.json", `"owner": "111122223333"`, `"owner": "444455556666"`, "its Region or its owner"},
		{"connection.json", `"repository": "web"`, `"repository": "other"`, "something else"},
		{"connection.json", `"domainOwner": "111122223333"`, `"domainOwner": "444455556666"`, "something else"},
		{"connection.json", `"externalConnection": "public:npmjs"`, `"externalConnection": "public:pypi"`, "something else"},
		{"connection.json", `"externalConnections": [`, `"externalConnections": ["public:pypi"], "x": [`, "the state before is of something else"},
		{"connection.json", `"createdTime": "2026`, `"createdTime": "x2026`, "the state before cannot be read"},
		{"connection.json", `web`, `app`, "its id is not that of its resource"},
		{"connection.json", `"control": "external-connections"`, `"control": "package-groups"`, "its id is not that of its resource"},
		{"group.json", `"packageGroup": "/npm/a/*"`, `"packageGroup": "/*"`, "something else"},
		{"group.json", `"key": "team"`, `"key": "portcullis:empty-since"`, "sets the mark"},
		{"group.json", `"description":`, `"upstream":`, "unknown field"},
		{"group.json", "          {\n            \"key\": \"team\"", "          {\n            \"key\": \"squad\"", "another list of tags than the state before"},
		{"group.json", "\"description\": \"it's \\\"$(ours)\\\"\",\n    \"originConfiguration\"", "\"description\": \"theirs\",\n    \"originConfiguration\"", "another description than the state before"},
		{"group.json", "\"input\": {\n        \"description\"", "\"input\": {\n        \"contactInfo\": \"x\", \"description\"", "another contact than the state before"},
		{"group.json", `"mode": "INHERIT"`, `"mode": "BLOCK"`, "another mode than the state before"},
		{"group.json", "    }\n  ],\n  \"version\"", `},{"service":"codeartifact","operation":"UpdatePackageGroupOriginConfiguration","input":{"domain":"corp","domainOwner":"111122223333","packageGroup":"/npm/a/*","restrictions":{"PUBLISH":"ALLOW"}}}],"version"`, "another mode than the state before"},
		{"mark.json", `"portcullis:empty-since"`, `"portcullis:keep"`, "another tag"},
		{"unmark.json", `"portcullis:empty-since"`, `"portcullis:keep"`, "another tag"},
	} {
		text := detail(t, row.fixture)
		changed := strings.ReplaceAll(text, row.old, row.replaced)
		if changed == text {
			t.Errorf("%s has no %s", row.fixture, row.old)
			continue
		}
		read, err := undo.Read("file", []byte(changed))
		if err != nil || len(read) != 1 {
			t.Errorf("%s with %s: %d outcomes, %v", row.fixture, row.replaced, len(read), err)
			continue
		}
		if _, err := undo.Prepare(read[0]); err == nil || !strings.Contains(err.Error(), row.why) {
			t.Errorf("%s with %s: got error %v, want one that says %q", row.fixture, row.replaced, err, row.why)
		}
	}
}

func TestWhatMayHaveBeenDoneCanBeUndone(t *testing.T) {
	for _, row := range []struct {
		status control.Status
		code   string
		done   bool
		sure   bool
	}{
		{control.Applied, "verified", true, true},
		{control.RestoreNeeded, "changed-meanwhile", true, true},
		{undo.Intended, "", true, false},
		{control.Failed, "unverified", true, false},
		{control.Failed, "answer-lost", true, false},
		{control.Failed, "refused", false, true},
		{control.AlreadyDone, "refused", true, false},
		{control.AlreadyDone, "gone", false, true},
		{control.Withheld, "monitor", false, true},
	} {
		done, unsure := undo.Outcome{Status: row.status, Code: row.code}.Done()
		if done != row.done || (unsure == "") != row.sure {
			t.Errorf("%s %s: done %v, unsure %q", row.status, row.code, done, unsure)
		}
	}
}

func TestTheNewestOutcomeOfAResourceIsTaken(t *testing.T) {
	made := func(resource, id string, status control.Status, hour int) undo.Outcome {
		o := undo.Outcome{ID: id, Resource: resource, Status: status, Run: fmt.Sprint("run", hour)}
		if hour > 0 {
			o.At = at.Add(time.Duration(hour) * time.Hour)
		}
		return o
	}
	ids := func(list []undo.Outcome) string {
		var s []string
		for _, o := range list {
			s = append(s, o.ID)
		}
		return strings.Join(s, " ")
	}
	dated := undo.Settle([]undo.Outcome{
		made("r1", "a", control.Applied, 2), made("r1", "b", control.Applied, 5), made("r2", "c", control.Applied, 3), made("r2", "c", control.Applied, 3),
	})
	newest, older := undo.Newest(dated)
	if ids(dated) != "b c a" || ids(newest) != "b c" || ids(older) != "a" {
		t.Errorf("with times: %q, newest %q, others %q", ids(dated), ids(newest), ids(older))
	}
	undated := undo.Settle([]undo.Outcome{made("r1", "a", control.Applied, 9), made("r1", "b", control.Applied, 0)})
	if ids(undated) != "b a" {
		t.Errorf("without times, the last in the files is the newest; got %q", ids(undated))
	}
	if left := undo.Settle([]undo.Outcome{made("r1", "a", undo.Intended, 1), made("r1", "a", control.Withheld, 1), made("r1", "b", undo.Intended, 2)}); ids(left) != "b a" || left[1].Status != control.Withheld {
		t.Errorf("an intent whose outcome is known is none any more; got %q", ids(left))
	}
}

// A record may be wrapped in the pages of an answer. One that is wrapped more deeply
// than anybody would is not passed over in silence.
func TestNoRecordIsPassedOver(t *testing.T) {
	text := detail(t, "connection.json")
	insights := fmt.Sprintf(`{"results":[[{"field":"@message","value":%s}]],"status":"Complete"}`, quoted(t, text))
	for depth, want := range map[int]string{0: "", 1: "", 2: "", 12: "", 13: "wrapped more than 16 times", 40: "wrapped more than 16 times"} {
		wrapped := strings.Repeat("[", depth) + insights + strings.Repeat("]", depth)
		read, err := undo.Read("file", []byte(text+"\n"+wrapped))
		switch {
		case want == "" && (err != nil || len(read) != 2):
			t.Errorf("wrapped %d times: %d outcomes, %v; want 2", depth, len(read), err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("wrapped %d times: got error %v, want one that says %q", depth, err, want)
		}
	}
}

// FuzzReadOutcomes holds that nothing which is read can call anything but what an
// undo calls, on anything but the resource that its outcome names.
func FuzzReadOutcomes(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*.json")
	if err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds (%v)", err)
	}
	for _, seed := range seeds {
		data, err := os.ReadFile(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
		line := quoted(f, string(data))
		f.Add(fmt.Appendf(nil, `{"events":[{"message":%s,"eventId":"1"}]}`, line))
		f.Add(fmt.Appendf(nil, `{"message":"outcome","run":"r","timestamp":"2026-11-20T09:00:00Z","outcome":%s}`, data))
		f.Add(fmt.Appendf(nil, `{"message":"intent","action":%s}`, data))
	}
	for _, s := range []string{``, `[]`, `[[[[[[[]]]]]]]`, `"{"`, `{"events":[{"message":3}]}`, `{"call":1,"undo":2}`, `{"results":"x"}`, "\x00", `{"detail-type":["x"]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		read, err := undo.Read("file", data)
		if (err == nil) != (len(read) > 0) {
			t.Fatalf("%d outcomes and error %v", len(read), err)
		}
		newest, others := undo.Newest(undo.Settle(read))
		if len(newest)+len(others) > len(read) {
			t.Fatalf("%d outcomes became %d", len(read), len(newest)+len(others))
		}
		for _, o := range newest {
			r, err := undo.Prepare(o, others...)
			if err != nil {
				continue
			}
			for _, c := range r.Calls() {
				input, err := json.Marshal(c.Input)
				if err != nil {
					t.Fatal(err)
				}
				var to struct {
					Domain, DomainOwner, Repository, PackageGroup, ResourceArn string
				}
				if err := json.Unmarshal(input, &to); err != nil {
					t.Fatal(err)
				}
				same := to.ResourceArn == o.Resource
				if name, err := externalconn.ParseARN(o.Resource); err == nil {
					same = name == externalconn.Name{Owner: to.DomainOwner, Domain: to.Domain, Repo: to.Repository}
				} else if d, pattern, err := packagegroup.ParseARN(o.Resource); err == nil && to.ResourceArn == "" {
					same = d == packagegroup.Domain{Owner: to.DomainOwner, Name: to.Domain} && pattern == to.PackageGroup
				}
				if !same || c.Service != "codeartifact" {
					t.Fatalf("%s %s is not about %s", c.Operation, input, o.Resource)
				}
			}
		}
	})
}

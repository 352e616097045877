package trigger_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/trigger"
)

const connectionID = "a1b2c3d4-5678-90ab-cdef-111122223333"

// changed and created are what the samples of a status change and of a creation
// mean.
func changed() trigger.Trigger {
	return trigger.Trigger{Cause: trigger.Event, ID: "6a7e8feb-b491-4cf7-a9f1-bf3703467718", Account: "222222222222", Region: "us-east-1", Connection: connectionID}
}

func created() trigger.Trigger {
	return trigger.Trigger{Cause: trigger.Event, ID: "d1e2f3a4-b5c6-4d7e-8f90-a1b2c3d4e5f6", Account: "222222222222", Region: "us-east-1", Connection: connectionID}
}

const (
	statusChange = "environment-account-connection-status-change.json"
	creation     = "create-environment-account-connection.json"

	// what the tests edit in the samples
	status       = `"status": "PENDING"`
	changedID    = `"id": "` + connectionID + `"`
	eventName    = `"eventName": "CreateEnvironmentAccountConnection"`
	answer       = `"responseElements": {`
	asked        = `"requestParameters": {`
	protonRegion = `"region": "us-east-1"`
)

// proton edits a sample of Proton's events. The text must be there, so that no edit
// is empty.
func proton(t *testing.T, sample string, edits ...edit) []byte {
	t.Helper()
	text := string(samples(t)[sample])
	for _, e := range edits {
		if !strings.Contains(text, e.old) {
			t.Fatalf("%s has no %s", sample, e.old)
		}
		text = strings.Replace(text, e.old, e.new, 1)
	}
	return []byte(text)
}

// called makes another call of the sample of a creation: one that names a
// connection, and whose answer is not there.
func called(name string) []edit {
	return []edit{{eventName, `"eventName": "` + name + `"`}, {asked, asked + `"id": "` + connectionID + `",`}, {answer, `"responseElements": null, "x": {`}}
}

func TestParseConnectionChangeUnderstands(t *testing.T) {
	for _, test := range []struct {
		name, sample string
		edits        []edit
		change       func(*trigger.Trigger) // from what the sample means
	}{
		{"a request", statusChange, nil, nil},
		{"an acceptance", statusChange, []edit{{status, `"status": "CONNECTED", "previousStatus": "PENDING"`}}, nil},
		{"an empty status before", statusChange, []edit{{status, status + `, "previousStatus": ""`}}, nil},
		{"a status before that is null", statusChange, []edit{{status, status + `, "previousStatus": null`}}, nil},
		{"a status that it does not know", statusChange, []edit{{status, `"status": "SUSPENDED"`}}, nil},
		{"no status", statusChange, []edit{{status, `"x": 0`}}, nil},
		{"no resources", statusChange, []edit{{`"resources"`, `"x"`}}, nil},
		{"a creation", creation, nil, nil},
		{"an update", creation, called("UpdateEnvironmentAccountConnection"), nil},
		{"an acceptance that CloudTrail tells of", creation, called("AcceptEnvironmentAccountConnection"), nil},
		{"a record that the other account has as well", creation, []edit{{`"eventVersion"`, `"sharedEventID": "s-1", "eventVersion"`}}, func(t *trigger.Trigger) { t.ID = "s-1" }},
		{"a caller", creation, []edit{{`"type": "AssumedRole",`, `"type": "AssumedRole", "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::222222222222:role/dev"}},`}},
			func(t *trigger.Trigger) { t.Caller = "arn:aws:iam::222222222222:role/dev" }},
		{"an id that was asked for and another in the answer, and takes the first", creation,
			[]edit{{asked, asked + `"id": "00000000-5678-90ab-cdef-111122223333",`}}, func(t *trigger.Trigger) { t.Connection = "00000000-5678-90ab-cdef-111122223333" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := created()
			if test.sample == statusChange {
				want = changed()
			}
			if test.change != nil {
				test.change(&want)
			}
			got, err := trigger.ParseConnectionChange(proton(t, test.sample, test.edits...))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("trigger (-want +got):\n%s", diff)
			}
		})
	}
}

// What this program does itself must not wake it.
func TestParseConnectionChangeIgnores(t *testing.T) {
	for _, test := range []struct {
		name, sample string
		edits        []edit
		why          string
	}{
		{"a rejection", statusChange, []edit{{status, `"status": "REJECTED"`}}, "the connection is REJECTED"},
		{"a deletion", statusChange, []edit{{status, `"status": "DELETED"`}}, "the connection is DELETED"},
		{"a rejection of what is no id", statusChange, []edit{{status, `"status": "REJECTED"`}, {changedID, `"id": "*"`}}, "the connection is REJECTED"},
		{"the call that rejects", creation, called("RejectEnvironmentAccountConnection"), `this control does not look at "RejectEnvironmentAccountConnection" of "proton.amazonaws.com"`},
		{"the call that deletes", creation, called("DeleteEnvironmentAccountConnection"), `this control does not look at "DeleteEnvironmentAccountConnection" of "proton.amazonaws.com"`},
		{"a call that failed", creation, []edit{{eventName, eventName + `, "errorCode": "AccessDeniedException"`}}, `the call failed: "AccessDeniedException"`},
		{"a call of another service", creation, []edit{{"proton.amazonaws.com", "codeartifact.amazonaws.com"}}, `this control does not look at "CreateEnvironmentAccountConnection" of "codeartifact.amazonaws.com"`},
		{"a name that only begins alike", creation, []edit{{eventName, `"eventName": "CreateEnvironmentAccountConnections"`}}, `this control does not look at "CreateEnvironmentAccountConnections" of "proton.amazonaws.com"`},
		{"another event of Proton", statusChange, []edit{{"Environment Account Connection", "Environment"}}, `this control does not look at "AWS Proton Environment Status Change" from "aws.proton"`},
		{"the event as another source tells it", statusChange, []edit{{`"aws.proton"`, `"com.example"`}}, `this control does not look at "AWS Proton Environment Account Connection Status Change" from "com.example"`},
		{"a replay", statusChange, []edit{{`"version": "0"`, `"replay-name": "r"`}}, "it is replayed from an archive"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := trigger.ParseConnectionChange(proton(t, test.sample, test.edits...))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(ignored(got.ID, test.why), got); diff != "" {
				t.Errorf("trigger (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseConnectionChangeRefuses(t *testing.T) {
	id := func(json string) []edit { return []edit{{changedID, `"id": ` + json}} }
	for _, test := range []struct {
		name, sample string
		edits        []edit
	}{
		{"a change without detail", statusChange, []edit{{detail, `"x": {`}}},
		{"a change with a detail of null", statusChange, []edit{{detail, `"detail": null, "x": {`}}},
		{"a status of another type", statusChange, []edit{{status, `"status": ["PENDING"]`}}},
		{"a change without an id", statusChange, []edit{{changedID, `"x": 0`}}},
		{"an id of another type", statusChange, id("7")},
		{"an empty id", statusChange, id(`""`)},
		{"an id in capitals", statusChange, id(`"` + strings.ToUpper(connectionID) + `"`)},
		{"an ARN for an id", statusChange, id(`"arn:aws:proton:us-east-1:222222222222:environment-account-connection/` + connectionID + `"`)},
		{"an id with a line after it", statusChange, id(`"` + connectionID + `\n"`)},
		{"an id with a command after it", statusChange, id(`"` + connectionID + `; id"`)},
		{"an id that climbs", statusChange, id(`"../` + connectionID + `"`)},
		{"an id that is too long", statusChange, id(`"` + strings.Repeat(connectionID, 30_000) + `"`)},
		{"a change from no account", statusChange, []edit{{`"account": "222222222222"`, `"account": ""`}}},
		{"a change from no Region", statusChange, []edit{{protonRegion, `"region": "us-east-1/.."`}}},
		{"a creation that does not say what it created", creation, []edit{{answer, `"responseElements": null, "x": {`}}},
		{"a creation whose answer is of another type", creation, []edit{{answer, `"responseElements": "omitted", "x": {`}}},
		{"a creation whose answer has an id of another type", creation, []edit{{changedID, `"id": 7`}}},
		{"a creation whose answer is about nothing", creation, []edit{{`"environmentAccountConnection": {`, `"environmentAccountConnection": null, "x": {`}}},
		{"an update of nothing", creation, append(called("UpdateEnvironmentAccountConnection"), edit{changedID, `"x": 0`})},
		{"an acceptance of what is no id", creation, append(called("AcceptEnvironmentAccountConnection"), edit{changedID, `"id": {"a": 1}`})},
		{"from one Region about another", creation, []edit{{`"awsRegion": "us-east-1"`, `"awsRegion": "eu-west-1"`}}},
		{"a record without eventName", creation, []edit{{`"eventName"`, `"x"`}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := trigger.ParseConnectionChange(proton(t, test.sample, test.edits...))
			if !errors.Is(err, trigger.ErrUnreadable) {
				t.Fatalf("error %v, want one that is ErrUnreadable", err)
			}
			if len(err.Error()) > 1000 {
				t.Errorf("the error tells %d bytes of what others wrote", len(err.Error()))
			}
			if !cmp.Equal(got, trigger.Trigger{}) {
				t.Errorf("beside the error: %+v", got)
			}
		})
	}
}

func TestParseConnectionChangeReadsSweepsAsParseDoes(t *testing.T) {
	for name, payload := range samples(t) {
		if name == statusChange || name == creation || strings.HasPrefix(name, "associate-") {
			continue
		}
		want, err := trigger.Parse(payload)
		if err != nil {
			t.Fatal(err)
		}
		got, err := trigger.ParseConnectionChange(payload)
		if err != nil || got.Cause != want.Cause || got.ID != want.ID || got.Connection != "" {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, want)
		}
	}
}

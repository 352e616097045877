package trigger_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/trigger"
)

// change is what the sample of a deleted package group means.
func change() trigger.Trigger {
	return trigger.Trigger{
		Cause: trigger.Event, ID: "c4b2d0e3-8b65-4b66-8a2c-1a7f3e9d5b22", Account: "111122223333", Region: "eu-west-1",
		Caller: "arn:aws:iam::111122223333:role/developer", Domain: trigger.Domain{Owner: "111122223333", Name: "corp"},
	}
}

func TestParseGroupChangesReadsTheSample(t *testing.T) {
	update := change()
	update.ID, update.Domain.Name = "d5c3e1f4-9c76-4c77-9b3d-2b8a4f0e6c33", "lab" // in the published spelling, without domainOwner
	want := []trigger.Message{
		{ID: "059f36b4-87a3-44ab-83d2-661975830a7d", Trigger: change()},
		{ID: "2e1424d4-f796-459a-8184-9c92662be6da", Trigger: update},
	}
	why, messages, err := trigger.ParseGroupChanges(samples(t)["group-changes-from-a-queue.json"])
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(trigger.Trigger{Cause: trigger.Event}, why); diff != "" {
		t.Errorf("trigger (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, messages); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

// batch makes a batch of messages, whose ids are their places.
func batch(t testing.TB, bodies ...string) []byte {
	t.Helper()
	type record map[string]string
	records := []record{}
	for i, body := range bodies {
		records = append(records, record{"messageId": string(rune('a' + i)), "eventSource": "aws:sqs", "body": body})
	}
	payload, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

func TestParseGroupChangesKnowsTheCalls(t *testing.T) {
	sample := string(samples(t)["delete-package-group.json"])
	for _, call := range []string{"CreatePackageGroup", "DeletePackageGroup", "UpdatePackageGroup", "UpdatePackageGroupOriginConfiguration"} {
		_, messages, err := trigger.ParseGroupChanges(batch(t, strings.Replace(sample, "DeletePackageGroup", call, 1)))
		if err != nil || len(messages) != 1 {
			t.Fatalf("%s: %+v, %v", call, messages, err)
		}
		if diff := cmp.Diff(trigger.Message{ID: "a", Trigger: change()}, messages[0]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", call, diff)
		}
	}
}

func TestOneMessageSaysNothingAboutTheOthers(t *testing.T) {
	sample := string(samples(t)["delete-package-group.json"])
	for name, body := range map[string]string{
		"that is empty":                "",
		"that is null":                 "null",
		"that is not JSON":             "no",
		"that is half an event":        sample[:len(sample)/2],
		"whose detail is text":         `{"source":"aws.codeartifact","detail-type":"AWS API Call via CloudTrail","detail":"x"}`,
		"that names no domain":         strings.Replace(sample, `"domain": "corp"`, `"x": 0`, 1),
		"that names what is no domain": strings.Replace(sample, `"domain": "corp"`, `"domain": "corp/../x"`, 1),
		"that names no owner":          strings.Replace(strings.Replace(sample, `"domainOwner": "111122223333",`, "", 1), `"accountId": "111122223333"`, `"x": 0`, 1),
		"that asks for a sweep":        string(samples(t)["sweep-by-schedule.json"]),
		"that says nothing":            "{}",
	} {
		t.Run(name, func(t *testing.T) {
			_, messages, err := trigger.ParseGroupChanges(batch(t, body, sample))
			if err != nil || len(messages) != 2 {
				t.Fatalf("%+v, %v", messages, err)
			}
			if m := messages[0]; !errors.Is(m.Err, trigger.ErrUnreadable) || m.ID != "a" {
				t.Errorf("message %q has error %v, want one that is ErrUnreadable", m.ID, m.Err)
			}
			if diff := cmp.Diff(trigger.Trigger{}, messages[0].Trigger); diff != "" {
				t.Errorf("trigger beside the error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(trigger.Message{ID: "b", Trigger: change()}, messages[1]); diff != "" {
				t.Errorf("the other one (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAMessageIsIgnoredThatIs(t *testing.T) {
	sample := string(samples(t)["delete-package-group.json"])
	for name, body := range map[string]string{
		"a call of the other control":  string(samples(t)["associate-external-connection.json"]),
		"a call that failed":           strings.Replace(sample, `"detail": {`, `"detail": {"errorCode": "AccessDenied",`, 1),
		"replayed from an archive":     strings.Replace(sample, `"version": "0",`, `"replay-name": "r",`, 1),
		"a call that reads":            strings.Replace(sample, "DeletePackageGroup", "DescribePackageGroup", 1),
		"a call of another service":    strings.Replace(sample, "codeartifact.amazonaws.com", "proton.amazonaws.com", 1),
		"an event of another service":  string(samples(t)["create-environment-account-connection.json"]),
		"a batch in a batch":           string(samples(t)["group-changes-from-a-queue.json"]),
		"a change of a package itself": string(samples(t)["package-version-state-change.json"]),
	} {
		t.Run(name, func(t *testing.T) {
			_, messages, err := trigger.ParseGroupChanges(batch(t, body))
			if err != nil || len(messages) != 1 {
				t.Fatalf("%+v, %v", messages, err)
			}
			if m := messages[0]; m.Err != nil || m.Trigger.Cause != trigger.None || m.Trigger.Ignored == "" || m.Trigger.Domain != (trigger.Domain{}) {
				t.Errorf("got %+v, want one that is ignored, with a reason", m)
			}
		})
	}
}

func TestParseGroupChangesReadsSweepsAsParseDoes(t *testing.T) {
	for name, payload := range samples(t) {
		if name == "group-changes-from-a-queue.json" || strings.HasPrefix(name, "associate-") {
			continue
		}
		want, err := trigger.Parse(payload)
		if err != nil {
			t.Fatal(err)
		}
		got, messages, err := trigger.ParseGroupChanges(payload)
		if err != nil || messages != nil {
			t.Errorf("%s: messages %v, error %v", name, messages, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-parse +this):\n%s", name, diff)
		}
	}
}

func TestParseGroupChangesIgnoresTheOtherControlsEvent(t *testing.T) {
	got, messages, err := trigger.ParseGroupChanges(samples(t)["associate-external-connection.json"])
	if err != nil || messages != nil || got.Cause != trigger.None || got.Ignored == "" {
		t.Errorf("got %+v, %v, %v", got, messages, err)
	}
}

func TestParseGroupChangesRefuses(t *testing.T) {
	for name, payload := range map[string]string{
		"nothing":                   "",
		"null":                      "null",
		"a list":                    "[]",
		"records that are no list":  `{"Records": {}}`,
		"a record that is none":     `{"Records": [7]}`,
		"records of a stream":       `{"Records": [{"eventID": "1", "eventSource": "aws:kinesis", "messageId": "a", "body": ""}]}`,
		"a message without an id":   `{"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}`,
		"a body of another type":    `{"Records": [{"messageId": "a", "eventSource": "aws:sqs", "body": {}}]}`,
		"a sweep asked for by none": `{"source":"portcullis","detail-type":"Sweep Requested","detail":{}}`,
	} {
		t.Run(name, func(t *testing.T) {
			got, messages, err := trigger.ParseGroupChanges([]byte(payload))
			if !errors.Is(err, trigger.ErrUnreadable) || messages != nil || !cmp.Equal(got, trigger.Trigger{}) {
				t.Errorf("got %+v, %v, error %v, want one that is ErrUnreadable", got, messages, err)
			}
		})
	}
}

func TestABatchWithoutMessagesIsStillABatch(t *testing.T) {
	why, messages, err := trigger.ParseGroupChanges([]byte(`{"Records": []}`))
	if err != nil || why.Cause != trigger.Event || messages == nil || len(messages) > 0 {
		t.Errorf("got %+v, %#v, %v", why, messages, err)
	}
}

// FuzzParseGroupChanges holds what the handler relies on, whatever arrives.
func FuzzParseGroupChanges(f *testing.F) {
	for _, payload := range samples(f) {
		f.Add(payload)
		f.Add(batch(f, string(payload)))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		// As the body of a message it is one message, whatever it is, and asks for no
		// sweep; and it says the same with other messages beside it.
		body := strings.ToValidUTF8(string(payload), "?")
		_, alone, err := trigger.ParseGroupChanges(batch(t, body))
		_, among, errAmong := trigger.ParseGroupChanges(batch(t, body, "{", body))
		if err != nil || errAmong != nil || len(alone) != 1 || len(among) != 3 {
			t.Fatalf("%+v, %v, and among others %+v, %v", alone, err, among, errAmong)
		}
		if cause := alone[0].Trigger.Cause; cause == trigger.Sweep || cause == trigger.Hand {
			t.Errorf("a message asks for a sweep: %+v", alone[0])
		}
		if !cmp.Equal(alone[0].Trigger, among[2].Trigger) || (alone[0].Err == nil) != (among[2].Err == nil) || among[1].Err == nil {
			t.Errorf("alone it is %+v, and among others %+v", alone[0], among)
		}

		why, messages, err := trigger.ParseGroupChanges(payload)
		if err != nil && (messages != nil || !cmp.Equal(why, trigger.Trigger{}) || !errors.Is(err, trigger.ErrUnreadable)) {
			t.Errorf("beside error %v there are %+v, %+v", err, why, messages)
		}
		if err == nil && (why.Cause == trigger.Event) != (messages != nil) {
			t.Errorf("cause %q with messages %+v", why.Cause, messages)
		}
		for _, m := range messages {
			named := m.Trigger.Cause == trigger.Event && digits(m.Trigger.Domain.Owner) && name(m.Trigger.Domain.Name, 50, "-")
			ignored := m.Trigger.Cause == trigger.None && m.Trigger.Ignored != ""
			if m.ID == "" || named == ignored && m.Err == nil || m.Err != nil && !cmp.Equal(m.Trigger, trigger.Trigger{}) {
				t.Errorf("message %+v", m)
			}
		}
	})
}

package report_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"portcullis/shared/control"
	"portcullis/shared/report"
)

// A bus takes events, except those that refuse names.
type bus struct {
	calls  [][]types.PutEventsRequestEntry
	taken  []types.PutEventsRequestEntry
	delay  time.Duration // before every answer
	refuse func(call int, entry types.PutEventsRequestEntry) bool
	answer func(call int, entries int) (*eventbridge.PutEventsOutput, error) // in place of the bus's own; nil leaves it
}

func (b *bus) PutEvents(ctx context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	call := len(b.calls)
	b.calls = append(b.calls, slices.Clone(in.Entries))
	select {
	case <-time.After(b.delay):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if b.answer != nil {
		if out, err := b.answer(call, len(in.Entries)); out != nil || err != nil {
			return out, err
		}
	}
	out := &eventbridge.PutEventsOutput{}
	for _, entry := range in.Entries {
		result := types.PutEventsResultEntry{EventId: aws.String("id")}
		if b.refuse != nil && b.refuse(call, entry) {
			result = types.PutEventsResultEntry{ErrorCode: aws.String("ThrottlingException"), ErrorMessage: aws.String("slow down")}
			out.FailedEntryCount++
		} else {
			b.taken = append(b.taken, entry)
		}
		out.Entries = append(out.Entries, result)
	}
	return out, nil
}

// A run is a report together with everything that came out of it.
type run struct {
	*report.Run
	bus *bus
	out bytes.Buffer
}

func noon() time.Time { return time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC) }

func begin(ctx context.Context, level string, b *bus) *run {
	r := &run{bus: b}
	reporter := &report.Reporter{Out: &r.out, Log: report.NewLogger(&r.out, level), API: b, BusName: "portcullis"}
	r.Run = reporter.Begin(ctx, "external-connections", "event", noon)
	return r
}

type object = map[string]any

// failer is what a test and a property have in common.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// lines returns what was written, one object for each line, and fails where a
// line is not one.
func (r *run) lines(t failer) []object {
	t.Helper()
	var list []object
	for line := range strings.Lines(r.out.String()) {
		var o object
		if err := json.Unmarshal([]byte(line), &o); err != nil || o == nil || !strings.HasSuffix(line, "\n") {
			t.Fatalf("a line that is not one JSON object: %q (%v)", line, err)
		}
		list = append(list, o)
	}
	return list
}

// logged returns the log's records of a kind.
func (r *run) logged(t failer, message string) []object {
	t.Helper()
	var list []object
	for _, o := range r.lines(t) {
		if o["message"] == message {
			list = append(list, o)
		}
	}
	return list
}

func details(t failer, entries []types.PutEventsRequestEntry) []object {
	t.Helper()
	var list []object
	for _, entry := range entries {
		list = append(list, parse(t, aws.ToString(entry.Detail)))
	}
	return list
}

func parse(t failer, text string) object {
	t.Helper()
	var o object
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return o
}

func finding(v control.Verdict) control.Finding {
	return control.Finding{
		ID: "0123456789abcdef", Control: "external-connections", Account: "111122223333", Region: "eu-west-1",
		Resource: "arn:aws:codeartifact:eu-west-1:111122223333:repository/corp/npm-store", Subject: "public:npmjs",
		Verdict: v, Code: "not-allowed", Reason: "no rule allows it", Effect: "nothing", Waiver: "w", Notes: []string{"n"},
		Details: object{"upstreams": []string{"npm"}},
	}
}

const findingJSON = `{"id":"0123456789abcdef","control":"external-connections","account":"111122223333","region":"eu-west-1",
	"resource":"arn:aws:codeartifact:eu-west-1:111122223333:repository/corp/npm-store","subject":"public:npmjs",
	"verdict":"violation","code":"not-allowed","reason":"no rule allows it","effect":"nothing","waiver":"w","notes":["n"],
	"details":{"upstreams":["npm"]}}`

func action() control.Action {
	call := func(operation string) control.Call {
		return control.Call{Service: "codeartifact", Operation: operation, Input: object{"domain": "corp"}}
	}
	return control.Action{
		ID: "0123456789abcdef", Control: "external-connections", Account: "111122223333", Region: "eu-west-1",
		Resource: "arn:aws:codeartifact:eu-west-1:111122223333:repository/corp/npm-store", Subject: "public:npmjs",
		Owner: "111122223333", Domain: "corp", Reason: "no rule allows it",
		Call: call("DisassociateExternalConnection"), Before: object{"name": "npm-store"}, Undo: []control.Call{call("AssociateExternalConnection")},
	}
}

const actionJSON = `{"id":"0123456789abcdef","control":"external-connections","account":"111122223333","region":"eu-west-1",
	"resource":"arn:aws:codeartifact:eu-west-1:111122223333:repository/corp/npm-store","subject":"public:npmjs",
	"owner":"111122223333","domain":"corp","reason":"no rule allows it",
	"call":{"service":"codeartifact","operation":"DisassociateExternalConnection","input":{"domain":"corp"}},
	"before":{"name":"npm-store"},
	"undo":[{"service":"codeartifact","operation":"AssociateExternalConnection","input":{"domain":"corp"}}]}`

func outcome(s control.Status) control.Outcome {
	return control.Outcome{Action: action(), Status: s, Code: "verified", Detail: "seen"}
}

func summary() control.Summary {
	s := control.NewSummary("external-connections", control.Scope{Account: "111122223333", Region: "eu-west-1"}, control.Enforce, "hash")
	s.Cause, s.Complete, s.Looked, s.Wanted, s.Allowed = "sweep", true, 9, 7, 10
	s.Verdicts = map[control.Verdict]int{control.Compliant: 1, control.Violation: 2, control.Waived: 3, control.Undetermined: 4}
	s.Outcomes = map[control.Status]int{control.Applied: 5, control.Withheld: 6, control.AlreadyDone: 7, control.Failed: 8, control.RestoreNeeded: 9}
	s.Changes = 15 // one of those that failed may have been done
	return s
}

const summaryJSON = `{"run":"by-hand","control":"external-connections","account":"111122223333","region":"eu-west-1","cause":"sweep",
	"mode":"enforce","policy":"hash","complete":true,"looked":9,
	"verdicts":{"compliant":1,"violation":2,"waived":3,"undetermined":4},
	"outcomes":{"applied":5,"withheld":6,"already-done":7,"failed":8,"restore-needed":9},
	"wanted":7,"allowed":10,"limitExceeded":false,"undelivered":0,"at":"2026-09-01T12:00:00Z"}`

// with returns an object with the fields of another.
func with(o object, fields object) object {
	for k, v := range fields {
		o[k] = v
	}
	return o
}

func TestEveryLineIsOneObjectWithTheKeysThatLambdaExpects(t *testing.T) {
	r := begin(t.Context(), "DEBUG", &bus{})
	hostile := finding(control.Violation)
	hostile.Subject = "a\nb\r\x1b[2J\x00\u2028\"}{\xff"
	hostile.Reason = strings.Repeat("x", 1<<16)
	r.Finding(t.Context(), hostile)
	r.Finding(t.Context(), finding(control.Compliant))
	r.Remark(t.Context(), "waiver", "it is over")
	if err := r.Intent(t.Context(), action()); err != nil {
		t.Error(err)
	}
	r.Outcome(t.Context(), outcome(control.Applied))
	if _, err := r.Finish(t.Context(), summary(), true); err != nil {
		t.Error(err)
	}

	var messages []string
	for _, line := range r.lines(t) {
		if _, metrics := line["_aws"]; metrics {
			messages = append(messages, "metrics")
			continue
		}
		messages = append(messages, fmt.Sprint(line["level"], " ", line["message"]))
		if _, err := time.Parse(time.RFC3339Nano, fmt.Sprint(line["timestamp"])); err != nil {
			t.Errorf("timestamp: %v", err)
		}
		if line["control"] != "external-connections" || line["run"] != "by-hand" {
			t.Errorf("control %v, run %v", line["control"], line["run"])
		}
	}
	want := []string{"WARN finding", "DEBUG finding", "WARN waiver", "INFO intent", "INFO outcome", "INFO summary", "metrics"}
	if diff := cmp.Diff(want, messages); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestAFindingThatWantsToBeSeenIsAWarning(t *testing.T) {
	for _, test := range []struct {
		verdict control.Verdict
		notes   []string
		want    string
	}{
		{control.Compliant, nil, "DEBUG"},
		{control.Compliant, []string{"n"}, "DEBUG"},
		{control.Violation, nil, "WARN"},
		{control.Undetermined, nil, "WARN"},
		{control.Waived, nil, "INFO"},
		{control.Waived, []string{"the waiver ends soon"}, "WARN"},
	} {
		r := begin(t.Context(), "DEBUG", &bus{})
		f := finding(test.verdict)
		f.Notes = test.notes
		r.Finding(t.Context(), f)
		if got := r.logged(t, "finding")[0]["level"]; got != test.want {
			t.Errorf("%s with notes %q: level %v, want %s", test.verdict, test.notes, got, test.want)
		}
	}
}

// What others wrote may be of any length, and CloudWatch cuts a line that is too
// long, which then is no JSON any more.
func TestNoLineAndNoEventIsLongWhateverOthersWrote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 64 << 10
		for _, long := range []string{strings.Repeat("x", 2<<20), strings.Repeat("\x00", 2<<20), strings.Repeat("\xff", 2<<20), strings.Repeat("€", 1<<20)} {
			r := begin(t.Context(), "DEBUG", &bus{answer: func(int, int) (*eventbridge.PutEventsOutput, error) {
				return nil, &smithy.GenericAPIError{Code: "ValidationException", Message: long}
			}})
			f, o := finding(control.Undetermined), outcome(control.Failed)
			f.Reason, f.Effect = long, long
			o.Reason, o.Detail = long, long
			r.Finding(t.Context(), f)
			r.Outcome(t.Context(), o)
			r.Remark(t.Context(), "waiver", long)
			if _, err := r.Finish(t.Context(), summary(), true); err == nil || len(err.Error()) > most {
				t.Errorf("there is no error, or a long one")
			}
			if n := len(r.lines(t)); n != 8 {
				t.Errorf("%d lines, want 8", n)
			}
			for line := range strings.Lines(r.out.String()) {
				if len(line) > most {
					t.Errorf("a line of %d bytes: %s ...", len(line), line[:200])
				}
			}
			for _, entry := range slices.Concat(r.bus.calls...) {
				if n := size(entry); n > most {
					t.Errorf("a %s event of %d bytes", aws.ToString(entry.DetailType), n)
				}
			}
		}
	})
}

func TestClip(t *testing.T) {
	x := strings.Repeat("x", 1999)
	for name, test := range map[string]struct{ text, want string }{
		"leaves a short text":                   {"short", "short"},
		"leaves a text that just fits":          {x + "y", x + "y"},
		"cuts a text that is a byte too long":   {x + "yz", x + "y ..."},
		"does not cut a character in two":       {x + "€", x + " ..."},
		"says so where nothing can be told":     {strings.Repeat("\xff", 3000), " ..."},
		"keeps the beginning of a text in full": {strings.Repeat("€", 3000), strings.Repeat("€", 666) + " ..."},
	} {
		if got := report.Clip(test.text); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestAFindingIsLoggedAndSentWhole(t *testing.T) {
	r := begin(t.Context(), "INFO", &bus{})
	r.Finding(t.Context(), finding(control.Violation))
	finish(t, r)

	if diff := cmp.Diff(parse(t, findingJSON), r.logged(t, "finding")[0]["finding"]); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	entry := r.bus.taken[0]
	envelope := types.PutEventsRequestEntry{
		EventBusName: aws.String("portcullis"), Source: aws.String("portcullis"), DetailType: aws.String("Finding"),
		Detail: entry.Detail, Resources: []string{finding(control.Violation).Resource},
	}
	if diff := cmp.Diff(fields(envelope), fields(entry)); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	want := with(parse(t, findingJSON), object{"version": 1.0, "run": "by-hand", "at": "2026-09-01T12:00:00Z", "cause": "event"})
	if diff := cmp.Diff(want, parse(t, *entry.Detail)); diff != "" {
		t.Errorf("detail (-want +got):\n%s", diff)
	}
}

// fields is what an entry says, without the SDK's unexported parts.
func fields(e types.PutEventsRequestEntry) object {
	return object{"bus": aws.ToString(e.EventBusName), "source": aws.ToString(e.Source), "type": aws.ToString(e.DetailType),
		"detail": aws.ToString(e.Detail), "resources": e.Resources, "time": e.Time, "trace": e.TraceHeader}
}

func finish(t *testing.T, r *run) {
	t.Helper()
	if _, err := r.Finish(t.Context(), summary(), true); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsCompliantMakesNoEventAndNoLine(t *testing.T) {
	r := begin(t.Context(), "INFO", &bus{})
	r.Finding(t.Context(), finding(control.Compliant))
	finish(t, r)
	if got := r.logged(t, "finding"); got != nil {
		t.Errorf("log %v", got)
	}
	if got := len(r.bus.taken); got != 1 {
		t.Errorf("%d events, want the summary alone", got)
	}
}

func TestAnOutcomeIsLoggedAndSentWhole(t *testing.T) {
	for status, level := range map[control.Status]string{
		control.Applied: "INFO", control.Withheld: "INFO", control.AlreadyDone: "INFO", control.Failed: "ERROR", control.RestoreNeeded: "ERROR",
	} {
		t.Run(string(status), func(t *testing.T) {
			r := begin(t.Context(), "INFO", &bus{})
			r.Outcome(t.Context(), outcome(status))
			finish(t, r)
			want := with(parse(t, actionJSON), object{"status": string(status), "code": "verified", "detail": "seen"})
			line := r.logged(t, "outcome")[0]
			if diff := cmp.Diff(want, line["outcome"]); diff != "" || line["level"] != level {
				t.Errorf("level %v, want %s; log (-want +got):\n%s", line["level"], level, diff)
			}
			entry := r.bus.taken[0]
			if aws.ToString(entry.DetailType) != "Action Outcome" || !slices.Equal(entry.Resources, []string{action().Resource}) {
				t.Errorf("detail-type %q, resources %q", aws.ToString(entry.DetailType), entry.Resources)
			}
			with(want, object{"version": 1.0, "run": "by-hand", "at": "2026-09-01T12:00:00Z"})
			if diff := cmp.Diff(want, parse(t, *entry.Detail)); diff != "" {
				t.Errorf("detail (-want +got):\n%s", diff)
			}
		})
	}
}

// The outcome carries the undo, and the summary says whether to trust the run.
func TestOutcomesAndTheSummaryAreWrittenAtEveryLevel(t *testing.T) {
	for _, level := range []string{"DEBUG", "INFO", "WARN", "ERROR"} {
		r := begin(t.Context(), level, &bus{})
		r.Outcome(t.Context(), outcome(control.Applied))
		finish(t, r)
		for _, message := range []string{"outcome", "summary"} {
			if got := r.logged(t, message); len(got) != 1 || got[0]["level"] != "INFO" {
				t.Errorf("at level %s the lines of the %s are %v, want 1 at INFO", level, message, got)
			}
		}
	}
}

func TestAnIntentIsWrittenAtEveryLevel(t *testing.T) {
	for _, level := range []string{"DEBUG", "INFO", "WARN", "ERROR"} {
		r := begin(t.Context(), level, &bus{})
		if err := r.Intent(t.Context(), action()); err != nil {
			t.Error(err)
		}
		got := r.logged(t, "intent")
		if len(got) != 1 {
			t.Fatalf("at level %s there are %d intents, want 1", level, len(got))
		}
		if diff := cmp.Diff(parse(t, actionJSON), got[0]["action"]); diff != "" {
			t.Errorf("action (-want +got):\n%s", diff)
		}
		if len(r.bus.calls) > 0 {
			t.Error("it was sent to the bus, which nobody waits for")
		}
	}
}

// broken is a writer that takes nothing.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestAnIntentThatWasNotWrittenIsAnError(t *testing.T) {
	reporter := &report.Reporter{Out: broken{}, Log: report.NewLogger(broken{}, "INFO"), API: &bus{}, BusName: "portcullis"}
	r := reporter.Begin(t.Context(), "external-connections", "event", noon)
	if err := r.Intent(t.Context(), action()); err == nil || !strings.Contains(err.Error(), "broken pipe") {
		t.Errorf("error %v", err)
	}
	r.Outcome(t.Context(), outcome(control.Applied))
	_, err := r.Finish(t.Context(), summary(), true)
	for _, what := range []string{"writing an outcome: ", "writing the summary: ", "writing metrics: "} {
		if err == nil || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), "broken pipe") {
			t.Errorf("error %v, want one that says %q", err, what)
		}
	}
}

func TestTheSummary(t *testing.T) {
	r := begin(t.Context(), "INFO", &bus{})
	got, err := r.Finish(t.Context(), summary(), true)
	if err != nil {
		t.Fatal(err)
	}
	want := summary()
	at := noon()
	want.Run, want.At = "by-hand", &at
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(control.Summary{})); diff != "" {
		t.Errorf("returned (-want +got):\n%s", diff)
	}
	line := r.logged(t, "summary")[0]
	if diff := cmp.Diff(parse(t, summaryJSON), line["summary"]); diff != "" || line["text"] != want.String() {
		t.Errorf("text %q, log (-want +got):\n%s", line["text"], diff)
	}
	entry := r.bus.taken[0]
	if aws.ToString(entry.DetailType) != "Run Summary" || entry.Resources != nil {
		t.Errorf("detail-type %q, resources %q", aws.ToString(entry.DetailType), entry.Resources)
	}
	if diff := cmp.Diff(with(parse(t, summaryJSON), object{"version": 1.0}), parse(t, *entry.Detail)); diff != "" {
		t.Errorf("detail (-want +got):\n%s", diff)
	}
}

func TestTheRunHasTheIDOfItsInvocation(t *testing.T) {
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "request-1"})
	r := begin(ctx, "INFO", &bus{})
	r.Finding(ctx, finding(control.Violation))
	got, err := r.Finish(ctx, summary(), true)
	if err != nil || got.Run != "request-1" {
		t.Errorf("run %q, error %v", got.Run, err)
	}
	for _, detail := range details(t, r.bus.taken) {
		if detail["run"] != "request-1" {
			t.Errorf("an event of run %v", detail["run"])
		}
	}
	if line := r.logged(t, "finding")[0]; line["run"] != "request-1" {
		t.Errorf("a line of run %v", line["run"])
	}
}

func TestEventsSayNoTimeWhileItIsNotKnown(t *testing.T) {
	b := &bus{}
	reporter := &report.Reporter{Out: &bytes.Buffer{}, Log: report.NewLogger(&bytes.Buffer{}, ""), API: b, BusName: "portcullis"}
	r := reporter.Begin(t.Context(), "external-connections", "event", func() time.Time { return time.Time{} })
	r.Finding(t.Context(), finding(control.Violation))
	r.Outcome(t.Context(), outcome(control.Applied))
	got, err := r.Finish(t.Context(), summary(), true)
	if err != nil || got.At != nil {
		t.Errorf("summary at %v, error %v", got.At, err)
	}
	for _, detail := range details(t, b.taken) {
		if at, said := detail["at"]; said {
			t.Errorf("an event at %v", at)
		}
	}
}

func TestTheLogLevel(t *testing.T) {
	for level, want := range map[string]string{
		"DEBUG": "DEBUG INFO WARN ERROR", "INFO": "INFO WARN ERROR", "warn": "WARN ERROR", "ERROR": "ERROR",
		"": "INFO WARN ERROR", "FATAL": "INFO WARN ERROR", "TRACE": "INFO WARN ERROR",
	} {
		var out bytes.Buffer
		log := report.NewLogger(&out, level)
		log.Debug("DEBUG")
		log.Info("INFO")
		log.Warn("WARN")
		log.Error("ERROR")
		var got []string
		for line := range strings.Lines(out.String()) {
			got = append(got, fmt.Sprint(parse(t, line)["message"]))
		}
		if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
			t.Errorf("level %q (-want +got):\n%s", level, diff)
		}
	}
}

// numbered returns a finding that can be told from others, in the order of n.
func numbered(n int) control.Finding {
	f := finding(control.Violation)
	f.ID = fmt.Sprintf("%04d", n)
	return f
}

// ids returns the findings among entries.
func ids(t failer, entries []types.PutEventsRequestEntry) []string {
	t.Helper()
	var list []string
	for _, detail := range details(t, entries) {
		if id, ok := detail["id"].(string); ok {
			list = append(list, id)
		}
	}
	return list
}

// padded returns a numbered finding of any size.
func padded(n, bytes int) control.Finding {
	f := numbered(n)
	f.Details = object{"padding": strings.Repeat("x", bytes)}
	return f
}

// A slow bus must not take the time that acting needs. The log has everything at once.
func TestEventsAreSentWhenTheRunIsFinished(t *testing.T) {
	r := begin(t.Context(), "INFO", &bus{})
	for i := range 50 {
		r.Finding(t.Context(), padded(i, 20<<10))
		r.Outcome(t.Context(), outcome(control.Applied))
	}
	if n := len(r.bus.calls); n > 0 {
		t.Errorf("there were %d calls before the run was finished", n)
	}
	if n := len(r.lines(t)); n != 100 {
		t.Errorf("the log had %d lines before the run was finished, want 100", n)
	}
	finish(t, r)
	if n := len(r.bus.taken); n != 101 {
		t.Errorf("%d events were taken, want 101", n)
	}
}

func TestEventsAreSentInBatchesOfAtMostTen(t *testing.T) {
	for n, want := range map[int][]int{0: {1}, 1: {1, 1}, 10: {10, 1}, 11: {10, 1, 1}, 25: {10, 10, 5, 1}} {
		r := begin(t.Context(), "INFO", &bus{})
		for i := range n {
			r.Finding(t.Context(), numbered(i))
		}
		finish(t, r)
		var got []int
		for _, call := range r.bus.calls {
			got = append(got, len(call))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d findings: batches (-want +got):\n%s", n, diff)
		}
	}
}

// size is what an entry counts for AWS:
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
func size(e types.PutEventsRequestEntry) int {
	n := len(aws.ToString(e.Source)) + len(aws.ToString(e.DetailType)) + len(aws.ToString(e.Detail))
	for _, r := range e.Resources {
		n += len(r)
	}
	return n
}

const batchBytes = 250 << 10

func TestEventsAreSentInBatchesOfAtMost250KiB(t *testing.T) {
	r := begin(t.Context(), "INFO", &bus{})
	r.Finding(t.Context(), padded(0, 0))
	finish(t, r)
	bare := size(r.bus.taken[0])

	half := batchBytes/2 - bare
	for _, test := range []struct {
		name  string
		sizes []int
		want  [][]string
	}{
		{"keeps together what is exactly as much", []int{half, half}, [][]string{{"0000", "0001"}, nil}},
		{"parts what is a byte more", []int{half, half + 1}, [][]string{{"0000"}, {"0001"}, nil}},
		{"sends alone what is too much for any batch", []int{0, batchBytes, 0}, [][]string{{"0000"}, {"0001"}, {"0002"}, nil}},
		{"begins to count again with every batch", []int{half, half, half, half}, [][]string{{"0000", "0001"}, {"0002", "0003"}, nil}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := begin(t.Context(), "INFO", &bus{})
			for i, bytes := range test.sizes {
				r.Finding(t.Context(), padded(i, bytes))
			}
			finish(t, r)
			var got [][]string
			for _, call := range r.bus.calls {
				got = append(got, ids(t, call))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("batches; the last is the summary (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEveryEventIsDeliveredOnceAndInOrderWhateverItsSize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := begin(context.Background(), "ERROR", &bus{})
		var want []string
		for i, bytes := range rapid.SliceOfN(rapid.IntRange(0, 100<<10), 0, 40).Draw(t, "bytes") {
			f := padded(i, bytes)
			r.Finding(context.Background(), f)
			want = append(want, f.ID)
		}
		if _, err := r.Finish(context.Background(), summary(), true); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, ids(t, r.bus.taken)); diff != "" {
			t.Errorf("delivered (-want +got):\n%s", diff)
		}
		for _, call := range r.bus.calls {
			total := 0
			for _, entry := range call {
				total += size(entry)
			}
			if len(call) == 0 || len(call) > 10 || total > batchBytes {
				t.Errorf("a batch of %d entries and %d bytes", len(call), total)
			}
		}
	})
}

func TestOnlyTheEntriesThatFailedAreSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 10
		for mask := range 1 << n {
			r := begin(t.Context(), "ERROR", &bus{})
			fails := func(entry types.PutEventsRequestEntry) bool {
				i, err := strconv.Atoi(ids(t, []types.PutEventsRequestEntry{entry})[0])
				return err == nil && mask&(1<<i) != 0
			}
			r.bus.refuse = func(call int, entry types.PutEventsRequestEntry) bool { return call == 0 && fails(entry) }
			var all, failed []string
			for i := range n {
				f := numbered(i)
				r.Finding(t.Context(), f)
				all = append(all, f.ID)
				if mask&(1<<i) != 0 {
					failed = append(failed, f.ID)
				}
			}
			got, err := r.Finish(t.Context(), summary(), true)
			if err != nil || got.Undelivered != 0 {
				t.Fatalf("mask %010b: %d undelivered, error %v", mask, got.Undelivered, err)
			}
			if diff := cmp.Diff(failed, ids(t, slices.Concat(r.bus.calls[1:]...))); diff != "" {
				t.Fatalf("mask %010b: sent again (-want +got):\n%s", mask, diff)
			}
			delivered := ids(t, r.bus.taken)
			slices.Sort(delivered)
			if diff := cmp.Diff(all, delivered); diff != "" {
				t.Fatalf("mask %010b: delivered (-want +got):\n%s", mask, diff)
			}
		}
		t.Logf("figure of fault 27: %d ways in which %d can fail", 1<<n, n)
	})
}

func TestAnEventThatTheBusNeverTakesIsLoggedWholeAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(t.Context(), "ERROR", &bus{})
		r.bus.refuse = func(_ int, entry types.PutEventsRequestEntry) bool {
			return slices.Contains(ids(t, []types.PutEventsRequestEntry{entry}), "0001")
		}
		for i := range 3 {
			r.Finding(t.Context(), numbered(i))
		}
		got, err := r.Finish(t.Context(), summary(), true)
		if got.Undelivered != 1 || err == nil || !strings.Contains(err.Error(), "1 events were not delivered to bus portcullis") {
			t.Errorf("%d undelivered, error %v", got.Undelivered, err)
		}
		var offered [][]string
		for _, call := range r.bus.calls {
			offered = append(offered, ids(t, call))
		}
		if diff := cmp.Diff([][]string{{"0000", "0001", "0002"}, {"0001"}, {"0001"}, nil}, offered); diff != "" {
			t.Errorf("offered; the last is the summary (-want +got):\n%s", diff)
		}

		lost := r.logged(t, "event not delivered")
		if len(lost) != 1 {
			t.Fatalf("%d lines, want 1", len(lost))
		}
		want := parse(t, aws.ToString(r.bus.calls[1][0].Detail))
		if diff := cmp.Diff(want, lost[0]["detail"]); diff != "" {
			t.Errorf("detail (-want +got):\n%s", diff)
		}
		if lost[0]["level"] != "ERROR" || lost[0]["detailType"] != "Finding" || lost[0]["error"] != "the bus refused the event: ThrottlingException slow down" {
			t.Errorf("line %v", lost[0])
		}
		sent := details(t, r.bus.taken)
		if n := sent[len(sent)-1]["undelivered"]; n != 1.0 {
			t.Errorf("the summary on the bus says that %v were not delivered", n)
		}
		if n := r.metrics(t)["Undelivered"]; n != 1.0 {
			t.Errorf("the metric says that %v were not delivered", n)
		}
	})
}

func TestABusThatDoesNotAnswer(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer func(call, entries int) (*eventbridge.PutEventsOutput, error)
		says   string
		calls  int // of the finding and the summary together
	}{
		// Who does not answer at all is not waited for a second time.
		{"with anything but an error", func(int, int) (*eventbridge.PutEventsOutput, error) { return nil, errors.New("access denied") }, "access denied", 3},
		{"for every entry", func(_, n int) (*eventbridge.PutEventsOutput, error) { return results(n - 1), nil }, "the bus answered for 0 of 1 events", 6},
		{"for no more than the entries", func(_, n int) (*eventbridge.PutEventsOutput, error) { return results(n + 1), nil }, "the bus answered for 2 of 1 events", 6},
		{"with an id", func(_, n int) (*eventbridge.PutEventsOutput, error) {
			out := results(n)
			out.Entries[0].EventId = nil
			return out, nil
		}, "the bus refused the event", 6},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := begin(t.Context(), "ERROR", &bus{answer: test.answer})
				r.Finding(t.Context(), finding(control.Violation))
				got, err := r.Finish(t.Context(), summary(), true)
				if got.Undelivered != 2 || err == nil || !strings.Contains(err.Error(), "2 events were not delivered") {
					t.Errorf("%d undelivered, error %v; want the finding and the summary", got.Undelivered, err)
				}
				if len(r.bus.calls) != test.calls {
					t.Errorf("%d calls, want %d", len(r.bus.calls), test.calls)
				}
				lost := r.logged(t, "event not delivered")
				if len(lost) != 2 || lost[0]["detailType"] != "Finding" || lost[1]["detailType"] != "Run Summary" {
					t.Fatalf("lines %v", lost)
				}
				for _, line := range lost {
					if !strings.HasPrefix(fmt.Sprint(line["error"]), test.says) {
						t.Errorf("error %q, want %q", line["error"], test.says)
					}
				}
			})
		})
	}
	t.Run("the first time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := begin(t.Context(), "ERROR", &bus{answer: func(call, _ int) (*eventbridge.PutEventsOutput, error) {
				if call == 0 {
					return nil, errors.New("reset")
				}
				return nil, nil
			}})
			r.Finding(t.Context(), finding(control.Violation))
			finish(t, r)
			if len(r.bus.taken) != 2 {
				t.Errorf("%d events were taken, want 2", len(r.bus.taken))
			}
		})
	})
}

// An answer of the bus that is an error says nothing about the other events.
func TestOneBatchThatTheBusRefusesDoesNotStopTheOthers(t *testing.T) {
	throttled := &smithy.GenericAPIError{Code: "ThrottlingException", Message: "slow down"}
	for name, answer := range map[string]func(*bus) func(call, entries int) (*eventbridge.PutEventsOutput, error){
		"throttled three times": func(*bus) func(int, int) (*eventbridge.PutEventsOutput, error) {
			return func(call, _ int) (*eventbridge.PutEventsOutput, error) {
				if call < 3 {
					return nil, fmt.Errorf("operation error EventBridge: PutEvents: %w", throttled)
				}
				return nil, nil
			}
		},
		"found wrong for what is in it": func(b *bus) func(int, int) (*eventbridge.PutEventsOutput, error) {
			return func(call, _ int) (*eventbridge.PutEventsOutput, error) {
				if slices.Contains(ids(t, b.calls[call]), "0003") {
					return nil, &smithy.GenericAPIError{Code: "ValidationException", Message: "too large"}
				}
				return nil, nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := begin(t.Context(), "ERROR", &bus{})
				r.bus.answer = answer(r.bus)
				var want []string
				for i := range 25 {
					r.Finding(t.Context(), numbered(i))
					if i >= 10 {
						want = append(want, numbered(i).ID)
					}
				}
				got, err := r.Finish(t.Context(), summary(), true)
				if got.Undelivered != 10 || err == nil || !strings.Contains(err.Error(), "10 events were not delivered") {
					t.Errorf("%d undelivered, error %v; want the first batch", got.Undelivered, err)
				}
				if diff := cmp.Diff(want, ids(t, r.bus.taken)); diff != "" {
					t.Errorf("delivered (-want +got):\n%s", diff)
				}
				if lost := r.logged(t, "event not delivered"); len(lost) != 10 {
					t.Errorf("%d events in the log, want 10", len(lost))
				}
			})
		})
	}
}

func TestEverythingIsInTheLogBeforeTheDeadlineWhateverTheBusDoes(t *testing.T) {
	refuse := func(int, int) (*eventbridge.PutEventsOutput, error) {
		return nil, &smithy.GenericAPIError{Code: "InternalFailure", Message: "oops"}
	}
	for _, test := range []struct {
		name string
		bus  bus
		left time.Duration // to the deadline
		took time.Duration
	}{
		{"it hangs", bus{delay: time.Hour}, control.Margin, 6 * time.Second},
		{"it hangs and the deadline is near", bus{delay: time.Hour}, 5 * time.Second, 3 * time.Second},
		{"it hangs and the deadline is nearer than that", bus{delay: time.Hour}, time.Second, 0},
		{"it refuses every batch after a while", bus{delay: time.Second, answer: refuse}, control.Margin, 18 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), test.left)
				defer cancel()
				r := begin(ctx, "ERROR", &test.bus)
				for i := range 100 {
					r.Finding(ctx, numbered(i))
				}
				start := time.Now()
				got, err := r.Finish(ctx, summary(), true)
				if took := time.Since(start); took != test.took {
					t.Errorf("it took %v, want %v", took, test.took)
				}
				if got.Undelivered != 101 || err == nil {
					t.Errorf("%d undelivered, error %v; want everything", got.Undelivered, err)
				}
				if lost := r.logged(t, "event not delivered"); len(lost) != 101 {
					t.Errorf("%d events in the log, want 101", len(lost))
				}
				if n := r.metrics(t)["Undelivered"]; n != 101.0 {
					t.Errorf("the metric says that %v were not delivered", n)
				}
			})
		})
	}
}

func results(n int) *eventbridge.PutEventsOutput {
	out := &eventbridge.PutEventsOutput{}
	for range n {
		out.Entries = append(out.Entries, types.PutEventsResultEntry{EventId: aws.String("id")})
	}
	return out
}

func TestTheBusIsGivenTimeButNotAfterTheEndOfTheRun(t *testing.T) {
	refuse := func(int, types.PutEventsRequestEntry) bool { return true }
	synctest.Test(t, func(t *testing.T) {
		r := begin(t.Context(), "ERROR", &bus{refuse: refuse})
		start := time.Now()
		_, _ = r.Finish(t.Context(), summary(), true)
		if took := time.Since(start); took < 500*time.Millisecond || took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		start = time.Now()
		_, _ = r.Finish(ctx, summary(), true)
		if took := time.Since(start); took > 0 {
			t.Errorf("after the end of the run it took %v", took)
		}
	})
}

func TestAnEventThatCannotBeWrittenIsAnError(t *testing.T) {
	r := begin(t.Context(), "INFO", &bus{})
	f := finding(control.Violation)
	f.Details = func() {}
	r.Finding(t.Context(), f)
	if _, err := r.Finish(t.Context(), summary(), true); err == nil || !strings.Contains(err.Error(), "writing a Finding event") {
		t.Errorf("error %v", err)
	}
}

// metrics returns the one line that CloudWatch makes metrics from.
func (r *run) metrics(t failer) object {
	t.Helper()
	var found []object
	for _, line := range r.lines(t) {
		if _, ok := line["_aws"]; ok {
			found = append(found, line)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d lines with metrics, want 1", len(found))
	}
	return found[0]
}

func TestTheMetrics(t *testing.T) {
	always := object{"Control": "external-connections", "Applied": 15.0, "AlreadyDone": 7.0, "Withheld": 6.0, "Failed": 8.0, "RestoreNeeded": 9.0, "LimitExceeded": 0.0, "Undelivered": 0.0, "Ignored": 0.0}
	sweeps := object{"Looked": 9.0, "Violations": 2.0, "Waived": 3.0, "Undetermined": 4.0, "Complete": 1.0}
	all := with(with(object{}, always), sweeps)
	for _, test := range []struct {
		name   string
		sweep  bool
		change func(*control.Summary)
		want   object
	}{
		{"of a sweep say what was found", true, func(*control.Summary) {}, all},
		{"of an event say what was done, and the violations", false, func(*control.Summary) {}, with(with(object{}, always), object{"Violations": 2.0})},
		{"of an event that found none say nothing of violations", false, func(s *control.Summary) { s.Verdicts = nil }, always},
		{"say that a sweep was not complete", true, func(s *control.Summary) { s.Complete = false }, with(with(object{}, all), object{"Complete": 0.0})},
		{"say once, of a sweep, that the service is gone", true, func(s *control.Summary) { s.Gone, s.Complete = true, false },
			with(with(object{}, always), object{"Looked": 9.0, "Violations": 2.0, "Waived": 3.0, "Gone": 1.0})},
		{"do not say it of an event", false, func(s *control.Summary) { s.Gone, s.Complete = true, false }, with(with(object{}, always), object{"Violations": 2.0})},
		{"say that the limit was exceeded", false, func(s *control.Summary) { s.LimitExceeded = true }, with(with(object{}, always), object{"LimitExceeded": 1.0, "Violations": 2.0})},
		{"say that the event was ignored", false, func(s *control.Summary) { s.Ignored, s.Verdicts = "why", nil }, with(with(object{}, always), object{"Ignored": 1.0})},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := begin(t.Context(), "ERROR", &bus{})
				s := summary()
				test.change(&s)
				if _, err := r.Finish(t.Context(), s, test.sweep); err != nil {
					t.Fatal(err)
				}
				got := r.metrics(t)
				header := got["_aws"].(object)
				delete(got, "_aws")
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("values (-want +got):\n%s", diff)
				}

				// The shape of the embedded metric format: the time in milliseconds, and
				// every metric and dimension by the name of a value beside it.
				var named []any
				for name := range test.want {
					if name != "Control" {
						named = append(named, object{"Name": name, "Unit": "Count"})
					}
				}
				directive := header["CloudWatchMetrics"].([]any)[0].(object)
				byName := func(a, b any) int {
					return strings.Compare(a.(object)["Name"].(string), b.(object)["Name"].(string))
				}
				slices.SortFunc(named, byName)
				slices.SortFunc(directive["Metrics"].([]any), byName)
				want := object{
					"Timestamp": float64(time.Now().UnixMilli()),
					"CloudWatchMetrics": []any{object{
						"Namespace": "Portcullis", "Dimensions": []any{[]any{"Control"}}, "Metrics": named,
					}},
				}
				if diff := cmp.Diff(want, header); diff != "" {
					t.Errorf("header (-want +got):\n%s", diff)
				}
			})
		})
	}
}

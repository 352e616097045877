package round

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/google/go-cmp/cmp"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/report"
	"portcullis/shared/trigger"
)

const (
	hub  = "111122223333"
	web  = "222233334444"
	data = "333344445555"
)

func planned() Planned {
	return Planned{Version: Version, Round: "r-1", Controls: []string{"external-connections", "package-groups"}, Accounts: []string{hub, web}}
}

// swept is the summary of a sweep that looked at ten resources and found one violation.
func swept(name, account string, changes ...func(*control.Summary)) control.Summary {
	s := control.NewSummary(name, control.Scope{Account: account}, control.Monitor, "")
	s.Round, s.Complete, s.Looked, s.Wanted = "r-1", true, 10, 1
	s.Verdicts[control.Violation], s.Outcomes[control.Withheld] = 1, 1
	for _, change := range changes {
		change(&s)
	}
	return s
}

func incomplete(s *control.Summary) { s.Complete = false }
func gone(s *control.Summary)       { s.Complete, s.Gone, s.Looked = false, true, 0 }
func applied(s *control.Summary)    { s.Outcomes[control.Applied], s.Outcomes[control.Withheld] = 1, 0 }

func TestARoundIsPutTogether(t *testing.T) {
	whole := []control.Summary{
		swept("external-connections", hub), swept("external-connections", web), swept("package-groups", hub), swept("package-groups", web),
	}
	with := func(more ...control.Summary) []control.Summary {
		return append(append([]control.Summary{}, whole...), more...)
	}
	for _, test := range []struct {
		name     string
		runs     []control.Summary
		unknown  string
		complete bool
		want     string // of external-connections
	}{
		{"where every account was swept", whole, "", true, "2 of 2, missing [], incomplete [], gone 0, looked 20, violations 2, withheld 2, applied 0"},
		{"where nothing came", nil, "", false, "0 of 2, missing [" + hub + " " + web + "], incomplete [], gone 0, looked 0, violations 0, withheld 0, applied 0"},
		{"where one did not come", whole[1:], "", false, "1 of 2, missing [" + hub + "], incomplete [], gone 0, looked 10, violations 1, withheld 1, applied 0"},
		{"where one of another control did not come", whole[:3], "", false, "2 of 2, missing [], incomplete [], gone 0, looked 20, violations 2, withheld 2, applied 0"},
		{"where one was not read to the end", append([]control.Summary{swept("external-connections", hub, incomplete)}, whole[1:]...), "", false,
			"2 of 2, missing [], incomplete [" + hub + "], gone 0, looked 20, violations 2, withheld 2, applied 0"},
		{"where a service is gone, which is no fault", append([]control.Summary{swept("external-connections", hub, gone)}, whole[1:]...), "", true,
			"2 of 2, missing [], incomplete [], gone 1, looked 10, violations 2, withheld 2, applied 0"},
		{"where one came twice", with(whole[0]), "", true, "2 of 2, missing [], incomplete [], gone 0, looked 20, violations 2, withheld 2, applied 0"},
		{"where one came twice and the second time found it done", with(swept("external-connections", hub, applied)), "", true,
			"2 of 2, missing [], incomplete [], gone 0, looked 20, violations 2, withheld 1, applied 1"},
		{"where one came twice and was once not read to the end", with(swept("external-connections", hub, incomplete, applied)), "", true,
			"2 of 2, missing [], incomplete [], gone 0, looked 20, violations 2, withheld 2, applied 0"},
		{"beside another round", with(swept("external-connections", hub, func(s *control.Summary) { s.Round = "r-2" })), "", true,
			"2 of 2, missing [], incomplete [], gone 0, looked 20, violations 2, withheld 2, applied 0"},
		{"where only another round has one of an account", append([]control.Summary{swept("external-connections", hub, func(s *control.Summary) { s.Round = "r-2" })}, whole[1:]...), "", false,
			"1 of 2, missing [" + hub + "], incomplete [], gone 0, looked 10, violations 1, withheld 1, applied 0"},
		{"where the run of an account looked at nothing", append([]control.Summary{swept("external-connections", hub, func(s *control.Summary) { s.Ignored = "it is excluded" })}, whole[1:]...), "", false,
			"1 of 2, missing [" + hub + "], incomplete [], gone 0, looked 10, violations 1, withheld 1, applied 0"},
		{"beside an account that nobody asked for", with(swept("external-connections", data)), "", true,
			"2 of 2, missing [], incomplete [], gone 0, looked 20, violations 2, withheld 2, applied 0"},
		{"where not all accounts are known", whole, "denied", false, "2 of 2, missing [], incomplete [], gone 0, looked 20, violations 2, withheld 2, applied 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := planned()
			p.Unknown = test.unknown
			s := PutTogether(p, test.runs)
			r := s.Controls[0]
			got := fmt.Sprintf("%d of %d, missing %v, incomplete %v, gone %d, looked %d, violations %d, withheld %d, applied %d",
				r.Swept, r.Expected, r.Missing, r.Incomplete, r.Gone, r.Looked, r.Verdicts[control.Violation], r.Outcomes[control.Withheld], r.Outcomes[control.Applied])
			if diff := cmp.Diff(test.want, got); diff != "" || s.Complete != test.complete {
				t.Errorf("complete %t; external-connections (-want +got):\n%s", s.Complete, diff)
			}
			if s.Round != "r-1" || len(s.Controls) != 2 || s.Controls[1].Control != "package-groups" {
				t.Errorf("summary %+v", s)
			}
		})
	}
}

func TestEachControlIsRequestedOfEachAccount(t *testing.T) {
	p := planned()
	var got []string
	for _, r := range p.Requests("schedule", "eu-west-1") {
		got = append(got, r.Control+" in "+r.Account)
		if r.Round != "r-1" || r.By != "schedule" || r.Region != "eu-west-1" || !cmp.Equal(r.Accounts, p.Accounts) || r.Version != Version {
			t.Errorf("request %+v", r)
		}
	}
	p.Unknown = "denied"
	if r := p.Requests("schedule", "eu-west-1")[0]; r.Accounts != nil {
		t.Errorf("a request says %v of accounts that are not all known", r.Accounts)
	}
	want := []string{"external-connections in " + hub, "package-groups in " + hub, "external-connections in " + web, "package-groups in " + web}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requested (-want +got):\n%s", diff)
	}
}

// An organization answers with these pages; a nil page is an error.
type organization [][]types.Account

func (o organization) ListAccounts(_ context.Context, in *organizations.ListAccountsInput, _ ...func(*organizations.Options)) (*organizations.ListAccountsOutput, error) {
	n := len(aws.ToString(in.NextToken))
	if o[n] == nil {
		return nil, errors.New("throttled")
	}
	out := &organizations.ListAccountsOutput{Accounts: o[n]}
	if n+1 < len(o) {
		out.NextToken = aws.String(strings.Repeat("x", n+1))
	}
	return out, nil
}

func TestTheAccountsOfARound(t *testing.T) {
	account := func(id string, state types.AccountState) types.Account {
		return types.Account{Id: &id, State: state}
	}
	former := func(id string, status types.AccountStatus) types.Account {
		return types.Account{Id: &id, Status: status}
	}
	const org = "o-a1b2c3d4e5"
	for _, test := range []struct {
		name    string
		members awsio.Members
		pages   organization
		want    []string
		err     string
	}{
		{"of a deployment without members", awsio.Members{}, nil, []string{hub}, ""},
		{"that are listed", awsio.Members{Listed: []string{web, data}}, nil, []string{hub, web, data}, ""},
		{"that are listed with the hub among them", awsio.Members{Listed: []string{web, hub}}, nil, []string{hub, web}, ""},
		{"that are listed, but for those excluded", awsio.Members{Listed: []string{web, data}, Excluded: []string{web}}, nil, []string{hub, data}, ""},
		{"of an organization, on several pages, one of them empty", awsio.Members{Organization: org},
			organization{{account(web, "ACTIVE")}, {}, {account(hub, "ACTIVE"), account(data, "ACTIVE")}}, []string{hub, web, data}, ""},
		{"of an organization, but for those not in use", awsio.Members{Organization: org},
			organization{{account(web, "SUSPENDED"), account(data, "PENDING_CLOSURE"), account(hub, "ACTIVE")}}, []string{hub}, ""},
		{"of an organization that still sends the former field only", awsio.Members{Organization: org},
			organization{{former(web, "SUSPENDED"), former(data, "ACTIVE")}}, []string{hub, data}, ""},
		{"of an organization, but for those excluded", awsio.Members{Organization: org, Excluded: []string{web}},
			organization{{account(web, "ACTIVE"), account(data, "ACTIVE")}}, []string{hub, data}, ""},
		{"of an organization that could not be read to the end", awsio.Members{Organization: org},
			organization{{account(web, "ACTIVE")}, nil}, []string{hub}, "page 2: throttled"},
		{"of an organization with an account in no state", awsio.Members{Organization: org},
			organization{{{Id: aws.String(web)}}}, []string{hub}, "in state"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := accounts(t.Context(), test.pages, hub, test.members)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("accounts (-want +got):\n%s", diff)
			}
			if test.err == "" && err != nil || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
				t.Errorf("error %v, want one that says %q", err, test.err)
			}
		})
	}
}

// A heap tells how much is in use when it is asked, more than at first.
type heap struct{ first, most uint64 }

func (h *heap) look() {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if h.first == 0 {
		h.first = m.HeapAlloc
	}
	h.most = max(h.most, m.HeapAlloc-min(h.first, m.HeapAlloc))
}

// A weighedBus takes every event, and looks at the heap at the first ones.
type weighedBus struct {
	heap
	calls int
	types map[string]int
}

func (b *weighedBus) PutEvents(_ context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	if b.calls++; b.calls <= 20 {
		b.look()
	}
	out := &eventbridge.PutEventsOutput{}
	for _, e := range in.Entries {
		b.types[aws.ToString(e.DetailType)]++
		out.Entries = append(out.Entries, eventtypes.PutEventsResultEntry{EventId: aws.String("id")})
	}
	return out, nil
}

// Each request names all accounts, so all requests together grow with the square of
// the accounts: those of this organization would be 120 MB.
func TestTheRequestsOfALargeOrganizationAreNotHeldTogether(t *testing.T) {
	members := make([]string, 2000)
	for i := range members {
		members[i] = fmt.Sprint(400000000000 + i)
	}
	env := map[string]string{
		"ACCOUNT_ID": hub, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret",
		"MEMBER_ACCOUNTS": strings.Join(members, ","), "MEMBER_ROLES": "portcullis-eu-west-1", "EXTERNAL_ID": "an-external-id",
		"CONTROLS": "external-connections,package-groups", "SWEEP_SECONDS": "3600", "EVENTS_LOG": "log", "EVENT_BUS": "bus",
	}
	h, err := New(func(name string) string { return env[name] }, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	bus := &weighedBus{types: map[string]int{}}
	h.Reporter.API = bus
	run := h.Reporter.Begin(t.Context(), Name, "sweep", func() time.Time { return time.Time{} })
	bus.look()
	if _, err := h.plan(t.Context(), run, nil, trigger.Trigger{Cause: trigger.Sweep}, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{PlannedEvent: 1, RequestEvent: 2 * 2001}, bus.types); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if bus.most > 16<<20 {
		t.Errorf("%d MiB were in use", bus.most>>20)
	}
}

// A weighedLog has pages of events that are not ours, of a mebibyte each.
type weighedLog struct {
	heap
	pages int
}

func (l *weighedLog) FilterLogEvents(_ context.Context, in *cloudwatchlogs.FilterLogEventsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	l.look()
	out := &cloudwatchlogs.FilterLogEventsOutput{Events: []logtypes.FilteredLogEvent{
		{Message: aws.String(`{"source":"portcullis","detail-type":"Finding","account":"` + hub + `","detail":"` + strings.Repeat("x", 1<<20) + `"}`)},
	}}
	if l.pages--; l.pages > 0 {
		out.NextToken = aws.String(fmt.Sprint(l.pages))
	}
	return out, nil
}

func TestOfTheLogOnlyWhatItTellsIsHeld(t *testing.T) {
	log := &weighedLog{pages: 50}
	if _, err := read(t.Context(), log, "group", hub, time.Time{}, SummaryEvent); err != nil || log.pages != 0 {
		t.Errorf("error %v, %d pages are left", err, log.pages)
	}
	if log.most > 16<<20 {
		t.Errorf("%d MiB were in use", log.most>>20)
	}
}

// A diary answers with these messages, two on a page.
type diary []string

func (d diary) FilterLogEvents(_ context.Context, in *cloudwatchlogs.FilterLogEventsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	n := 2 * len(aws.ToString(in.NextToken))
	out := &cloudwatchlogs.FilterLogEventsOutput{Events: []logtypes.FilteredLogEvent{}}
	for _, m := range d[n:min(n+2, len(d))] {
		out.Events = append(out.Events, logtypes.FilteredLogEvent{Message: &m})
	}
	if n+2 < len(d) {
		out.NextToken = aws.String(strings.Repeat("x", n/2+1))
	}
	return out, nil
}

func TestTheLogTellsOfEarlierRounds(t *testing.T) {
	now := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	event := func(account, detailType, detail string) string {
		return fmt.Sprintf(`{"source":"portcullis","account":%q,"detail-type":%q,"detail":%s}`, account, detailType, detail)
	}
	plan := func(id string, age time.Duration) string {
		return event(hub, "Round Planned", fmt.Sprintf(`{"version":1,"round":%q,"at":%q,"controls":[],"accounts":[]}`, id, now.Add(-age).Format(time.RFC3339)))
	}
	for _, test := range []struct {
		name string
		log  diary
		want []string // rounds to tell of
		runs int
		err  string
	}{
		{"that there were none", nil, nil, 0, ""},
		{"those that are over, the oldest first", diary{plan("b", time.Hour), plan("a", 2*time.Hour), plan("c", 50*time.Minute)}, []string{"a", "b", "c"}, 0, ""},
		{"but not those still under way", diary{plan("a", 49*time.Minute), plan("b", 0), plan("c", -time.Hour)}, nil, 0, ""},
		{"each once", diary{plan("a", time.Hour), plan("a", time.Hour)}, []string{"a"}, 0, ""},
		{"but not those told before", diary{plan("a", time.Hour), event(hub, "Round Summary", `{"version":1,"round":"a"}`)}, nil, 0, ""},
		{"and of their runs", diary{event(hub, "Run Summary", `{"round":"a"}`), event(hub, "Run Summary", `{}`), event(hub, "Finding", `{}`)}, nil, 1, ""},
		{"and nothing that another account says", diary{
			strings.ReplaceAll(plan("a", time.Hour), hub, web), event(web, "Run Summary", `{"round":"a"}`), event(web, "Round Summary", `{"round":"a"}`),
		}, nil, 0, ""},
		{"and nothing that an archive tells again", diary{
			strings.Replace(plan("a", time.Hour), `{"source"`, `{"replay-name":"r","source"`, 1), event(hub, "Run Summary", `{"round":"a"}`),
		}, nil, 1, ""},
		{"but not those of another version", diary{strings.Replace(plan("a", time.Hour), `"version":1`, `"version":2`, 1)}, nil, 0, ""},
		{"and nothing of another source", diary{`{"source":"aws.codeartifact","account":"` + hub + `","detail-type":"Run Summary","detail":{"round":"a"}}`}, nil, 0, ""},
		{"or that it cannot be read", diary{plan("a", time.Hour), plan("b", time.Hour), `{"sour`}, nil, 0, "unexpected end"},
		{"or that a plan cannot be read", diary{event(hub, "Round Planned", `{"round":1}`)}, nil, 0, "round"},
		{"or that a summary cannot be read", diary{event(hub, "Run Summary", `[]`)}, nil, 0, "array"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := read(t.Context(), test.log, "group", hub, now, PlannedEvent, SummaryEvent, report.SummaryEvent)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) || awsio.Classify(err) != awsio.Malformed {
					t.Errorf("error %v, want one that says %q", err, test.err)
				}
				return
			}
			var rounds []string
			for _, r := range got.overdue(now) {
				rounds = append(rounds, r.Round)
			}
			if diff := cmp.Diff(test.want, rounds); diff != "" || len(got.runs) != test.runs || err != nil {
				t.Errorf("error %v, %d runs, rounds (-want +got):\n%s", err, len(got.runs), diff)
			}
		})
	}
	if n := (past{planned: []Planned{{}, {At: new(now.Add(-time.Second))}, {At: &now}, {At: new(now.Add(time.Second))}}}).since(now); n != 2 {
		t.Errorf("%d rounds were planned since then, not 2", n)
	}
	if list := (past{planned: []Planned{{Round: "a"}}}).overdue(now); list != nil {
		t.Errorf("a round planned at no time is over: %v", list)
	}
	if list := (past{planned: []Planned{{Round: "a", At: &now}}}).overdue(time.Time{}); list != nil {
		t.Errorf("a round is over at no time: %v", list)
	}
}

func TestTheLogTellsOfTheLastRounds(t *testing.T) {
	event := func(account, detailType, round string, hour int) string {
		return fmt.Sprintf(`{"source":"portcullis","account":%q,"detail-type":%q,"detail":{"version":1,"round":%q,"at":"2026-11-20T%02d:00:00Z"}}`, account, detailType, round, hour)
	}
	for _, test := range []struct {
		name             string
		log              diary
		planned, summary string
		err              string
	}{
		{"that there were none", nil, "", "", ""},
		{"that one is under way", diary{event(hub, "Round Planned", "a", 8)}, "a", "", ""},
		{"of the last one, whatever comes first", diary{
			event(hub, "Round Summary", "b", 9), event(hub, "Round Planned", "c", 9), event(hub, "Round Summary", "a", 8), event(hub, "Round Planned", "b", 8),
		}, "c", "b", ""},
		{"of the last of those that one run told of", diary{event(hub, "Round Summary", "a", 8), event(hub, "Round Summary", "b", 8)}, "", "b", ""},
		{"and nothing that another account says", diary{event(web, "Round Summary", "a", 8)}, "", "", ""},
		{"or that it cannot be read", diary{`{"sour`}, "", "", "unexpected end"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Tell(t.Context(), test.log, "group", hub, time.Time{})
			if test.err == "" && err != nil || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
				t.Fatalf("error %v, want one that says %q", err, test.err)
			}
			var planned, summary string
			if got.Planned != nil {
				planned = got.Planned.Round
			}
			if got.Summary != nil {
				summary = got.Summary.Round
			}
			if planned != test.planned || summary != test.summary {
				t.Errorf("planned %q, summary %q", planned, summary)
			}
		})
	}
}

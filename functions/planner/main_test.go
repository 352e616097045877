package main_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/google/go-cmp/cmp"

	"portcullis/internal/endtoend"
	"portcullis/internal/hub"
	"portcullis/shared/control"
	"portcullis/shared/localaws"
	"portcullis/shared/localaws/codeartifact"
	"portcullis/shared/localaws/organizations"
	"portcullis/shared/round"
)

func TestMain(m *testing.M) { endtoend.Main(m) }

// The accounts: the hub, three members and one that is none.
const (
	home     = endtoend.Home
	web      = "222233334444"
	data     = "333344445555"
	tools    = "555566667777"
	stranger = "999988887777"
	region   = endtoend.Region
	members  = web + "," + data + "," + tools
)

const policy = `
version: 1
limits: {count: 10, share: 100%}
external_connections:
  allow:
    - repositories: ["corp/npm-store"]
      connections: ["public:npmjs"]
package_groups: {min_age: 1d, grace: 14d}
package_origins: {guard: []}
proton_connections: {approve: [], rejected_after: 7d, pending_after: 30d}
`

// org is a hub with three members, each with a domain, a repository that may be
// connected, and one that may not.
type org struct {
	*endtoend.Hub
	domains map[string]codeartifact.Domain
}

func newOrg(t *testing.T, mode string, env map[string]string) *org {
	t.Helper()
	o := &org{endtoend.NewHub(t, policy), map[string]codeartifact.Domain{}}
	if env == nil {
		env = map[string]string{"MEMBER_ACCOUNTS": members}
	}
	o.Deploy("planner", "external-connections", env)
	o.Deploy("external-connections", mode, env)
	for _, account := range []string{home, web, data, tools, stranger} {
		d := o.Artifact.AddDomain(account, region, "corp")
		d.AddRepository("npm-store").Connect("public:npmjs")
		d.AddRepository("app").Connect("public:pypi")
		o.domains[account] = d
	}
	for _, account := range []string{web, data, tools} {
		if err := o.Join(account); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// round has a round made, and the one before it put together; it returns the runs
// of the sweeps and the summary of the round before, or nil.
func (o *org) round() (runs map[string]control.Summary, before *round.Summary) {
	o.T.Helper()
	told, swept := len(o.Reported(round.SummaryEvent)), len(o.Reported("Run Summary"))
	if err := o.Round(); err != nil {
		o.T.Fatal(err)
	}
	runs = map[string]control.Summary{}
	for _, detail := range o.Reported("Run Summary")[swept:] {
		s := decode[control.Summary](o.T, detail)
		if _, twice := runs[s.Account]; twice {
			o.T.Errorf("account %s was swept twice", s.Account)
		}
		runs[s.Account] = s
	}
	if list := o.Reported(round.SummaryEvent)[told:]; len(list) > 0 {
		s := decode[round.Summary](o.T, list[0])
		before = &s
	}
	o.World.Advance(time.Hour)
	return runs, before
}

func decode[T any](t *testing.T, data json.RawMessage) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return v
}

func accounts(runs map[string]control.Summary) []string {
	var list []string
	for account := range runs {
		list = append(list, account)
	}
	slices.Sort(list)
	return list
}

func TestARoundSweepsEveryAccount(t *testing.T) {
	o := newOrg(t, "monitor", nil)
	runs, before := o.round()
	if diff := cmp.Diff([]string{home, web, data, tools}, accounts(runs)); diff != "" || before != nil {
		t.Errorf("a summary of %v; swept (-want +got):\n%s", before, diff)
	}
	for account, s := range runs {
		if !s.Complete || s.Looked != 2 || s.Verdicts[control.Violation] != 1 || s.Outcomes[control.Withheld] != 1 || s.Round == "" {
			t.Errorf("account %s: %+v", account, s)
		}
	}
	_, before = o.round()
	if before == nil || !before.Complete || len(before.Controls) != 1 {
		t.Fatalf("the round before: %+v", before)
	}
	if r := before.Controls[0]; r.Expected != 4 || r.Swept != 4 || r.Looked != 8 || r.Verdicts[control.Violation] != 4 || r.Wanted != 4 {
		t.Errorf("totals %+v", r)
	}
	if _, again := o.round(); again == nil || again.Round == before.Round {
		t.Errorf("the round before: %+v, and before that %s", again, before.Round)
	}
	if writes := o.Writes(); writes != nil {
		t.Errorf("wrote %q", writes)
	}
}

// Each account is entered by the role that it grants, and by nothing else.
func TestEachAccountIsReadByItsOwnRole(t *testing.T) {
	o := newOrg(t, "monitor", nil)
	o.round()
	want := map[string]string{home: "external-connections", web: "read", data: "read", tools: "read"}
	for _, c := range o.World.Calls() {
		if c.Service != "codeartifact" {
			continue
		}
		if name := want[c.Account]; name == "" || !strings.HasSuffix(c.Principal, ":role/"+o.Prefix()+"-"+name) {
			t.Errorf("%s in %s by %q", c.Operation, c.Account, c.Principal)
		}
	}
}

// The hub and the account must both say enforce.
func TestAMemberIsChangedOnlyWhereItAndTheHubEnforce(t *testing.T) {
	for _, test := range []struct {
		mode   string
		writes []string
		barred []string // accounts whose action is withheld for their own mode
	}{
		{"monitor", nil, nil},
		{"enforce", []string{
			"DisassociateExternalConnection in " + home + " by portcullis-eu-west-1-external-connections",
			"DisassociateExternalConnection in " + web + " by portcullis-eu-west-1-external-connections-write",
		}, []string{data, tools}},
	} {
		t.Run(test.mode, func(t *testing.T) {
			o := newOrg(t, test.mode, nil)
			if err := o.Join(web, "external-connections"); err != nil {
				t.Fatal(err)
			}
			if err := o.Join(data, "package-groups"); err != nil {
				t.Fatal(err)
			}
			runs, _ := o.round()
			if diff := cmp.Diff(test.writes, o.Writes()); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
			var barred []string
			for _, detail := range o.Reported("Action Outcome") {
				out := decode[struct{ Account, Code, Detail string }](t, detail)
				if out.Code == "barred" {
					barred = append(barred, out.Account)
					if !strings.Contains(out.Detail, "own mode for this control is not enforce") {
						t.Errorf("detail %q", out.Detail)
					}
				}
			}
			if diff := cmp.Diff(test.barred, barred); diff != "" {
				t.Errorf("barred (-want +got):\n%s", diff)
			}
			for account, s := range runs {
				if !s.Complete {
					t.Errorf("account %s: %+v", account, s)
				}
			}
		})
	}
}

// What is not known of an account is told, and told by name.
func TestAnAccountThatIsNotSweptRings(t *testing.T) {
	for _, test := range []struct {
		name                string
		trouble             func(o *org) (end func())
		missing, incomplete []string
	}{
		{"because it has no role for the hub", func(o *org) func() { o.Leave(data); return func() {} }, nil, []string{data}},
		{"because its role expects another external id", func(o *org) func() {
			// The function says another one, and so it is wrong for all members.
			o.Deploy("external-connections", "monitor", map[string]string{"MEMBER_ACCOUNTS": members, "EXTERNAL_ID": "another-id"})
			return func() {}
		}, nil, []string{web, data, tools}},
		{"because a domain of it cannot be listed", func(o *org) func() {
			f := o.World.Inject(localaws.Fault{Account: web, Operation: "ListRepositoriesInDomain", Kind: localaws.Fail(403, "AccessDeniedException", "no")})
			return f.Remove
		}, nil, []string{web}},
		{"because the sweep was killed", func(o *org) func() {
			f := o.World.Inject(localaws.Fault{Account: tools, Operation: "ListDomains", Kind: localaws.Meanwhile(o.Functions["external-connections"].Kill)})
			return f.Remove
		}, []string{tools}, nil},
		{"because its sweep was not for a member", func(o *org) func() {
			o.Deploy("external-connections", "monitor", map[string]string{"MEMBER_ACCOUNTS": web + "," + data})
			return func() {}
		}, []string{tools}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := newOrg(t, "monitor", nil)
			end := test.trouble(o)
			runs, _ := o.round()
			end()
			for _, account := range test.incomplete {
				if s := runs[account]; s.Complete || s.Verdicts[control.Undetermined] != 1 || s.Verdicts[control.Violation] != 0 {
					t.Errorf("account %s: %+v", account, s)
				}
			}
			o.Functions["planner"].Mark()
			_, before := o.round()
			if before == nil || before.Complete {
				t.Fatalf("the round before: %+v", before)
			}
			r := before.Controls[0]
			if diff := cmp.Diff(append([]string{}, test.missing...), r.Missing); diff != "" {
				t.Errorf("missing (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(append([]string{}, test.incomplete...), r.Incomplete); diff != "" {
				t.Errorf("incomplete (-want +got):\n%s", diff)
			}
			want := fmt.Sprintf("external-connections Expected 4 Missing %d Unfinished %d", len(test.missing), len(test.incomplete))
			if got := metrics(t, o.Functions["planner"].Logs()); !slices.Contains(got, want) {
				t.Errorf("metrics %q, want %q", got, want)
			}
		})
	}
}

// metrics are the lines with the planner's metrics of a control.
func metrics(t *testing.T, lines []string) (list []string) {
	t.Helper()
	for _, line := range lines {
		m := decode[struct {
			Control                       string
			Expected, Missing, Unfinished *int
		}](t, json.RawMessage(line))
		if m.Expected != nil {
			list = append(list, fmt.Sprintf("%s Expected %d Missing %d Unfinished %d", m.Control, *m.Expected, *m.Missing, *m.Unfinished))
		}
	}
	return list
}

// associate is what a developer does.
func associate(t *testing.T, o *org, account, repository string) {
	t.Helper()
	associateIn(t, o, account, account, repository)
}

// associateIn does it in the domain of an owner.
func associateIn(t *testing.T, o *org, account, owner, repository string) {
	t.Helper()
	who := o.World.Account(account)
	client := sdk.New(sdk.Options{
		Region: region, BaseEndpoint: aws.String(o.World.URL()), HTTPClient: o.World.Client(),
		Credentials: credentials.NewStaticCredentialsProvider(who.AccessKeyID, who.SecretAccessKey, who.SessionToken),
	})
	_, err := client.AssociateExternalConnection(t.Context(), &sdk.AssociateExternalConnectionInput{
		Domain: aws.String("corp"), DomainOwner: &owner, Repository: &repository, ExternalConnection: aws.String("public:npmjs"),
	})
	if err != nil {
		t.Fatal(err)
	}
	o.Events.Idle()
}

func TestAnEventOfAMemberIsActedOnThere(t *testing.T) {
	o := newOrg(t, "enforce", nil)
	if err := o.Join(web, "external-connections"); err != nil {
		t.Fatal(err)
	}
	for _, account := range []string{web, data, stranger} {
		o.domains[account].AddRepository("tool")
		associate(t, o, account, "tool")
	}
	want := []string{
		"AssociateExternalConnection in " + web + " by ",
		"DisassociateExternalConnection in " + web + " by portcullis-eu-west-1-external-connections-write",
		"AssociateExternalConnection in " + data + " by ",
		"AssociateExternalConnection in " + stranger + " by ",
	}
	if diff := cmp.Diff(want, o.Writes()); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
	var swept []string
	for _, detail := range o.Reported("Run Summary") {
		s := decode[control.Summary](t, detail)
		swept = append(swept, s.Account+" "+s.Cause)
		if s.Round != "" {
			t.Errorf("an event belongs to round %s", s.Round)
		}
	}
	if diff := cmp.Diff([]string{web + " event", data + " event"}, swept); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
	for _, f := range o.Functions["external-connections"].Failures() {
		t.Errorf("failure: %s", f.ResponsePayload)
	}
}

// Even if the bus let it in.
func TestAnEventOfAStrangerIsRefused(t *testing.T) {
	o := newOrg(t, "enforce", nil)
	payload := strings.NewReplacer("ACCOUNT", stranger).Replace(`{"id":"e","source":"aws.codeartifact","detail-type":"AWS API Call via CloudTrail","account":"ACCOUNT","region":"eu-west-1",
		"detail":{"eventSource":"codeartifact.amazonaws.com","eventName":"AssociateExternalConnection","awsRegion":"eu-west-1","userIdentity":{"accountId":"ACCOUNT"},
		"requestParameters":{"domain":"corp","repository":"app","externalConnection":"public:pypi"}}}`)
	_, err := o.Functions["external-connections"].Invoke(t.Context(), []byte(payload))
	if err == nil || !strings.Contains(err.Error(), "no way into account "+stranger) {
		t.Errorf("error %v", err)
	}
	for _, c := range o.World.Calls() {
		if c.Service == "sts" || c.Service == "codeartifact" {
			t.Errorf("called %s", c.Operation)
		}
	}
}

// A sweep that could ask for sweeps could keep itself awake for ever.
func TestASweepCannotAskForSweeps(t *testing.T) {
	o := newOrg(t, "enforce", nil)
	entry := types.PutEventsRequestEntry{
		EventBusName: aws.String(endtoend.Bus), Source: aws.String("portcullis"), DetailType: aws.String(round.RequestEvent),
		Detail: aws.String(`{"version":1,"by":"schedule","round":"r","control":"external-connections","account":"` + home + `","region":"eu-west-1","accounts":[]}`),
	}
	// The planner comes last: what it asks for stays asked for.
	for _, function := range []string{"external-connections", "planner"} {
		may := function == "planner"
		c := o.World.Role(home, o.Prefix()+"-"+function).Session("test")
		client := eventbridge.New(eventbridge.Options{
			Region: region, BaseEndpoint: aws.String(o.World.URL()), HTTPClient: o.World.Client(),
			Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken),
		})
		_, err := client.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{entry}})
		o.Events.Idle()
		if asked := len(o.Reported(round.RequestEvent)) > 0; asked != may || (err == nil) != may {
			t.Errorf("%s: asked %t, error %v", function, asked, err)
		}
	}
	if swept := len(o.Reported("Run Summary")); swept != 1 {
		t.Errorf("%d sweeps were made", swept)
	}
}

// A repository in the domain of another account shows up in both. It is one
// finding, of the owner's sweep.
func TestARepositoryOfTwoAccountsIsOneFinding(t *testing.T) {
	o := newOrg(t, "monitor", nil)
	o.domains[web].AddRepositoryOf(data, "shared").Connect("public:npmjs")
	runs, _ := o.round()
	if runs[web].Looked != 3 || runs[data].Looked != 2 || !runs[data].Complete {
		t.Errorf("%s looked at %d, %s at %d", web, runs[web].Looked, data, runs[data].Looked)
	}
	var found []string
	for _, detail := range o.Reported("Finding") {
		f := decode[struct{ Account, Resource string }](t, detail)
		if strings.HasSuffix(f.Resource, "/shared") {
			found = append(found, f.Account)
		}
	}
	if diff := cmp.Diff([]string{web}, found); diff != "" {
		t.Errorf("found by (-want +got):\n%s", diff)
	}
}

// What another account owns is for its own runs and its own mode, whoever
// administers it.
func TestNothingIsWrittenInADomainWhoseOwnerDoesNotWantIt(t *testing.T) {
	const theirs = "AssociateExternalConnection in " + data + " by "
	for _, test := range []struct {
		name string
		env  map[string]string
		wake func(o *org)
		want []string
	}{
		{"by the event of an administrator", map[string]string{"MEMBER_ACCOUNTS": members},
			func(o *org) { o.domains[web].AddRepositoryOf(data, "tool"); associateIn(o.T, o, data, web, "tool") }, []string{theirs}},
		{"by the event of an administrator, where the owner is excluded", map[string]string{"MEMBER_ACCOUNTS": web + "," + data, "EXCLUDED_ACCOUNTS": tools},
			func(o *org) { o.domains[tools].AddRepositoryOf(data, "tool"); associateIn(o.T, o, data, tools, "tool") }, []string{theirs}},
		{"by a sweep, where the owner is excluded", map[string]string{"MEMBER_ACCOUNTS": members, "EXCLUDED_ACCOUNTS": tools},
			func(o *org) { o.domains[tools].AddRepositoryOf(data, "tool").Connect("public:npmjs"); o.round() }, nil},
		{"by a sweep of the hub, where the members are not known", map[string]string{"ORGANIZATION_ID": organizationID},
			func(o *org) { o.domains[web].AddRepositoryOf(home, "tool").Connect("public:npmjs"); _ = o.Round() }, nil},
		{"by a sweep by hand", map[string]string{"MEMBER_ACCOUNTS": members}, func(o *org) {
			o.domains[web].AddRepositoryOf(home, "tool").Connect("public:npmjs")
			if _, err := o.Functions["external-connections"].Invoke(o.T.Context(), []byte(`{}`)); err != nil {
				o.T.Fatal(err)
			}
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := newOrg(t, "enforce", test.env)
			for _, d := range o.domains {
				d.AddRepository("app").Connect() // nothing to do there
			}
			if err := o.Join(data, "external-connections"); err != nil {
				t.Fatal(err)
			}
			test.wake(o)
			if diff := cmp.Diff(test.want, o.Writes()); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
			if len(o.Reported("Run Summary")) == 0 {
				t.Error("nothing ran: the test proves nothing")
			}
		})
	}
}

func TestAnExcludedAccountIsNoPartOfARound(t *testing.T) {
	o := newOrg(t, "monitor", map[string]string{"MEMBER_ACCOUNTS": members, "EXCLUDED_ACCOUNTS": tools})
	runs, _ := o.round()
	if diff := cmp.Diff([]string{home, web, data}, accounts(runs)); diff != "" {
		t.Errorf("swept (-want +got):\n%s", diff)
	}
	if _, before := o.round(); before == nil || !before.Complete {
		t.Errorf("the round before: %+v", before)
	}
}

// A run of the planner that fails loses nothing: the one after it tells both rounds.
func TestARoundThatCouldNotBeToldIsToldByTheNextRun(t *testing.T) {
	o := newOrg(t, "monitor", nil)
	o.round()
	f := o.World.Inject(localaws.Fault{Service: "logs", Kind: localaws.Fail(400, "AccessDeniedException", "no")})
	for range 2 {
		if err := o.Round(); err == nil {
			t.Error("the planner says nothing")
		}
		o.World.Advance(time.Hour)
	}
	f.Remove()
	o.round()
	told := map[string]bool{}
	for _, detail := range o.Reported(round.SummaryEvent) {
		told[decode[round.Summary](t, detail).Round] = true
	}
	// Those planned while nobody said what time it was have no time, and are not told.
	first := decode[round.Planned](t, o.Reported(round.PlannedEvent)[0])
	if !told[first.Round] || len(told) != 1 {
		t.Errorf("told %v, want %s", told, first.Round)
	}
}

const organizationID = "o-a1b2c3d4e5"

func newOrganization(t *testing.T, env map[string]string) (*org, organizations.Organization) {
	t.Helper()
	env["ORGANIZATION_ID"] = organizationID
	o := newOrg(t, "monitor", env)
	of := o.Organizations.AddOrganization(organizationID, home)
	for _, account := range []string{web, data, tools} {
		of.Set(organizations.Account{ID: account})
	}
	return o, of
}

func TestTheMembersAreThoseOfAnOrganization(t *testing.T) {
	o, of := newOrganization(t, map[string]string{"EXCLUDED_ACCOUNTS": tools})
	o.Organizations.SetPageSize(1)
	o.Organizations.SetEmptyPages(1)
	runs, _ := o.round()
	if diff := cmp.Diff([]string{home, web, data}, accounts(runs)); diff != "" {
		t.Errorf("swept (-want +got):\n%s", diff)
	}
	of.Set(organizations.Account{ID: data, State: organizations.Suspended})
	runs, before := o.round()
	if diff := cmp.Diff([]string{home, web}, accounts(runs)); diff != "" || !before.Complete {
		t.Errorf("complete %t, swept (-want +got):\n%s", before.Complete, diff)
	}
}

// A hub that does not know its members says so, and goes on with what it knows.
func TestMembersThatCannotBeListedRing(t *testing.T) {
	for name, kind := range map[string]localaws.Kind{
		"because it may not":                   localaws.Fail(400, "AccessDeniedException", "no"),
		"because the answer is something else": localaws.Body(200, `{}`),
	} {
		t.Run(name, func(t *testing.T) {
			o, _ := newOrganization(t, map[string]string{})
			f := o.World.Inject(localaws.Fault{Service: "organizations", Kind: kind})
			if err := o.Round(); err == nil || !strings.Contains(err.Error(), "only "+home+" is swept") {
				t.Errorf("error %v", err)
			}
			var swept []string
			for _, detail := range o.Reported("Run Summary") {
				swept = append(swept, decode[control.Summary](t, detail).Account)
			}
			if diff := cmp.Diff([]string{home}, swept); diff != "" {
				t.Errorf("swept (-want +got):\n%s", diff)
			}
			f.Remove()
			o.World.Advance(time.Hour)
			if _, before := o.round(); before == nil || before.Complete || before.Unknown == "" {
				t.Errorf("the round before: %+v", before)
			}
		})
	}
}

// What became of a round must be read whole, or not be told.
func TestARoundIsNotToldFromAPartOfItsEvents(t *testing.T) {
	for name, kind := range map[string]localaws.Kind{
		"the log may not be read": localaws.Fail(400, "AccessDeniedException", "no"),
		"the log is gone":         localaws.Fail(400, "ResourceNotFoundException", "no"),
		"the answer has no list":  localaws.Body(200, `{}`),
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrg(t, "monitor", nil)
			o.round()
			f := o.World.Inject(localaws.Fault{Service: "logs", Skip: 1, Kind: kind}) // the first asks for the time
			if err := o.Round(); err == nil || !strings.Contains(err.Error(), "what became of earlier rounds could not be read") {
				t.Errorf("error %v", err)
			}
			if list := o.Reported(round.SummaryEvent); list != nil {
				t.Errorf("told %s", list)
			}
			if n := len(o.Reported("Run Summary")); n != 8 {
				t.Errorf("%d sweeps in two rounds, want 8: the round itself goes on", n)
			}
			f.Remove()
			o.World.Advance(time.Hour)
			if _, before := o.round(); before == nil || !before.Complete {
				t.Errorf("the round before: %+v", before)
			}
		})
	}
}

// found has a round made, and returns the counts of rounds that the planner found in
// the log.
func (o *org) found() (list []int) {
	o.T.Helper()
	o.Functions["planner"].Mark()
	if err := o.Round(); err != nil {
		o.T.Fatal(err)
	}
	for _, line := range o.Functions["planner"].Logs() {
		if m := decode[struct {
			Control     string
			RoundsFound *int
		}](o.T, json.RawMessage(line)); m.RoundsFound != nil && m.Control == round.Name {
			list = append(list, *m.RoundsFound)
		}
	}
	return list
}

// A log that nothing comes into reads like one without rounds, so the planner counts
// those that it finds.
func TestALogThatNothingComesIntoRings(t *testing.T) {
	o := newOrg(t, "monitor", nil)
	o.round()
	if got := o.found(); len(got) != 1 || got[0] < 1 {
		t.Errorf("found %v rounds, and there was one", got)
	}
	o.Logs.RemoveGroup(home, region, hub.EventsLog)
	o.Logs.AddGroup(home, region, hub.EventsLog) // the rule does not know it
	for range 2 {
		o.World.Advance(time.Hour)
		if diff := cmp.Diff([]int{0}, o.found()); diff != "" {
			t.Errorf("rounds found in a log without any (-want +got):\n%s", diff)
		}
	}
}

// A run may slip, and finds the round before it even so. A round that is older than
// that stays in the log, and does not count: it would hide that nothing comes after it.
func TestOnlyTheLastRoundsAreFound(t *testing.T) {
	const every = time.Hour
	o := newOrg(t, "monitor", nil)
	o.round()
	planned := o.World.Now().Add(-time.Hour)
	o.Events.SetEnabled(home, region, hub.Name, "EventsToLog", false) // what is planned from here on is not found
	for _, step := range []struct {
		age  time.Duration
		want int
	}{
		{every, 1},
		{every + 5*time.Second, 1},
		{every + round.Longest - time.Minute, 1},
		{every + round.Longest + time.Minute, 0},
	} {
		o.World.Advance(planned.Add(step.age).Sub(o.World.Now()))
		if diff := cmp.Diff([]int{step.want}, o.found()); diff != "" {
			t.Errorf("rounds found %v after the only one in the log (-want +got):\n%s", step.age, diff)
		}
	}
}

// The events of one round are in the log twice, as EventBridge may deliver them.
func TestARoundIsToldOnceAndCountsOnce(t *testing.T) {
	o := newOrg(t, "monitor", nil)
	if err := o.Wake("EventsToLog", o.Log.Take); err != nil {
		t.Fatal(err)
	}
	o.round()
	if _, before := o.round(); before == nil || before.Controls[0].Looked != 8 {
		t.Errorf("the round before: %+v", before)
	}
	o.round()
	told := map[string]int{}
	for _, detail := range o.Reported(round.SummaryEvent) {
		told[decode[round.Summary](t, detail).Round]++
	}
	for id, n := range told {
		if n != 1 {
			t.Errorf("round %s was told %d times", id, n)
		}
	}
}

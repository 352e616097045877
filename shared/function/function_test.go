package function_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/google/go-cmp/cmp"

	"portcullis/shared/control"
	"portcullis/shared/function"
	"portcullis/shared/policy"
	"portcullis/shared/trigger"
)

const (
	home    = "111122223333"
	partner = "444455556666"
	region  = "eu-west-1"
	role    = "arn:aws:iam::111122223333:role/portcullis"
)

const rules = `
version: 1
limits: {count: 10, share: 100%}
enforce_on:
  - domains: ["corp"]
external_connections:
  allow:
    - repositories: ["corp/store"]
      connections: ["public:nobody-knows"]
`

// A bus takes every event.
type bus struct{ taken []types.PutEventsRequestEntry }

func (b *bus) PutEvents(_ context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	out := &eventbridge.PutEventsOutput{}
	for _, e := range in.Entries {
		b.taken = append(b.taken, e)
		out.Entries = append(out.Entries, types.PutEventsResultEntry{EventId: aws.String("id")})
	}
	return out, nil
}

// A pen writes down what a function writes, but for the lines that it refuses.
type pen struct {
	bytes.Buffer
	refuse string
}

func (p *pen) Write(line []byte) (int, error) {
	if p.refuse != "" && bytes.Contains(line, []byte(p.refuse)) {
		return 0, errors.New("disk full")
	}
	return p.Buffer.Write(line)
}

type object = map[string]any

func (p *pen) lines(t *testing.T) (list []object) {
	t.Helper()
	for line := range strings.Lines(p.String()) {
		var o object
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		list = append(list, o)
	}
	return list
}

// environment is that of a function under a policy; the changes are in turn the
// names and values of what is different.
func environment(t *testing.T, rules string, changes ...string) func(string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"ACCOUNT_ID": home, "AWS_REGION": region, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret",
		"EVENT_BUS": "portcullis", "POLICY_FILE": file, "ENFORCEMENT_MODE": "enforce", "ROLE_ARN": role,
	}
	for i := 0; i < len(changes); i += 2 {
		env[changes[i]] = changes[i+1]
	}
	return func(name string) string { return env[name] }
}

func connections(p *policy.Policy) bool { return p.ExternalConnections != nil }

// deploy starts a function whose events reach a bus.
func deploy(t *testing.T, out *pen, changes ...string) (*function.Function, *bus) {
	t.Helper()
	f, err := function.New("external-connections", "external_connections", connections, environment(t, rules, changes...), out)
	if err != nil {
		t.Fatal(err)
	}
	b := &bus{}
	f.Reporter.API = b
	return &f, b
}

func TestAFunctionDoesNotStartThatCouldNotDoWhatItsDeploymentSays(t *testing.T) {
	const bare = "version: 1\nlimits: {count: 1, share: 1%}\n"
	for _, test := range []struct {
		name    string
		rules   string
		changes []string
		want    string // what the error says; empty for none
	}{
		{"without a bus", rules, []string{"EVENT_BUS", ""}, "EVENT_BUS"},
		{"in a mode that does not exist", rules, []string{"ENFORCEMENT_MODE", "on"}, "ENFORCEMENT_MODE"},
		{"without a policy", rules, []string{"POLICY_FILE", "/nowhere"}, "reading the policy"},
		{"under a policy that cannot be read", "version: 9", nil, "reading the policy"},
		{"under a policy without its section", bare, nil, "has no section external_connections, but external-connections is in enforce mode"},
		{"without an account", rules, []string{"ACCOUNT_ID", ""}, "ACCOUNT_ID"},
		{"that is off, under a policy without its section", bare, []string{"ENFORCEMENT_MODE", "off"}, ""},
		{"that is deployed as it should be", rules, nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, err := function.New("external-connections", "external_connections", connections, environment(t, test.rules, test.changes...), &pen{})
			if test.want == "" {
				if err != nil || f.AWS.Home() != (control.Scope{Account: home, Region: region}) || f.Control != "external-connections" {
					t.Errorf("function %+v, error %v", f, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that says %q", err, test.want)
			}
		})
	}
}

func TestAStartTellsWhatIsDoubtfulInThePolicy(t *testing.T) {
	out := &pen{}
	deploy(t, out)
	if lines := out.lines(t); len(lines) != 1 || lines[0]["level"] != "WARN" || !strings.Contains(fmt.Sprint(lines[0]["warning"]), "public:nobody-knows") {
		t.Errorf("log: %s", out)
	}
}

func event() trigger.Trigger {
	return trigger.Trigger{Cause: trigger.Event, ID: "e-1", Account: home, Region: region}
}

func TestARunIsBegun(t *testing.T) {
	with := func(change func(*trigger.Trigger)) trigger.Trigger {
		e := event()
		change(&e)
		return e
	}
	for _, test := range []struct {
		name    string
		why     trigger.Trigger
		changes []string
		ignored string // why, if it is
		sweep   bool
	}{
		{"for an event", event(), nil, "", false},
		{"for the schedule", trigger.Trigger{Cause: trigger.Sweep}, nil, "", true},
		{"for a person", trigger.Trigger{Cause: trigger.Hand}, nil, "", true},
		{"for a call by somebody else", with(func(e *trigger.Trigger) { e.Caller = role + "-of-somebody" }), nil, "", false},
		{"for a call by nobody known, where its own role is not known either", event(), []string{"ROLE_ARN", ""}, "", false},

		{"but ignored, for a call of its own", with(func(e *trigger.Trigger) { e.Caller = role }), nil, "the call was made by this function", false},
		{"but ignored, for what is none of its business", trigger.Trigger{Cause: trigger.None, Ignored: "not mine"}, nil, "not mine", false},
		{"but ignored, for what is none of its business in another account", trigger.Trigger{Cause: trigger.None, Account: partner, Region: region, Ignored: "not mine"}, nil, "not mine", false},
		{"but ignored, in an account that is excluded", trigger.Trigger{Cause: trigger.Event, Account: partner, Region: region}, []string{"EXCLUDED_ACCOUNTS", partner}, "account " + partner + " is excluded", false},
		{"but ignored, for an event while it is off", event(), []string{"ENFORCEMENT_MODE", "off"}, "the control is off", false},
		{"but ignored, for the schedule while it is off", trigger.Trigger{Cause: trigger.Sweep}, []string{"ENFORCEMENT_MODE", "off"}, "the control is off", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, _ := deploy(t, &pen{}, test.changes...)
			run, err := f.Begin(t.Context(), test.why)
			if err != nil {
				t.Fatal(err)
			}
			if run.Summary.Ignored != test.ignored || run.Over() != (test.ignored != "") || run.Sweep != test.sweep {
				t.Errorf("ignored %q, sweep %t; want %q, %t", run.Summary.Ignored, run.Sweep, test.ignored, test.sweep)
			}
			if want := (control.Scope{Account: home, Region: region}); run.Scope != want || run.Summary.Scope != want {
				t.Errorf("scope %v, in the summary %v", run.Scope, run.Summary.Scope)
			}
			if run.Summary.Cause != string(test.why.Cause) || run.Summary.Event != test.why.ID {
				t.Errorf("summary: %+v", run.Summary)
			}
		})
	}
}

func TestARunIsRefusedForAnEventOfAnotherScope(t *testing.T) {
	for name, scope := range map[string]control.Scope{
		"another account": {Account: partner, Region: region},
		"another Region":  {Account: home, Region: "us-east-1"},
	} {
		t.Run(name, func(t *testing.T) {
			out := &pen{}
			f, _ := deploy(t, out)
			why := event()
			why.Account, why.Region = scope.Account, scope.Region
			run, err := f.Begin(t.Context(), why)
			if run != nil || err == nil || !strings.Contains(err.Error(), "no way into account "+scope.Account) {
				t.Errorf("run %+v, error %v", run, err)
			}
			if line := out.lines(t)[1]; line["message"] != "event refused" || line["level"] != "ERROR" {
				t.Errorf("log: %v", line)
			}
		})
	}
}

func TestASweepIsRefusedThatIsNotForThisFunction(t *testing.T) {
	for _, test := range []struct {
		name string
		by   trigger.Request
		want string // what the error says; empty for none
	}{
		{"asked for by its own account", trigger.Request{Sender: home, Control: "external-connections"}, ""},
		{"asked for by hand", trigger.Request{}, ""},
		{"asked for by another account", trigger.Request{Sender: partner}, "was requested by account " + partner},
		{"asked of another control", trigger.Request{Sender: home, Control: "package-groups"}, "was requested of package-groups"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, _ := deploy(t, &pen{})
			run, err := f.Begin(t.Context(), trigger.Trigger{Cause: trigger.Sweep, Request: test.by})
			if test.want == "" {
				if err != nil || run.Over() {
					t.Errorf("run %+v, error %v", run, err)
				}
				return
			}
			if run != nil || err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("run %+v, error %v", run, err)
			}
		})
	}
}

// sts answers for the roles of a member: those that it denies, and any other.
func sts(t *testing.T, denied string) string {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err == nil && denied != "" && strings.HasSuffix(r.Form.Get("RoleArn"), denied) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>`))
			return
		}
		_, _ = w.Write([]byte(`<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>x</SecretAccessKey>` +
			`<SessionToken>x</SessionToken><Expiration>2199-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`))
	}))
	t.Cleanup(web.Close)
	return web.URL
}

func hub(t *testing.T, denied string) []string {
	return []string{"MEMBER_ACCOUNTS", partner, "MEMBER_ROLES", "portcullis-eu-west-1", "EXTERNAL_ID", "secret", "AWS_ENDPOINT_URL", sts(t, denied)}
}

// Nothing is known of an account that cannot be entered, which is not the same as
// an account with nothing in it.
func TestAnAccountThatCannotBeEnteredIsUndetermined(t *testing.T) {
	for _, test := range []struct {
		why    trigger.Trigger
		failed bool
	}{
		{trigger.Trigger{Cause: trigger.Sweep, Account: partner, Region: region, Request: trigger.Request{Round: "r-1"}}, false},
		{trigger.Trigger{Cause: trigger.Hand, Account: partner}, false},
		{trigger.Trigger{Cause: trigger.Event, Account: partner, Region: region}, true},
	} {
		f, b := deploy(t, &pen{}, hub(t, "-read")...)
		run := begun(t, f, test.why)
		if !run.Over() {
			t.Fatalf("%s: the run goes on", test.why.Cause)
		}
		s, err := finish(t, run)
		if (err != nil) != test.failed || s.Complete || s.Account != partner || s.Region != region || s.Verdicts[control.Undetermined] != 1 || s.Ignored != "" || s.Round != test.why.Request.Round {
			t.Errorf("%s: summary %+v, error %v", test.why.Cause, s, err)
		}
		if finding := *b.taken[0].Detail; !strings.Contains(finding, `"access-denied"`) || !strings.Contains(finding, "deploy member.yaml") || !strings.Contains(finding, "role/portcullis-eu-west-1-read") {
			t.Errorf("%s: finding %s", test.why.Cause, finding)
		}
	}
}

// An account has a mode of its own, and says it by the role that it grants.
func TestNothingIsWrittenInAnAccountThatDoesNotGrantIt(t *testing.T) {
	for denied, wrote := range map[string][]string{"": {"a"}, "-external-connections-write": nil} {
		f, _ := deploy(t, &pen{}, hub(t, denied)...)
		run := begun(t, f, trigger.Trigger{Cause: trigger.Sweep, Account: partner, Region: region})
		e := &estate{}
		run.CarryOut(t.Context(), t.Context(), plan("a"), true, e)
		s, err := finish(t, run)
		if err != nil || !slices.Equal(e.wrote, wrote) || !s.Complete || s.Outcomes[control.Withheld] != 1-len(wrote) {
			t.Errorf("denied %q: wrote %q, summary %+v, error %v", denied, e.wrote, s, err)
		}
	}
}

func TestWhatAnotherAccountOwnsIsLeftToIt(t *testing.T) {
	const (
		member   = partner
		third    = "222233334444"
		excluded = "333344445555"
		stranger = "999988887777"
	)
	listed := []string{"MEMBER_ACCOUNTS", member + "," + third, "EXCLUDED_ACCOUNTS", excluded}
	organization := []string{"MEMBER_ACCOUNTS", "", "ORGANIZATION_ID", "o-a1b2c3d4e5", "EXCLUDED_ACCOUNTS", excluded}
	for _, test := range []struct {
		name    string
		changes []string
		covered []string
		left    []string // of all of these, looked at from the member
	}{
		{"where the members are listed", listed, nil, []string{home, third, excluded}},
		{"where the members are listed, in a round", listed, []string{home}, []string{home, third, excluded}},
		{"where the members are those of an organization, in a round", organization, []string{home, member, third}, []string{home, third, excluded}},
		{"where the members are those of an organization and not known", organization, nil, []string{home, third, excluded, stranger}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, _ := deploy(t, &pen{}, append(hub(t, ""), test.changes...)...)
			run := begun(t, f, trigger.Trigger{Cause: trigger.Sweep, Account: member, Region: region, Request: trigger.Request{Covered: test.covered}})
			var left []string
			for _, owner := range []string{home, member, third, excluded, stranger} {
				if run.LeftToOwner(owner) {
					left = append(left, owner)
				}
			}
			if diff := cmp.Diff(test.left, left); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("but not where there are no members", func(t *testing.T) {
		f, _ := deploy(t, &pen{})
		if run := begun(t, f, trigger.Trigger{Cause: trigger.Sweep}); run.LeftToOwner(partner) || run.LeftToOwner(home) {
			t.Error("something is left")
		}
	})
}

// That an account bars writes must be known, not guessed.
func TestARunThatCouldNotAskWhetherItMayWriteIsNotComplete(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("<html>please sign in</html>"))
	}))
	defer web.Close()
	changes := hub(t, "")
	f, _ := deploy(t, &pen{}, changes...)
	run := begun(t, f, trigger.Trigger{Cause: trigger.Sweep, Account: partner, Region: region})
	// The role that reads was assumed; the one that writes is asked for now.
	other, _ := deploy(t, &pen{}, append(changes, "AWS_ENDPOINT_URL", web.URL)...)
	session, err := other.AWS.Session(run.Scope)
	if err != nil {
		t.Fatal(err)
	}
	run.Session.Writes = session.Writes
	e := &estate{}
	run.CarryOut(t.Context(), t.Context(), plan("a"), true, e)
	if s, err := finish(t, run); err != nil || e.wrote != nil || s.Complete || s.Outcomes[control.Withheld] != 1 {
		t.Errorf("wrote %q, summary %+v, error %v", e.wrote, s, err)
	}
}

// The record of a failure holds the error, and must fit into the failure queue.
func TestARefusalIsShort(t *testing.T) {
	out := &pen{}
	f, _ := deploy(t, out)
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "request-1"})
	long := fmt.Errorf("%w: %s", trigger.ErrUnreadable, strings.Repeat("x", 1<<20))
	if err := f.Refuse(ctx, long); len(err.Error()) > 4096 || !strings.HasPrefix(err.Error(), trigger.ErrUnreadable.Error()) {
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
	if err := f.Refuse(ctx, trigger.ErrUnreadable); !errors.Is(err, trigger.ErrUnreadable) {
		t.Errorf("an error that is short became %v", err)
	}
	for line := range strings.Lines(out.String()) {
		if len(line) > 4096 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
	if line := out.lines(t)[1]; line["message"] != "event refused" || line["run"] != "request-1" || line["control"] != "external-connections" {
		t.Errorf("log: %v", line)
	}
}

// An estate is what a run finds: its actions answer violations and can be written.
type estate struct {
	reading func() // during the second reading, if not nil
	wrote   []string
}

func violation(id, domain string) (control.Finding, control.Action) {
	f := control.Finding{ID: id, Verdict: control.Violation}
	return f, control.Action{ID: id, Owner: home, Domain: domain}
}

func plan(ids ...string) control.Plan {
	p := control.Plan{Looked: 10}
	for _, id := range ids {
		f, a := violation(id, "corp")
		p.Findings, p.Actions = append(p.Findings, f), append(p.Actions, a)
	}
	return p
}

func (e *estate) Recheck(_ context.Context, a control.Action) control.Plan {
	if e.reading != nil {
		e.reading()
	}
	return plan(a.ID)
}

func (e *estate) Write(_ context.Context, a control.Action) (control.Answer, error) {
	e.wrote = append(e.wrote, a.ID)
	return control.Accepted, nil
}

func (e *estate) Verify(context.Context, control.Action) (control.Look, error) {
	return control.Look{Done: true}, nil
}

// finish ends a run, and returns its summary.
func finish(t *testing.T, run *function.Run) (control.Summary, error) {
	t.Helper()
	answer, failure := run.Finish(t.Context())
	var s control.Summary
	if err := json.Unmarshal(answer, &s); err != nil {
		t.Fatalf("answer %q: %v", answer, err)
	}
	return s, failure
}

func begun(t *testing.T, f *function.Function, why trigger.Trigger) *function.Run {
	t.Helper()
	run, err := f.Begin(t.Context(), why)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// Whoever reads what a function did can tell which program it was.
func TestTheSummaryTellsTheBuild(t *testing.T) {
	for _, build := range []string{"", "0e2c120d2b1f0a7c5d4e3f2a1b0c9d8e7f6a5b4c-dirty"} {
		f, b := deploy(t, &pen{})
		f.Build = build
		s, err := finish(t, begun(t, f, trigger.Trigger{Cause: trigger.Sweep}))
		if err != nil || s.Build != build {
			t.Errorf("the answer tells build %q (error %v), want %q", s.Build, err, build)
		}
		var told struct{ Build *string }
		if err := json.Unmarshal([]byte(aws.ToString(b.taken[len(b.taken)-1].Detail)), &told); err != nil {
			t.Fatal(err)
		}
		if (told.Build != nil) != (build != "") || told.Build != nil && *told.Build != build {
			t.Errorf("the event tells another build than %q: %s", build, *b.taken[len(b.taken)-1].Detail)
		}
	}
}

func TestAPlanIsCarriedOutAsFarAsTheGateLetsIt(t *testing.T) {
	f, b := deploy(t, &pen{})
	run := begun(t, f, trigger.Trigger{Cause: trigger.Sweep})
	p := plan("a")
	elsewhere, action := violation("b", "lab")
	p.Findings, p.Actions = append(p.Findings, elsewhere), append(p.Actions, action)
	e := &estate{}
	run.CarryOut(t.Context(), t.Context(), p, true, e)
	s, err := finish(t, run)
	if err != nil || !slices.Equal(e.wrote, []string{"a"}) {
		t.Errorf("wrote %q, error %v", e.wrote, err)
	}
	if !s.Complete || s.Looked != 10 || s.Wanted != 1 || s.Allowed != 10 || s.Verdicts[control.Violation] != 2 || s.Outcomes[control.Applied] != 1 || s.Outcomes[control.Withheld] != 1 {
		t.Errorf("summary: %+v", s)
	}
	var sent []string
	for _, e := range b.taken {
		var detail struct{ ID, Status string }
		if err := json.Unmarshal([]byte(*e.Detail), &detail); err != nil {
			t.Fatal(err)
		}
		sent = append(sent, strings.TrimSpace(*e.DetailType+" "+detail.ID+" "+detail.Status))
	}
	want := []string{"Finding a", "Finding b", "Action Outcome b withheld", "Action Outcome a applied", "Run Summary"}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestARunWhoseIntentIsNotRecordedIsAnErrorAndWritesNothing(t *testing.T) {
	f, _ := deploy(t, &pen{refuse: `"message":"intent"`})
	run := begun(t, f, trigger.Trigger{Cause: trigger.Sweep})
	e := &estate{}
	run.CarryOut(t.Context(), t.Context(), plan("a", "b"), true, e)
	s, err := finish(t, run)
	if err == nil || !strings.Contains(err.Error(), "2 writes were not made because their intent could not be recorded") {
		t.Errorf("error %v", err)
	}
	if e.wrote != nil || s.Outcomes[control.Withheld] != 2 {
		t.Errorf("wrote %q, summary %+v", e.wrote, s)
	}
}

func TestARunThatHadToStopIsNotComplete(t *testing.T) {
	f, _ := deploy(t, &pen{})
	run := begun(t, f, trigger.Trigger{Cause: trigger.Sweep})
	begin, stop := context.WithCancel(t.Context())
	e := &estate{reading: stop}
	run.CarryOut(t.Context(), begin, plan("a", "b"), true, e)
	s, err := finish(t, run)
	if err != nil || s.Complete || s.Outcomes[control.Withheld] != 2 || e.wrote != nil {
		t.Errorf("wrote %q, summary %+v, error %v", e.wrote, s, err)
	}
}

// Lambda tries an event again whose run ends with an error. A sweep comes again by itself.
func TestOnlyAnEventThatCouldNotBeJudgedIsAnError(t *testing.T) {
	for _, test := range []struct {
		why      trigger.Trigger
		complete bool
		failed   bool
	}{
		{event(), false, true},
		{event(), true, false},
		{trigger.Trigger{Cause: trigger.Sweep}, false, false},
		{trigger.Trigger{Cause: trigger.Hand}, false, false},
	} {
		f, _ := deploy(t, &pen{})
		run := begun(t, f, test.why)
		run.CarryOut(t.Context(), t.Context(), control.Plan{}, test.complete, nil)
		if s, err := finish(t, run); (err != nil) != test.failed || s.Complete != test.complete {
			t.Errorf("%s, complete %t: summary %+v, error %v", test.why.Cause, test.complete, s, err)
		}
	}
}

// A run that looked at one thing, or at nothing, must not say of the estate that it
// is complete or without violations.
func TestOnlyASweepSaysInTheMetricsWhatTheEstateIsLike(t *testing.T) {
	all := []string{"Looked", "Violations", "Waived", "Undetermined", "Complete"}
	for _, test := range []struct {
		name    string
		why     trigger.Trigger
		plan    control.Plan
		changes []string
		want    []string
	}{
		{"a sweep", trigger.Trigger{Cause: trigger.Sweep}, control.Plan{Looked: 1}, nil, all},
		{"a sweep by hand", trigger.Trigger{Cause: trigger.Hand}, control.Plan{Looked: 1}, nil, all},
		{"an event that found nothing", event(), control.Plan{Looked: 1}, nil, nil},
		{"an event that found a violation", event(), plan("a"), nil, []string{"Violations"}},
		{"an ignored event", trigger.Trigger{Cause: trigger.None, Ignored: "not mine"}, control.Plan{}, nil, nil},
		{"a sweep while the control is off", trigger.Trigger{Cause: trigger.Sweep}, control.Plan{}, []string{"ENFORCEMENT_MODE", "off"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			out := &pen{}
			f, _ := deploy(t, out, test.changes...)
			run := begun(t, f, test.why)
			if !run.Over() {
				run.CarryOut(t.Context(), t.Context(), test.plan, true, &estate{})
			}
			if _, err := finish(t, run); err != nil {
				t.Fatal(err)
			}
			lines := out.lines(t)
			metrics := lines[len(lines)-1]
			if metrics["_aws"] == nil {
				t.Fatalf("the last line has no metrics: %v", metrics)
			}
			var got []string
			for _, name := range all {
				if metrics[name] != nil {
					got = append(got, name)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("said of the estate (-want +got):\n%s", diff)
			}
			if ignored := metrics["Ignored"]; ignored != map[bool]float64{true: 1, false: 0}[run.Summary.Ignored != ""] {
				t.Errorf("ignored: %v", ignored)
			}
		})
	}
}

// A waiver ends without anybody doing anything, so a sweep says it beforehand and
// afterwards, whether or not there is anything that it waives.
func TestASweepTellsTheEndOfWaivers(t *testing.T) {
	lastDay := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC) // as the policy writes it
	w := policy.Term{ID: "legacy", Owner: "team-web", Expires: lastDay.AddDate(0, 0, 1)}
	const (
		soon = "waiver legacy of team-web ends on 2026-11-30"
		over = "waiver legacy of team-web is over since 2026-12-01: renew it or take it out of the policy"
	)
	for _, test := range []struct {
		name string
		why  trigger.Cause
		now  time.Time
		want []string

		elsewhere bool
	}{
		{"months before", trigger.Sweep, lastDay.AddDate(0, -2, 0), nil, false},
		{"two weeks before", trigger.Sweep, lastDay.AddDate(0, 0, -13), []string{soon}, false},
		{"on the last day", trigger.Sweep, lastDay.Add(23 * time.Hour), []string{soon}, false},
		{"on the day after", trigger.Sweep, lastDay.AddDate(0, 0, 1), []string{over}, false},
		{"long after", trigger.Hand, lastDay.AddDate(1, 0, 0), []string{over}, false},
		{"not for an event", trigger.Event, lastDay.AddDate(0, 0, 1), nil, false},
		{"not where the time is not known", trigger.Sweep, time.Time{}, nil, false},
		{"not by the sweep of a member: one policy is for all", trigger.Sweep, lastDay.AddDate(0, 0, 1), nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Date"] = nil
				if !test.now.IsZero() {
					w.Header().Set("Date", test.now.Format(http.TimeFormat))
				}
				w.Header().Set("X-Amzn-RequestId", "r-1")
				_, _ = w.Write([]byte(`{"domains":[]}`))
			}))
			defer web.Close()
			out := &pen{}
			f, _ := deploy(t, out, "AWS_ENDPOINT_URL", web.URL)
			run := begun(t, f, trigger.Trigger{Cause: test.why})
			if test.elsewhere {
				run.Scope.Account = partner
			}
			if _, err := codeartifact.NewFromConfig(run.Session.Reads).ListDomains(t.Context(), &codeartifact.ListDomainsInput{}); err != nil {
				t.Fatal(err)
			}
			run.CarryOut(t.Context(), t.Context(), control.Plan{}, true, nil)
			run.Waiver(w)
			if _, err := finish(t, run); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, line := range out.lines(t) {
				if line["message"] == "waiver" {
					if line["level"] != "WARN" {
						t.Errorf("level %v", line["level"])
					}
					got = append(got, fmt.Sprint(line["text"]))
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
		})
	}
}

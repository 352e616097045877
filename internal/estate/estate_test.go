package estate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/localaws"
	"portcullis/shared/localaws/codeartifact"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/proton"
	"portcullis/shared/localaws/witness"
	"portcullis/shared/policy"
)

const (
	home   = "111122223333"
	region = "eu-west-1"
)

const head = "version: 1\nlimits: {count: 10, share: 10%}\n"

const everything = head + `external_connections:
  allow:
    - {repositories: ["corp/npm-store"], connections: ["public:npmjs"]}
    - {repositories: ["corp/nobody"], connections: ["public:npmjs"]}
  waivers:
    - {repositories: ["corp/legacy"], connections: ["public:pypi"], reason: r, owner: o, expires: 2030-01-31}
package_groups:
  min_age: 14d
  grace: 14d
  keep: [{groups: ["/maven/**"]}, {groups: ["/npm/acme/*"]}]
package_origins:
  guard:
    - {package: "pkg:npm/%40acme/ui", domains: [corp], external_upstream: block, publish: [npm-store]}
    - {package: "pkg:npm/%40acme/ui", domains: [lab], external_upstream: block}
proton_connections:
  approve:
    - {environment_accounts: ["222222222222"], management_accounts: ["111122223333"], environments: ["prod-*"]}
    - {environment_accounts: ["222222222222"], management_accounts: ["111122223333"], environments: ["lab-*"]}
  rejected_after: 7d
  pending_after: 30d
`

func parse(t testing.TB, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse("policy.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// look looks at a local AWS with something for every control in it, and returns
// what was seen and what was concluded from it there and then.
func look(t testing.TB, p *policy.Policy, more func(*localaws.World)) (Estate, []control.Plan) {
	t.Helper()
	w, err := localaws.New(time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	witness.Watch(t, w)
	packages := codeartifact.New(w)
	corp := packages.AddDomain(home, region, "corp")
	corp.AddRepository("npm-store").Connect("public:npmjs")
	corp.AddRepository("web").Connect("public:npmjs")
	corp.AddRepository("web-build").Upstream("web")
	corp.AddRepository("legacy").Connect("public:pypi")
	corp.PackageGroup("/npm/*").Add()
	corp.PackageGroup("/npm/acme/*").Add().SetMode(codeartifact.ExternalUpstream, codeartifact.Block)
	corp.PackageGroup("/npm/acme/*").SetMode(codeartifact.Publish, codeartifact.AllowSpecific, "npm-store")
	corp.PackageGroup("/pypi/*").Add()
	corp.PackageGroup("/nuget/*").Add().Tag("portcullis:keep", "")
	packages.AddDomain(home, region, "empty")
	connections := proton.New(w, eventbridge.New(w))
	connections.AddConnection(proton.Request{EnvironmentAccount: "222222222222", ManagementAccount: home, EnvironmentName: "prod-eu", Region: region})
	connections.AddConnection(proton.Request{EnvironmentAccount: home, ManagementAccount: "333333333333", EnvironmentName: "prod-eu", Region: region})
	w.Advance(400 * 24 * time.Hour)
	if more != nil {
		more(w)
	}
	who := w.Account(home)
	way := awsio.ForPerson(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: who.AccessKeyID, SecretAccessKey: who.SecretAccessKey, SessionToken: who.SessionToken}, nil
	}), control.Scope{Account: home, Region: region}, w.URL(), control.Monitor)
	e := Estate{Tool: "test", Policy: p.Hash}
	var plans []control.Plan
	for _, c := range Controls() {
		part, plan, err := c.Look(awsio.ByHand(t.Context()), way, way.Home(), p)
		if err != nil {
			t.Fatal(err)
		}
		e.Parts = append(e.Parts, part)
		plans = append(plans, plan)
	}
	if writes := w.Writes(); len(writes) > 0 {
		t.Errorf("looking wrote: %v", writes)
	}
	return e, plans
}

func kept(t testing.TB, e Estate) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := e.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sick has every control read a part of what there is, and not all of it.
func sick(w *localaws.World) {
	// Of package-origins there is one call in all, which package-groups makes as well.
	for operation, well := range map[string]int{"DescribeRepository": 1, "ListPackageGroups": 1, "GetAssociatedPackageGroup": 0, "ListEnvironmentAccountConnections": 1} {
		w.Inject(localaws.Fault{Operation: operation, Skip: well, Kind: localaws.Fail(http.StatusForbidden, "AccessDeniedException", "no")})
	}
}

func TestWhatIsReadBackIsJudgedAsItWasSeen(t *testing.T) {
	p := parse(t, everything)
	for name, more := range map[string]func(*localaws.World){
		"all of it": nil,
		"in parts":  sick,
		"without the time": func(w *localaws.World) {
			w.Inject(localaws.Fault{Kind: localaws.NoDate()})
		},
	} {
		t.Run(name, func(t *testing.T) {
			e, plans := look(t, p, more)
			loaded, err := Read(kept(t, e))
			if err != nil {
				t.Fatal(err)
			}
			if loaded.Tool != "test" || loaded.Policy != p.Hash || !loaded.At().Equal(e.At()) || len(loaded.Parts) != len(Controls()) {
				t.Fatalf("read back %s, %s, %s, %d parts", loaded.Tool, loaded.Policy, loaded.At(), len(loaded.Parts))
			}
			for i, part := range loaded.Parts {
				if diff := cmp.Diff(plans[i], part.Judge(p)); diff != "" {
					t.Errorf("%s (-seen +read back):\n%s", part.Control, diff)
				}
				if len(plans[i].Findings) == 0 {
					t.Errorf("%s: there is nothing to compare", part.Control)
				}
			}
			if c := loaded.Compare(p, p); len(c.Changes) > 0 || c.OldWrites != c.NewWrites {
				t.Errorf("the same policy changes %+v", c)
			}
		})
	}
}

// A part of a file looks like an estate with fewer doors in it, so wherever it is
// cut off, it is refused.
func TestAFileThatIsCutOffIsRefused(t *testing.T) {
	e, _ := look(t, parse(t, everything), nil)
	data := kept(t, e)
	for n := range len(bytes.TrimSpace(data)) {
		if _, err := Read(data[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes are read", n, len(data))
		}
	}
}

func TestRefuses(t *testing.T) {
	e, _ := look(t, parse(t, everything), nil)
	good := string(kept(t, e))
	seen := func(is string) string {
		return fmt.Sprintf(`{"format": "portcullis-estate", "version": 1, "parts": [{"account": "111122223333", "region": "eu-west-1", "control": "external-connections", "complete": true, "seen": %s}]}`, is)
	}
	other := func(change func(*Part)) string {
		more := e
		part := e.Parts[0]
		change(&part)
		more.Parts = append(slices.Clone(e.Parts), part)
		return string(kept(t, more))
	}
	for _, test := range []struct{ name, text, want string }{
		{"an empty file", "", "it is empty"},
		{"a file that is cut off", good[:len(good)/2], "it is cut off before its end"},
		{"a policy", everything, "it is not a saved estate"},
		{"other JSON", `{"resources": []}`, "it is not a saved estate"},
		{"a list", `[]`, "it is not a saved estate that can be read"},
		{"another version", strings.Replace(good, `"version": 1`, `"version": 2`, 1), "it is of version 2, written by portcullis test, and this one reads version 1"},
		{"two estates", good + good, "something follows after its end"},
		{"the end of something else", good + "} garbage", "something follows after its end"},
		{"no parts", string(kept(t, Estate{Tool: "test"})), "it holds nothing that anybody saw"},
		{"a control of tomorrow", strings.Replace(good, `"external-connections"`, `"internal-connections"`, 1), `a control "internal-connections"`},
		{"what is no observation", strings.Replace(good, `"connected": [`, `"connected": 1, "x": [`, 1), "what external-connections saw, part 1, cannot be read"},
		{"what was made whole by hand", strings.Replace(good, `"complete": true`, `"complete": false`, 1), "was changed after it was written"},
		{"what was emptied", seen(`{}`), `what external-connections saw, part 1, cannot be read: it has no "connected"`},
		{"what was taken away", seen(`null`), `cannot be read: it has no "connected"`},
		{"a list that is none", seen(`{"connected": null, "downstream": [], "scope": {}, "unconnected": 4, "unread": []}`), `cannot be read: it has no "connected"`},
		{"what was seen elsewhere", strings.Replace(good, `"region": "eu-west-1"`, `"region": "us-east-1"`, 1), "what external-connections saw, part 1, was changed after it was written"},
		{"no account", strings.ReplaceAll(good, home, "11112222333\\u001b[31m"), `part 1 is of account "11112222333\x1b[31m" in Region "eu-west-1", which cannot be`},
		{"no Region", strings.ReplaceAll(good, region, "eu-west\\n-1"), `part 1 is of account "111122223333" in Region "eu-west\n-1", which cannot be`},
		{"two accounts", other(func(p *Part) { p.Scope.Account = "222222222222" }), "in account 111122223333 and in account 222222222222, and an estate is of one"},
		{"a part twice", other(func(*Part) {}), "it holds twice what external-connections saw in eu-west-1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.text == good {
				t.Fatal("nothing was changed")
			}
			_, err := Read([]byte(test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "portcullis") {
				t.Errorf("error %v, want %s and what to do", err, test.want)
			}
		})
	}
}

func TestRulesThatSpeakOfNothing(t *testing.T) {
	p := parse(t, everything)
	e, _ := look(t, p, nil)
	places := func(e Estate) []string {
		var list []string
		for _, l := range e.Idle(p) {
			list = append(list, l.Place)
		}
		return list
	}
	want := []string{"external_connections.allow[1]", "package_groups.keep[0]", "package_origins.guard[1]", "proton_connections.approve[1]"}
	if diff := cmp.Diff(want, places(e)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	// What was not read may be what a rule is for.
	e, _ = look(t, p, sick)
	if got := places(e); len(got) > 0 {
		t.Errorf("in an estate that was not read to the end: %v", got)
	}
	if got := places(Estate{}); len(got) > 0 {
		t.Errorf("in no estate at all: %v", got)
	}
}

func TestWhatAnotherPolicyChanges(t *testing.T) {
	before := parse(t, everything)
	e, _ := look(t, before, nil)
	after := parse(t, strings.NewReplacer(
		`{repositories: ["corp/nobody"]`, `{repositories: ["corp/web"]`,
		"publish: [npm-store]", "publish: block",
		`environments: ["prod-*"]`, `environments: ["prod-us"]`,
		"min_age: 14d", "min_age: 500d",
	).Replace(everything))
	type change struct{ Resource, Subject, Old, New, OldAction, NewAction string }
	var got []change
	for _, c := range e.Compare(before, after).Changes {
		f := c.Either()
		got = append(got, change{f.Resource[strings.LastIndex(f.Resource, ":")+1:], f.Subject, string(c.Old.Verdict), string(c.New.Verdict), c.Old.Operation(), c.New.Operation()})
	}
	for i := range got {
		if strings.HasPrefix(got[i].Resource, "environment-account-connection/") {
			got[i].Resource = "environment-account-connection/ID"
		}
	}
	want := []change{
		{"repository/corp/web", "public:npmjs", "violation", "compliant", "DisassociateExternalConnection", ""},
		{"package-group/corp/pypi/%2a", "", "violation", "compliant", "TagResource", ""},
		{"domain/corp", "pkg:npm/%40acme/ui", "compliant", "violation", "", ""},
		// With the next one it is more than the limit allows, so neither is called now.
		{"environment-account-connection/ID", "ENVIRONMENT_ACCOUNT", "violation", "violation", "DeleteEnvironmentAccountConnection", "DeleteEnvironmentAccountConnection"},
		{"environment-account-connection/ID", "MANAGEMENT_ACCOUNT", "compliant", "violation", "", "RejectEnvironmentAccountConnection"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	// A control of which the new policy says nothing is not judged, and not compliant.
	for _, c := range e.Compare(before, parse(t, head+"package_groups: {min_age: 14d, grace: 14d}\n")).Changes {
		if c.Old.Control == "external-connections" && c.New.Verdict != "" {
			t.Errorf("%s is %s", c.Old.Resource, c.New.Verdict)
		}
	}
}

// Limits and enforce_on change no verdict, and a verdict may let be written to what it
// is not about: whoever merges a policy is to see what is called then.
func TestWhatAnotherPolicyLetsBeWritten(t *testing.T) {
	const (
		strict  = "version: 1\nlimits: {count: 10, share: 10%}\n"
		lax     = "version: 1\nlimits: {count: 10, share: 100%}\n"
		nowhere = lax + "enforce_on: []\n"
		none    = "external_connections: {allow: []}\n"
		most    = "external_connections: {allow: [{repositories: [\"corp/npm-store\", \"corp/web\"], connections: [\"public:npmjs\"]}]}\n"
	)
	// Of four repositories three are connected, and 10% of four is one.
	e, _ := look(t, parse(t, everything), nil)
	for name, test := range map[string]struct {
		before, after string
		old, new      int
		want          []string // what is changed, and which calls are made before and after
	}{
		"the limit is raised":             {strict + none, lax + none, 0, 3, []string{"legacy 0 1", "npm-store 0 1", "web 0 1"}},
		"enforcement is narrowed":         {lax + none, nowhere + none, 3, 0, []string{"legacy 1 0", "npm-store 1 0", "web 1 0"}},
		"a rule makes place in the limit": {strict + none, strict + most, 0, 1, []string{"legacy 0 1", "npm-store 0 0", "web 0 0"}},
		"withheld for another reason":     {strict + none, nowhere + none, 0, 0, nil},
		"the section goes":                {lax + none, lax, 3, 0, []string{"legacy 1 0", "npm-store 1 0", "web 1 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := e.Compare(parse(t, test.before), parse(t, test.after))
			var got []string
			for _, change := range c.Changes {
				name := change.Either().Resource
				got = append(got, fmt.Sprintf("%s %d %d", name[strings.LastIndex(name, "/")+1:], calls(change.Old), calls(change.New)))
			}
			if diff := cmp.Diff(test.want, got); diff != "" || c.OldWrites != test.old || c.NewWrites != test.new {
				t.Errorf("writes %d → %d, want %d → %d (-want +got):\n%s", c.OldWrites, c.NewWrites, test.old, test.new, diff)
			}
		})
	}
}

func calls(c Conclusion) int {
	if c.Action != nil && c.Withheld == "" {
		return 1
	}
	return 0
}

// What is missing in a file would be read as nothing there, however deep it was.
func TestNothingMayBeMissingOfWhatWasSeen(t *testing.T) {
	e, _ := look(t, parse(t, everything), nil)
	var all struct {
		Format  string           `json:"format"`
		Version int              `json:"version"`
		Parts   []map[string]any `json:"parts"`
	}
	if err := json.Unmarshal(kept(t, e), &all); err != nil {
		t.Fatal(err)
	}
	// What is by name has one less, as a list would, and what was not looked at is said to be so.
	named := []string{"groups", "close", "claims", "tags", "draws"}
	optional := []string{"createdTime of connected", "description of connected", "administratorAccount of connected", "roleArn of MANAGEMENT_ACCOUNT", "roleArn of ENVIRONMENT_ACCOUNT"}
	missed := map[string]bool{}
	var without func(part int, of string, at string, value any)
	without = func(part int, of, at string, value any) {
		switch value := value.(type) {
		case map[string]any:
			for key, inner := range maps.Clone(value) {
				place := strings.TrimPrefix(at+"."+key, ".")
				without(part, key, place, inner)
				if slices.Contains(named, of) || slices.Contains(optional, key+" of "+of) {
					continue
				}
				delete(value, key)
				data, err := json.Marshal(all)
				if err != nil {
					t.Fatal(err)
				}
				value[key] = inner
				missed[key] = true
				if _, err := Read(data); err == nil || !strings.Contains(err.Error(), "cannot be read: ") || at == "" && !strings.Contains(err.Error(), `it has no "`+key) {
					t.Errorf("%s without %s: error %v", e.Parts[part].Control, place, err)
				}
			}
		case []any:
			for i, inner := range value {
				without(part, of, fmt.Sprintf("%s[%d]", at, i), inner)
			}
		}
	}
	for i, part := range all.Parts {
		without(i, "", "", part["seen"])
	}
	for _, key := range []string{"tree", "package", "MANAGEMENT_ACCOUNT", "restrictions", "mode", "upstreams", "region"} {
		if !missed[key] {
			t.Errorf("nothing was without %s", key)
		}
	}
}

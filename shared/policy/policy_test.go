package policy_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"portcullis/shared/policy"
)

const shipped = "../../policy/policy.yaml"

// head is the shortest start of a policy; the tests append to it, so that their lines count from 3.
const head = "version: 1\nlimits: {count: 10, share: 10%}\n"

// rule is an allow list up to its first rule's last required key, on lines 3 to 6.
const rule = "external_connections:\n  allow:\n    - repositories: [corp/npm-store]\n      connections: [public:npmjs]\n"

// allowing is a policy up to its allow list, whose items count from line 5.
const allowing = head + "external_connections:\n  allow:\n"

// waiver is a list with one waiver that has all but owner and expires, on lines 3 to 8; another is its next item.
const (
	waiver  = "external_connections:\n  allow: []\n  waivers:\n" + another
	another = "    - repositories: [corp/legacy]\n      connections: [public:pypi]\n      reason: Old.\n"
)

func parse(t *testing.T, text string) *policy.Policy {
	t.Helper()
	p, err := parseAndHold(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTheShippedPolicyHasNoProblemAndNoWarning(t *testing.T) {
	p, err := policy.Load(shipped)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Warnings) > 0 {
		t.Errorf("warnings: %v", p.Warnings)
	}
	if p.EnforceOn != nil || len(p.ExternalConnections.Waivers) > 0 {
		t.Error("it narrows enforcement or holds an active waiver")
	}
	if c := p.ProtonConnections; len(c.Approve) > 0 || len(c.Waivers) > 0 || c.DeleteConnected {
		t.Error("it approves a connection, or deletes what is connected")
	}
	if got, want := p.Limits, (policy.Limits{Count: 10, Share: 0.1}); got != want {
		t.Errorf("limits %v, want %v", got, want)
	}
}

func TestTheExamplesInTheShippedPolicyWorkOnceUncommented(t *testing.T) {
	data, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("guard: []", "guard:", "approve: [] # nothing", "approve:").Replace(string(data)) // the examples take the empty lists' place
	p := parse(t, regexp.MustCompile(`(?m)^( *)# ( *(?:- )?[a-z_]+:)`).ReplaceAllString(text, "$1$2"))
	if len(p.Warnings) > 0 {
		t.Errorf("warnings: %v", p.Warnings)
	}
	if !p.EnforceOn.Covers("111122223333", "dev-web") || p.EnforceOn.Covers("111122223333", "corp") {
		t.Error("the example of enforce_on does not narrow to dev-*")
	}
	if n := len(p.ExternalConnections.Waivers); n != 1 {
		t.Errorf("%d waivers, want 1", n)
	}
	if g := p.PackageGroups; len(g.Keep) != 1 || g.KeepTag == "" || !g.PruneParents || !g.IgnoreLookalikes {
		t.Errorf("package_groups is %+v", g)
	}
	if n := len(p.PackageOrigins.Guards); n != 1 {
		t.Errorf("%d guards, want 1", n)
	}
	if c := p.ProtonConnections; len(c.Approve) != 1 || len(c.Approve[0].Roles) != 1 || len(c.Waivers) != 1 || !c.DeleteConnected {
		t.Errorf("proton_connections is %+v", c)
	}
}

func TestReadsEveryKey(t *testing.T) {
	text := `version: 1
limits:
  count: 0
  share: 2.5%
enforce_on:
  - domains: ["dev-*"]
    accounts: ["012345670123"]
  - accounts: ['111122223333']
external_connections:
  allow:
    - repositories: ["corp/npm-store", "corp/npm-[a-c]?"]
      connections: ["public:npmjs"]
      accounts: ["111122223333"]
      reason: >
        The one gateway
        for npm.
    - {repositories: [corp/*], connections: ["public:maven-*"]}
  waivers:
    - id: npm-legacy
      repositories: ["corp/legacy-*"]
      connections: ["public:pypi"]
      reason: "Old."
      owner: "team-web@example.com"
      expires: 2027-01-31
    - repositories: ["*/*"]
      connections: ["public:pypi"]
      reason: "Older."
      owner: "team-web@example.com"
      expires: "2027-01-31T12:00:00+01:00"
`
	got := parse(t, text)
	want := &policy.Policy{
		Hash:   got.Hash,
		Limits: policy.Limits{Count: 0, Share: 0.025},
		EnforceOn: &policy.EnforceOn{Areas: []policy.Area{
			{Domains: []string{"dev-*"}, Accounts: []string{"012345670123"}},
			{Accounts: []string{"111122223333"}},
		}},
		ExternalConnections: &policy.ExternalConnections{
			Allow: []policy.Rule{
				{
					Place: "external_connections.allow[0]", Line: 11, Column: 7,
					Repositories: []string{"corp/npm-store", "corp/npm-[a-c]?"}, Connections: []string{"public:npmjs"},
					Accounts: []string{"111122223333"}, Reason: "The one gateway for npm.",
				},
				{
					Place: "external_connections.allow[1]", Line: 17, Column: 7,
					Repositories: []string{"corp/*"}, Connections: []string{"public:maven-*"},
				},
			},
			Waivers: []policy.Waiver{
				{
					Rule: policy.Rule{
						Place: "external_connections.waivers[0]", Line: 19, Column: 7,
						Repositories: []string{"corp/legacy-*"}, Connections: []string{"public:pypi"}, Reason: "Old.",
					},
					Term: policy.Term{ID: "npm-legacy", Owner: "team-web@example.com", Expires: time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)},
				},
				{
					Rule: policy.Rule{
						Place: "external_connections.waivers[1]", Line: 25, Column: 7,
						Repositories: []string{"*/*"}, Connections: []string{"public:pypi"}, Reason: "Older.",
					},
					Term: policy.Term{ID: "external_connections.waivers[1]", Owner: "team-web@example.com", Expires: time.Date(2027, 1, 31, 11, 0, 0, 0, time.UTC)},
				},
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := got.ExternalConnections.Waivers[1].Expires.Location(); got != time.UTC {
		t.Errorf("a time of day is kept in %v, want UTC", got)
	}
}

func TestTheHashIsThatOfTheFile(t *testing.T) {
	const want = "1c31f341a8195343aee8c23a8918206101bb77c0483ae2cc6834c56b9bcdd47d"
	if got := parse(t, head+"external_connections: {allow: []}\n").Hash; got != want {
		t.Errorf("hash %s, want %s", got, want)
	}
}

func TestAcceptsAFileThat(t *testing.T) {
	for name, text := range map[string]string{
		"begins with a byte order mark":         "\ufeff" + head + rule,
		"has Windows line ends":                 strings.ReplaceAll(head+rule, "\n", "\r\n"),
		"ends without a line end":               strings.TrimSpace(head + rule),
		"has document markers around it":        "---\n" + head + rule + "...\n",
		"never writes, by count and by share":   "version: 1\nlimits: {count: 0, share: 0%}\n" + rule,
		"writes as much as it likes":            "version: 1\nlimits: {count: 1000, share: 100%}\n" + rule,
		"allows nothing":                        head + "external_connections: {allow: []}\n",
		"has an empty list of waivers":          head + "external_connections: {allow: [], waivers: []}\n",
		"has a reason of the greatest length":   head + rule + "      reason: " + strings.Repeat("é", 500) + "\n",
		"has the replacement character as text": head + rule + "      reason: \"\ufffd\"\n",
		"has an id of the greatest length":      head + waiver + "      id: " + strings.Repeat("a", 64) + "\n      owner: a\n      expires: 2027-01-31\n",
		"waits as long as may be":               head + "package_groups: {min_age: 10000d, grace: 1h}\n",
		"has a tag of the greatest length":      head + "package_groups: {min_age: 1d, grace: 1h, keep_tag: " + strings.Repeat("t", 128) + "}\n",
		"opens to the shortest and the longest": head + "package_origins: {guard: [{package: \"pkg:npm/ui\", domains: [corp], publish: [ab, " + strings.Repeat("r", 100) + "]}]}\n",
		"guards the longest name there is":      head + "package_origins: {guard: [{package: \"pkg:npm/" + strings.Repeat("n", 255) + "\", domains: [corp], publish: block}]}\n",
		"is as large as may be":                 head + rule + strings.Repeat("#", 64<<10-len(head+rule)),
	} {
		t.Run(name, func(t *testing.T) {
			if p := parse(t, text); len(p.Warnings) > 0 {
				t.Errorf("warnings: %v", p.Warnings)
			}
		})
	}
}

func TestWarnsOf(t *testing.T) {
	const names = `the names here are "public:npmjs", "public:nuget-org", "public:pypi", "public:maven-central", "public:maven-googleandroid", ` +
		`"public:maven-gradleplugins", "public:maven-commonsware", "public:maven-clojars", "public:ruby-gems-org", "public:crates-io"`
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"no section", head, []string{"policy.yaml:1:1: no section for any control; add external_connections, or nothing is judged"}},
		{"enforcement nowhere", head + "enforce_on: []\n" + rule, []string{
			"policy.yaml:3:13: enforce_on is an empty list, so nothing is enforced anywhere; remove it to enforce where the deployed mode says",
		}},
		{"connection names that CodeArtifact does not have", allowing + "    - repositories: [corp/x]\n      connections: [npmjs, public:pipy, Public:NPMjs, internal]\n", []string{
			`policy.yaml:6:21: connection "npmjs" matches none that CodeArtifact is known to have; write "public:npmjs"`,
			`policy.yaml:6:28: connection "public:pipy" matches none that CodeArtifact is known to have; write "public:pypi"`,
			`policy.yaml:6:41: connection "Public:NPMjs" matches none that CodeArtifact is known to have; write "public:npmjs"`,
			`policy.yaml:6:55: connection "internal" matches none that CodeArtifact is known to have; ` + names,
		}},
		{"a connection glob that matches none", allowing + "    - repositories: [corp/x]\n      connections: [\"npm*\", \"public:*\"]\n", []string{
			`policy.yaml:6:21: connection "npm*" matches none that CodeArtifact is known to have; ` + names,
		}},
		{"a rule that allows everything", allowing + "    - repositories: [corp/x, \"*/*\"]\n      connections: [\"public:*\"]\n", []string{
			`policy.yaml:5:7: external_connections.allow[0] allows every repository every connection, so no connection is a violation; name the repositories that are meant to be gateways, and their registries`,
		}},
		{"a waiver of everything", head + "external_connections:\n  allow: []\n  waivers:\n    - {repositories: [\"*/*\"], connections: [\"*\"], reason: Old., owner: a, expires: 2027-01-31}\n", []string{
			`policy.yaml:6:7: external_connections.waivers[0] allows every repository every connection, so no connection is a violation; name the repositories that are meant to be gateways, and their registries`,
		}},
		{"nothing where a rule leaves something out", allowing +
			"    - {repositories: [\"corp/*\"], connections: [\"*\"]}\n    - {repositories: [\"*/*\"], connections: [\"public:n*\"]}\n" +
			"    - {repositories: [\"*/*\"], connections: [\"*\"], accounts: [\"111122223333\"]}\n", nil},
		{"waivers too", head + waiver[:strings.Index(waiver, "public")] + "npm]\n      reason: Old.\n      owner: a\n      expires: 2027-01-31\n", []string{
			`policy.yaml:7:21: connection "npm" matches none that CodeArtifact is known to have; write "public:npmjs"`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, w := range parse(t, test.text).Warnings {
				got = append(got, w.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestARule(t *testing.T) {
	type names struct{ account, domain, repository, connection string }
	npm := names{"111122223333", "corp", "npm-store", "public:npmjs"}
	for _, test := range []struct {
		name         string
		repositories string
		connections  string
		accounts     string
		of           names
		want         bool
	}{
		{"matches the very names", "corp/npm-store", "public:npmjs", "", npm, true},
		{"matches another of its patterns", "corp/x, corp/npm-store", "public:pypi, public:npmjs", `"444455556666", "111122223333"`, npm, true},
		{"matches a star in each name", "*/*", "*", "", npm, true},
		{"matches a prefix", "c*/npm-*", "public:npm*", "", npm, true},
		{"matches a class and a question mark", "cor[o-q]/np?-store", "public:npm?s", "", npm, true},
		{"does not match what has a longer name", "corp/npm", "public:npmjs", "", npm, false},
		{"does not match a domain with a longer name", "cor/*", "*", "", npm, false},
		{"does not match a neighbouring domain", "corp/*", "*", "", names{"111122223333", "corp2", "x", "public:npmjs"}, false},
		{"does not match across the slash", "corp*/*", "*", "", names{"111122223333", "corp", "a/b", "public:npmjs"}, false},
		{"does not match a name that brings its own slash", "corp/npm-store", "*", "", names{"111122223333", "corp/npm-store", "x", "public:npmjs"}, false},
		{"does not match another case", "corp/NPM-store", "public:npmjs", "", npm, false},
		{"does not match another connection", "corp/npm-store", "public:pypi", "", npm, false},
		{"does not match another account", "corp/npm-store", "public:npmjs", `"444455556666"`, npm, false},
		{"does not match an unknown account", "corp/npm-store", "public:npmjs", `"444455556666"`, names{"", "corp", "npm-store", "public:npmjs"}, false},
		{"matches an unknown account if it names none", "corp/npm-store", "public:npmjs", "", names{"", "corp", "npm-store", "public:npmjs"}, true},
		{"does not match an empty domain", "*/*", "*", "", names{"111122223333", "", "x", "public:npmjs"}, false},
		{"does not match an empty repository", "*/*", "*", "", names{"111122223333", "corp", "", "public:npmjs"}, false},
		{"does not match an empty connection", "*/*", "*", "", names{"111122223333", "corp", "x", ""}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			quote := func(list string) string { return `["` + strings.ReplaceAll(list, ", ", `", "`) + `"]` }
			text := allowing + "    - repositories: " + quote(test.repositories) + "\n      connections: " + quote(test.connections) + "\n"
			if test.accounts != "" {
				text += "      accounts: [" + test.accounts + "]\n"
			}
			rule := parse(t, text).ExternalConnections.Allow[0]
			if got := rule.Matches(test.of.account, test.of.domain, test.of.repository, test.of.connection); got != test.want {
				t.Errorf("matches %v, want %v", got, test.want)
			}
		})
	}
}

func TestEnforcement(t *testing.T) {
	for _, test := range []struct {
		name, enforceOn string
		account, domain string
		want            bool
	}{
		{"covers everything without enforce_on", "", "111122223333", "corp", true},
		{"covers even an empty domain without enforce_on", "", "", "", true},
		{"covers nothing with an empty list", "enforce_on: []", "111122223333", "corp", false},
		{"covers a domain that matches", `enforce_on: [{domains: ["dev-*"]}]`, "111122223333", "dev-web", true},
		{"does not cover a domain that only begins alike", `enforce_on: [{domains: ["dev"]}]`, "111122223333", "dev-web", false},
		{"does not cover an empty domain by a star", `enforce_on: [{domains: ["*"]}]`, "111122223333", "", false},
		{"covers an account", `enforce_on: [{accounts: ["111122223333"]}]`, "111122223333", "corp", true},
		{"covers an account without a domain", `enforce_on: [{accounts: ["111122223333"]}]`, "111122223333", "", true},
		{"does not cover another account", `enforce_on: [{accounts: ["111122223333"]}]`, "444455556666", "corp", false},
		{"does not cover an unknown account", `enforce_on: [{accounts: ["111122223333"]}]`, "", "corp", false},
		{"needs both if an area names both", `enforce_on: [{domains: [corp], accounts: ["111122223333"]}]`, "444455556666", "corp", false},
		{"covers what a later area covers", `enforce_on: [{domains: [x]}, {domains: [corp]}]`, "111122223333", "corp", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := parse(t, head+rule+test.enforceOn).EnforceOn
			if got := e.Covers(test.account, test.domain); got != test.want {
				t.Errorf("covers %v, want %v", got, test.want)
			}
		})
	}
}

func TestAWaiver(t *testing.T) {
	date := head + waiver + "      owner: a\n      expires: 2027-01-31\n"
	instant := head + waiver + "      owner: a\n      expires: 2027-01-31T12:00:00Z\n"
	for _, test := range []struct {
		name, text, now   string
		inForce, endsSoon bool
	}{
		{"holds long before its end", date, "2026-12-01T00:00:00Z", true, false},
		{"holds more than 14 days before its end", date, "2027-01-17T23:59:59.999Z", true, false},
		{"ends soon 14 days before", date, "2027-01-18T00:00:00Z", true, true},
		{"holds through the last moment of its day", date, "2027-01-31T23:59:59.999999999Z", true, true},
		{"has ended when the next day begins", date, "2027-02-01T00:00:00Z", false, false},
		{"ends by UTC, whatever the zone of now", date, "2027-02-01T00:30:00+01:00", true, true},
		{"holds until its time", instant, "2027-01-31T11:59:59.999999999Z", true, true},
		{"has ended at its time", instant, "2027-01-31T12:00:00Z", false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := parse(t, test.text).ExternalConnections.Waivers[0]
			now, err := time.Parse(time.RFC3339Nano, test.now)
			if err != nil {
				t.Fatal(err)
			}
			if got := w.InForce(now); got != test.inForce {
				t.Errorf("in force %v, want %v", got, test.inForce)
			}
			if got := w.EndsSoon(now); got != test.endsSoon {
				t.Errorf("ends soon %v, want %v", got, test.endsSoon)
			}
		})
	}
}

func TestTheLastDayOfAWaiverIsTheLastOnWhichItHolds(t *testing.T) {
	for expires, want := range map[string]string{
		"2027-01-31":           "2027-01-31",
		"2027-01-31T00:00:00Z": "2027-01-30",
		"2027-01-31T12:00:00Z": "2027-01-31",
	} {
		w := parse(t, head+waiver+"      owner: a\n      expires: "+expires+"\n").ExternalConnections.Waivers[0]
		if got := w.LastDay(); got != want {
			t.Errorf("one that expires %s holds last on %s, want %s", expires, got, want)
		}
	}
}

func TestRulesAreToldInTheOrderOfTheFile(t *testing.T) {
	p := parse(t, `version: 1
limits: {count: 10, share: 10%}
proton_connections:
  rejected_after: 7d
  pending_after: 30d
  waivers:
    - {environment_accounts: ["222222222222"], management_accounts: ["111111111111"], environments: [dev], reason: r, owner: o, expires: 2027-01-31}
  approve:
    - {environment_accounts: ["222222222222"], management_accounts: ["111111111111"], environments: [prod]}
package_origins:
  guard: [{package: "pkg:npm/ui", domains: [corp], publish: block}]
package_groups:
  min_age: 1d
  grace: 1d
  keep: [{groups: ["/npm/a*"]}, {groups: ["/npm/b*"]}]
external_connections:
  waivers:
    - {repositories: [corp/x], connections: ["public:npmjs"], reason: r, owner: o, expires: 2027-01-31}
  allow:
    - {repositories: [corp/y], connections: ["public:npmjs"]}
`)
	want := []policy.Location{
		{Place: "proton_connections.waivers[0]", Line: 7, Column: 7}, {Place: "proton_connections.approve[0]", Line: 9, Column: 7},
		{Place: "package_origins.guard[0]", Line: 11, Column: 11},
		{Place: "package_groups.keep[0]", Line: 15, Column: 10}, {Place: "package_groups.keep[1]", Line: 15, Column: 33},
		{Place: "external_connections.waivers[0]", Line: 18, Column: 7}, {Place: "external_connections.allow[0]", Line: 20, Column: 7},
	}
	if diff := cmp.Diff(want, p.Rules()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := parse(t, head).Rules(); len(got) != 0 {
		t.Errorf("a policy without sections has the rules %v", got)
	}
}

func TestLoadTellsThePathAndTheNextStep(t *testing.T) {
	dir := t.TempDir()
	for name, path := range map[string]string{
		"of a file that does not exist": filepath.Join(dir, "none.yaml"),
		"of a directory":                dir,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := policy.Load(path)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range []string{"reading policy: ", path, "; name a policy file that exists and can be read"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

func TestLoadStopsAtTheGreatestSize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	// A file with a hole is large and takes no room.
	if err := errors.Join(f.Truncate(8<<30), f.Close()); err != nil {
		t.Fatal(err)
	}
	_, err = policy.Load(path)
	if want := path + ":1:1: the file is larger than 64 KiB; shorten it, for example with patterns"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// An alias bomb doubles what it stands for on each line. Expanded, this one is a list of 2^30 strings.
func TestAnAliasBombStaysSmall(t *testing.T) {
	bomb := head + "a0: &a0 [x, x]\n"
	for i := 1; i < 30; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [*a%d, *a%d]\n", i, i, i-1, i-1)
	}
	_, err := policy.Parse("policy.yaml", []byte(bomb))
	if want := `policy.yaml:4:10: alias "*a0"; put a pattern that begins with * in quotes`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
	if n := allocated(bomb); n > 1<<20 {
		t.Errorf("%d bytes allocated", n)
	}
}

func TestDeepNestingStaysSmall(t *testing.T) {
	if n := allocated(strings.Repeat("[", 50_000)); n > 16<<20 {
		t.Errorf("%d bytes allocated", n)
	}
}

// allocated tells how many bytes one Parse of text allocates, freed or not.
func allocated(text string) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _ = policy.Parse("policy.yaml", []byte(text))
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestNoUnquotedAccountIDIsEverAccepted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringMatching(`[0-9]{12}`).Draw(t, "id")
		if _, err := policy.Parse("policy.yaml", []byte(head+rule+"      accounts: ["+id+"]\n")); err == nil {
			t.Errorf("%s is accepted without quotes", id)
		}
		p, err := policy.Parse("policy.yaml", []byte(head+rule+`      accounts: ["`+id+"\"]\n"))
		if err != nil {
			t.Fatal(err)
		}
		if got := p.ExternalConnections.Allow[0].Accounts[0]; got != id {
			t.Errorf("%s is read as %s", id, got)
		}
	})
}

// FuzzParse holds Parse to three promises: it never panics; each problem has a place in the file, words and a
// next step; and a policy does not depend on how often it was read.
func FuzzParse(f *testing.F) {
	shipped, err := os.ReadFile(shipped)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(shipped)
	for _, text := range []string{
		head + rule,
		guarding + guard,
		head + waiver + "      owner: a\n      expires: 2027-01-31T12:00:00+01:00\n",
		head + "enforce_on: [{domains: [\"dev-*\"], accounts: ['012345670123']}]\n",
		"---\nversion: 1\n---\n",
		"\ufeffversion: 1\r\n",
		"a: &a [*a]\n<<: *a\n",
		"a: !!binary \"x\\0\"\n",
		"\ta: [*/*\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := policy.Parse("policy.yaml", data)
		again, errAgain := policy.Parse("policy.yaml", data)
		if diff := cmp.Diff(p, again); diff != "" {
			t.Errorf("-once +again:\n%s", diff)
		}
		if err == nil {
			if wrong := sound(p); wrong != nil {
				t.Errorf("accepted: %q", wrong)
			}
			return
		}
		if p != nil {
			t.Errorf("refused, and yet there is %+v", p)
		}
		var problems policy.Problems
		if !errors.As(err, &problems) || len(problems) == 0 || err.Error() != errAgain.Error() {
			t.Fatalf("error %v, then %v", err, errAgain)
		}
		for _, problem := range problems {
			if problem.Line < 1 || problem.Column < 1 || problem.What == "" || problem.Fix == "" || strings.Contains(problem.String(), "\n") {
				t.Errorf("%+v", problem)
			}
		}
	})
}

func TestTheTermsAreThoseOfAllWaivers(t *testing.T) {
	p := parse(t, `version: 1
limits: {count: 10, share: 10%}
external_connections:
  allow: []
  waivers:
    - {id: first, repositories: [corp/x], connections: ["public:npmjs"], reason: r, owner: o, expires: 2027-01-31}
    - {repositories: [corp/y], connections: ["public:npmjs"], reason: r, owner: o, expires: 2027-02-28}
proton_connections:
  rejected_after: 7d
  pending_after: 30d
  approve: []
  waivers:
    - {environment_accounts: ["222222222222"], management_accounts: ["111111111111"], environments: [dev], reason: r, owner: o, expires: 2027-03-31}
`)
	var got []string
	for at, term := range p.Terms() {
		got = append(got, fmt.Sprintf("%d %s %s %s", at.Line, at.Place, term.ID, term.LastDay()))
	}
	want := []string{
		"6 external_connections.waivers[0] first 2027-01-31",
		"7 external_connections.waivers[1] external_connections.waivers[1] 2027-02-28",
		"13 proton_connections.waivers[0] proton_connections.waivers[0] 2027-03-31",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	// Whoever has seen enough may leave at any of them.
	for enough := 1; enough <= len(want); enough++ {
		seen := 0
		for range p.Terms() {
			if seen++; seen == enough {
				break
			}
		}
		if seen != enough {
			t.Errorf("%d of %d were seen", seen, enough)
		}
	}
	for range parse(t, head).Terms() {
		t.Error("a policy without sections has terms")
	}
}

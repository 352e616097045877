package packageorigin

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"portcullis/shared/awsio"
	"portcullis/shared/policy"
)

func reload(t rapid.TB, o Observation) Observation {
	t.Helper()
	data, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var loaded Observation
	if err := json.Unmarshal(data, &loaded); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return loaded
}

// A list of repositories that was not read is not an empty one, and neither is a
// list of domains.
func TestWhatIsKeptIsJudgedTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := state(t)
		for kind, is := range r.Restrictions {
			if is.Repositories == nil && rapid.Bool().Draw(t, "read") {
				is.Repositories = []string{}
				r.Restrictions[kind] = is
			}
		}
		o := seen(r)
		o.Domains = rapid.SampledFrom([][]string{nil, {}, {"corp"}, {"lab", "corp"}}).Draw(t, "domains")
		if rapid.Bool().Draw(t, "unread") {
			o.Unread = append(o.Unread, Unread{"arn:x", ui, awsio.Timeout, "no answer"})
		}
		loaded := reload(t, o)
		if diff := cmp.Diff(o, loaded); diff != "" {
			t.Fatalf("-seen +kept:\n%s", diff)
		}
		p := demands(t, r)
		if diff := cmp.Diff(Decide(o, p), Decide(loaded, p)); diff != "" {
			t.Fatalf("plan (-seen +kept):\n%s", diff)
		}
	})
}

// A policy that asks for more than the one under which was looked must not judge
// what nobody asked about.
func TestAnotherPolicyFindsWhatNobodyAskedAboutUndetermined(t *testing.T) {
	specific := set(allowSpecific)
	read := set(allowSpecific, "aa")
	for _, test := range []struct {
		name  string
		seen  Observation
		guard string
		want  string // the code; empty is no finding at all
	}{
		{"all was read", seen(resolved(read)), "domains: [corp], publish: [aa]", "guarded"},
		{"the mode alone tells", seen(resolved(specific)), "domains: [corp], external_upstream: block", "guarded"},
		{"the list was not read", seen(resolved(specific)), "domains: [corp], publish: [aa]", notObserved},
		{"a look-alike is blocked whatever the list says", seen(resolved(specific).weakly()), "domains: [corp], publish: [aa]", "guarded"},
		{"the package was not resolved", seen(), "domains: [corp], publish: block", notObserved},
		{"the guard is about no domain there is", seen(), "domains: [lab], publish: block", "no-domain"},
		{"the package could not be read then either", Observation{Scope: scope, Domains: []string{"corp"}, Unread: []Unread{{domainARN(scope, "corp"), ui, awsio.Denied, "no right"}}}, "domains: [corp], publish: block", string(awsio.Denied)},
		{"the domains could not be listed", Observation{Scope: scope, Unread: []Unread{{accountARN(scope), "", awsio.Denied, "no right"}}}, "domains: [corp], publish: block", string(awsio.Denied)},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := reload(t, test.seen)
			p := origins(t, test.guard)
			findings := test.seen.Judge(&policy.Policy{PackageOrigins: &p}, time.Time{}).Findings
			if len(findings) != 1 || findings[0].Code != test.want {
				t.Errorf("findings %+v, want %s", findings, test.want)
			}
			if diff := cmp.Diff(before, test.seen, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("judging changed the observation (-before +after):\n%s", diff)
			}
		})
	}
	if f := seen(resolved(read)).Judge(&policy.Policy{PackageOrigins: &policy.PackageOrigins{}}, time.Time{}).Findings; len(f) != 0 {
		t.Errorf("without a guard there are findings: %+v", f)
	}
}

// A restriction that nothing is said of would be told as one without a mode.
func TestAPackageWithoutARestrictionIsRefused(t *testing.T) {
	for _, kind := range kinds() {
		r := resolved(set(block))
		reload(t, seen(r))
		delete(r.Restrictions, kind)
		data, err := json.Marshal(seen(r))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, new(Observation)); err == nil || !strings.Contains(err.Error(), "has no "+kind) {
			t.Errorf("without %s: error %v", kind, err)
		}
	}
}

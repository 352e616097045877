package main_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws"
)

// These tests put the rules of template.yaml for notices on the bus that the real
// binaries report on. What is played of an input transformer, and what is not, is said
// in internal/endtoend.

// news returns what a topic was told since it was last asked, without the ids.
func news(o *org, told func() []string, before *int) []string {
	o.T.Helper()
	o.Events.Idle()
	all := told()
	var list []string
	for _, text := range all[*before:] {
		head, rest, found := strings.Cut(text, " under ")
		if !found || len(rest) != len("0123456789abcdef.") {
			o.T.Errorf("no id at the end of %q", text)
		}
		list = append(list, head)
	}
	*before = len(all)
	return list
}

func violation(account string) string {
	return "Portcullis (external-connections) found a violation in account " + account + ", eu-west-1: corp/store is connected to public:npmjs and no rule of the policy allows it. " +
		"It is about arn:aws:codeartifact:eu-west-1:" + account + ":repository/corp/store, and more is in the log /aws/events/portcullis"
}

func outcome(account, status string) string {
	return "Portcullis (external-connections) in account " + account + ", eu-west-1: DisassociateExternalConnection " + status +
		", because corp/store is connected to public:npmjs and no rule of the policy allows it. It is about arn:aws:codeartifact:eu-west-1:" + account +
		":repository/corp/store, and more is in the log /aws/events/portcullis"
}

func wantNews(t *testing.T, when string, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("told %s (-want +got):\n%s", when, diff)
	}
}

// In monitor mode a connection is told of when it is made, in the hub and in a member,
// and not again by the sweeps that find it; nor is what nobody did.
func TestATopicIsToldOfAViolationOnce(t *testing.T) {
	o := newOrg(t, "monitor", nil)
	told, before := o.Notices(), 0
	for _, account := range []string{home, web} {
		o.domains[account].AddRepository("store")
		associate(t, o, account, "store")
	}
	wantNews(t, "of two connections", news(o, told, &before), violation(home), violation(web))
	for range 2 {
		runs, _ := o.round()
		if runs[web].Verdicts["violation"] != 2 { // this one, and one from before
			t.Errorf("the sweep: %+v", runs[web])
		}
		wantNews(t, "of a round", news(o, told, &before))
	}
	causes := map[string]int{}
	for _, detail := range o.Reported("Finding") {
		causes[decode[struct{ Cause string }](t, detail).Cause]++
	}
	if diff := cmp.Diff(map[string]int{"event": 2, "sweep": 2 * (4 + 2)}, causes); diff != "" {
		t.Errorf("findings by cause (-want +got):\n%s", diff)
	}
}

// In enforce mode it is also told what became of it: of a change, and of one that AWS
// refused, but not of one that the member's own mode withheld.
func TestATopicIsToldOfWhatWasDone(t *testing.T) {
	o := newOrg(t, "enforce", nil)
	if err := o.Join(web, "external-connections"); err != nil {
		t.Fatal(err)
	}
	told, before := o.Notices(), 0
	o.domains[home].AddRepository("store")
	associate(t, o, home, "store")
	wantNews(t, "of a connection in the hub", news(o, told, &before), violation(home), outcome(home, "applied (verified)"))

	o.domains[data].AddRepository("store")
	associate(t, o, data, "store")
	wantNews(t, "of one in a member that only monitors", news(o, told, &before), violation(data))

	o.World.Inject(localaws.Fault{Operation: "DisassociateExternalConnection", Account: web, Kind: localaws.Fail(403, "AccessDeniedException", `no "role" may`)})
	o.domains[web].AddRepository("store")
	associate(t, o, web, "store")
	tried := []string{violation(web), outcome(web, "failed (refused)")} // by Lambda, twice more
	wantNews(t, "of one that AWS refused", news(o, told, &before), slices.Repeat(tried, 3)...)
}

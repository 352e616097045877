package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/policy"
)

// A waiver ends whether or not anybody remembers it, so its end is told beforehand.
func TestTheEndOfAWaiverIsTold(t *testing.T) {
	p, err := policy.Parse("policy.yaml", []byte(`version: 1
limits: {count: 10, share: 10%}
external_connections:
  allow: []
  waivers:
    - {id: web, repositories: [corp/web], connections: ["public:npmjs"], reason: Old., owner: team-web, expires: 2027-01-31}
proton_connections:
  approve: []
  rejected_after: 7d
  pending_after: 30d
  waivers:
    - {environment_accounts: ["333333333333"], management_accounts: ["111122223333"], environments: [x], reason: Old., owner: team-x, expires: 2027-02-28}
`))
	if err != nil {
		t.Fatal(err)
	}
	const (
		soon  = "policy.yaml:6:7: waiver web of team-web ends on 2027-01-31, which is soon by this machine's clock; what it permits is a violation after that; see that it is not needed any more by then, or renew it"
		over  = "policy.yaml:6:7: waiver web of team-web permits nothing any more: it ended on 2027-01-31, by this machine's clock; renew it, or take it out of the policy"
		other = "policy.yaml:12:7: waiver proton_connections.waivers[0] of team-x permits nothing any more: it ended on 2027-02-28, by this machine's clock; renew it, or take it out of the policy"
	)
	for now, want := range map[string][]string{
		"2027-01-17T23:59:59Z": nil, // fifteen days are left
		"2027-01-18T00:00:00Z": {soon},
		"2027-01-31T23:59:59Z": {soon},
		"2027-02-01T00:00:00Z": {over},
		"2027-03-01T00:00:00Z": {over, other},
	} {
		at, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range ending(p, "policy.yaml", at) {
			got = append(got, p.String())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("at %s (-want +got):\n%s", now, diff)
		}
	}
}

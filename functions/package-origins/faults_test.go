package main_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/codeartifact"
)

// good is a whole answer to GetAssociatedPackageGroup, about corp. Everything in
// it is as the policy asks.
const good = `{"associationType":"STRONG","packageGroup":{"arn":"arn:x","pattern":"/npm/acme/*","domainName":"corp","domainOwner":"111122223333","createdTime":1.7e9,
	"originConfiguration":{"restrictions":{
		"PUBLISH":{"mode":"BLOCK","effectiveMode":"BLOCK","repositoriesCount":0},
		"EXTERNAL_UPSTREAM":{"mode":"INHERIT","effectiveMode":"BLOCK","inheritedFrom":{"arn":"arn:x","pattern":"/npm/*"},"repositoriesCount":0},
		"INTERNAL_UPSTREAM":{"mode":"BLOCK","effectiveMode":"BLOCK","repositoriesCount":0}}},
	"parent":{"arn":"arn:x","pattern":"/npm/*"}}}`

func TestTheGoodAnswerIsGood(t *testing.T) {
	t.Parallel()
	s := newStage(t, "monitor", guarding)
	s.World.Inject(localaws.Fault{Operation: "GetAssociatedPackageGroup", Kind: localaws.Body(200, good)})
	if out := s.Sweep(); out.Verdicts["compliant"] != 1 || !out.Complete {
		t.Errorf("summary: %+v", out)
	}
}

// A bad answer makes its own package in its own domain undetermined, never
// compliant, and the rest goes on.
func TestABadReadIsNeverAGuard(t *testing.T) {
	t.Parallel()
	inCorp := func(input map[string]any) bool { return input["domain"] == "corp" }
	edit := func(old, changed string) localaws.Kind {
		body := strings.Replace(good, old, changed, 1)
		if body == good || !json.Valid([]byte(body)) {
			t.Fatalf("%q becomes %q: %s", old, changed, body)
		}
		return localaws.Body(200, body)
	}
	const group, list, domains = "GetAssociatedPackageGroup", "ListAllowedRepositoriesForGroup", "ListDomains"
	const (
		corp    = "corp " + ui + ": undetermined "
		lab     = "lab-web " + ui + ": violation looser"
		account = "* : undetermined "
	)
	for _, row := range []struct {
		name      string
		operation string
		kind      localaws.Kind
		want      []string
	}{
		{"the domains cannot be listed", domains, localaws.Fail(403, "AccessDeniedException", "no"), []string{account + "access-denied"}},
		{"the list of domains points back to itself", domains, localaws.Body(200, `{"domains":[],"nextToken":"again"}`), []string{account + "malformed"}},
		{"the list of domains is missing", domains, localaws.Body(200, `{}`), []string{account + "malformed"}},
		{"a domain has no name", domains, localaws.Body(200, `{"domains":[{"owner":"111122223333"},{"name":"lab-web","owner":"111122223333"}]}`), []string{account + "malformed", lab}},
		{"a domain is another account's", domains, localaws.Body(200, `{"domains":[{"name":"corp","owner":"444455556666"}]}`), []string{account + "malformed"}},

		{"the role may not ask", group, localaws.Fail(403, "AccessDeniedException", "no"), []string{corp + "access-denied", lab}},
		{"the domain is not found", group, localaws.Fail(404, "ResourceNotFoundException", "no"), []string{corp + "not-found", lab}},
		{"a bare 404 is no proof of anything", group, localaws.Fail(404, "", "not here"), []string{corp + "error", lab}},
		{"the request is found wrong", group, localaws.Fail(400, "ValidationException", "no"), []string{corp + "invalid", lab}},
		{"the credentials are not accepted", group, localaws.Fail(403, "ExpiredTokenException", "old"), []string{corp + "credentials", lab}},
		{"the answer is {}", group, localaws.Body(200, `{}`), []string{corp + "malformed", lab}},
		{"the answer is null", group, localaws.Body(200, `null`), []string{corp + "malformed", lab}},
		{"the answer is an empty body", group, localaws.Body(200, ``), []string{corp + "malformed", lab}},
		{"the answer is HTML", group, localaws.HTML(200), []string{corp + "malformed", lab}},
		{"the answer is cut short", group, localaws.Truncate(), []string{corp + "malformed", lab}},
		{"the answer is flooded", group, localaws.Pad(5), []string{corp + "malformed", lab}},
		{"the server hangs", group, localaws.Hang(), []string{corp + "timeout", lab}},
		{"the server drips", group, localaws.Drip(time.Second), []string{corp + "timeout", lab}},
		{"the group is null", group, localaws.Body(200, `{"associationType":"STRONG","packageGroup":null}`), []string{corp + "malformed", lab}},
		{"the association type is missing", group, edit(`"associationType":"STRONG",`, ""), []string{corp + "malformed", lab}},
		{"the association type is new", group, edit("STRONG", "MIDDLING"), []string{corp + "malformed", lab}},
		{"the pattern is missing", group, edit(`"pattern":"/npm/acme/*",`, ""), []string{corp + "malformed", lab}},
		{"the group is another domain's", group, edit(`"corp"`, `"lab-web"`), []string{corp + "malformed", lab}},
		{"the group is another account's", group, edit("111122223333", "444455556666"), []string{corp + "malformed", lab}},
		{"there is no origin configuration", group, edit("originConfiguration", "x"), []string{corp + "malformed", lab}},
		{"there are no restrictions", group, edit(`"restrictions"`, `"x"`), []string{corp + "malformed", lab}},
		{"one restriction is missing", group, edit(`"PUBLISH"`, `"x"`), []string{corp + "malformed", lab}},
		{"an effective mode is missing", group, edit(`"effectiveMode":"BLOCK",`, ""), []string{corp + "malformed", lab}},
		{"an effective mode is INHERIT", group, edit(`"mode":"INHERIT","effectiveMode":"BLOCK"`, `"mode":"INHERIT","effectiveMode":"INHERIT"`), []string{corp + "malformed", lab}},
		{"an effective mode is new", group, edit(`"mode":"BLOCK","effectiveMode":"BLOCK"`, `"mode":"QUARANTINE","effectiveMode":"QUARANTINE"`), []string{corp + "malformed", lab}},
		{"an effective mode is new and inherited", group, edit(`"mode":"INHERIT","effectiveMode":"BLOCK"`, `"mode":"INHERIT","effectiveMode":"QUARANTINE"`), []string{corp + "malformed", lab}},
		{"a mode is missing", group, edit(`"mode":"BLOCK",`, ""), []string{corp + "malformed", lab}},
		{"a mode is another than the effective one", group, edit(`"mode":"BLOCK"`, `"mode":"ALLOW"`), []string{corp + "malformed", lab}},
		{"nobody says where a mode is inherited from", group, edit(`"inheritedFrom"`, `"x"`), []string{corp + "malformed", lab}},
		{"where a mode is inherited from has no pattern", group, edit(`"pattern":"/npm/*"`, `"x":0`), []string{corp + "malformed", lab}},

		{"the list may not be read", list, localaws.Fail(403, "AccessDeniedException", "no"), []string{corp + "access-denied", lab}},
		{"the list is missing", list, localaws.Body(200, `{}`), []string{corp + "malformed", lab}},
		{"the list is null", list, localaws.Body(200, `{"allowedRepositories":null}`), []string{corp + "malformed", lab}},
		{"the list points back to itself", list, localaws.Body(200, `{"allowedRepositories":[],"nextToken":"again"}`), []string{corp + "malformed", lab}},
		{"the group is gone before its list is read", list, localaws.Fail(404, "ResourceNotFoundException", "no"), []string{corp + "not-found", lab}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "monitor", guarding)
			guard(s.corp)
			s.Artifact.AddDomain(home, region, "lab-web")
			fault := localaws.Fault{Operation: row.operation, Kind: row.kind}
			if row.operation != domains {
				fault.Match = inCorp
			}
			s.World.Inject(fault)
			out := s.Sweep()
			if out.Complete || out.Verdicts["compliant"] != 0 || out.Verdicts["undetermined"] != 1 {
				t.Errorf("summary: %+v", out)
			}
			s.wantVerdicts(row.want...)
		})
	}
}

func TestTheSecondPageOfAListCounts(t *testing.T) {
	t.Parallel()
	s := newStage(t, "monitor", guarding)
	guard(s.corp)
	hasToken := func(input map[string]any) bool { token, _ := input["nextToken"].(string); return token != "" }
	first := func(input map[string]any) bool { return !hasToken(input) }
	s.World.Inject(localaws.Fault{Operation: "ListAllowedRepositoriesForGroup", Match: first, Kind: localaws.Body(200, `{"allowedRepositories":["npm-internal"],"nextToken":"more"}`)})
	second := s.World.Inject(localaws.Fault{Operation: "ListAllowedRepositoriesForGroup", Match: hasToken, Kind: localaws.Fail(403, "AccessDeniedException", "no")})
	s.Sweep()
	second.Remove()
	s.World.Inject(localaws.Fault{Operation: "ListAllowedRepositoriesForGroup", Match: hasToken, Kind: localaws.Body(200, `{"allowedRepositories":["web"]}`)})
	s.Sweep()
	s.wantVerdicts("corp "+ui+": undetermined access-denied", "corp "+ui+": violation looser")
}

// GetAssociatedPackageGroup does not model throttling, so its error comes without
// a type.
func TestWhatIsOnlyForAMomentIsTriedAgain(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]localaws.Kind{
		"throttling":             localaws.Fail(429, "ThrottlingException", "slow down"),
		"throttling as HTML":     localaws.HTML(429),
		"a server error":         localaws.Fail(500, "InternalServerException", "oops"),
		"a reset connection":     localaws.Reset(),
		"an answer that is torn": localaws.Truncate(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "monitor", guarding)
			guard(s.corp)
			for _, operation := range []string{"ListDomains", "GetAssociatedPackageGroup", "ListAllowedRepositoriesForGroup"} {
				s.World.Inject(localaws.Fault{Operation: operation, Kind: kind, Times: 2})
			}
			if out := s.Sweep(); !out.Complete || out.Verdicts["compliant"] != 1 {
				t.Errorf("summary: %+v", out)
			}
		})
	}
}

// Somebody is at work between the two readings. What a run says is never more
// than the next one would say, and the change wakes it again.
func TestAGroupThatIsOpenedBetweenTheReadingsIsFoundByTheNextLook(t *testing.T) {
	t.Parallel()
	s := newQueued(t)
	g := guard(s.corp)
	s.World.Inject(localaws.Fault{Operation: "GetAssociatedPackageGroup", Times: 1, When: localaws.After, Kind: localaws.Meanwhile(func() {
		g.SetMode(codeartifact.Publish, codeartifact.Allow)
	})})
	s.Sweep()
	s.hand(changed("corp"))
	if got := s.verdicts(); len(got) == 0 || got[len(got)-1] != "corp "+ui+": violation looser" {
		t.Errorf("findings: %q", got)
	}
}

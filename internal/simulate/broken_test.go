package simulate

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// broken is a program that is not as it should be.
type broken struct {
	deployed func(r rules) *rules                // it goes by other rules than those it is judged by
	answer   func(c *call, answer string) string // it understands an answer in another way
	line     func(line string) string            // it writes down something else; "" is nothing
	reply    func(reply []byte, err error) ([]byte, error)
	stale    bool // it goes by the policy that was deployed first
	replay   bool // it remembers what it read, and does not read it again
}

// change makes of an answer what a broken program makes of it.
func (p *process) change(req *http.Request, c *call, resp *http.Response) (*http.Response, error) {
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if p.stage.broken.answer != nil {
		if changed := p.stage.broken.answer(c, string(body)); changed != string(body) {
			body = []byte(changed)
			resp.StatusCode = http.StatusOK
			resp.Header.Del("X-Amzn-ErrorType")
		}
	}
	again := func(req *http.Request) *http.Response {
		copied := *resp
		copied.Request, copied.Body, copied.ContentLength = req, io.NopCloser(bytes.NewReader(body)), int64(len(body))
		copied.Header = resp.Header.Clone()
		copied.Header.Del("Content-Length")
		return &copied
	}
	if !c.Write {
		p.old[c.Key] = again
	}
	return again(req), nil
}

func everywhere(r rules) *rules {
	r.modes = map[string]string{connections: "enforce", groups: "enforce", origins: "monitor", accounts: "enforce"}
	r.writers = map[string]bool{web: true, lab: true}
	return &r
}

// A judge that finds nothing may be blind. Each row is a program with a part broken,
// and says what the judge has to find in some schedule.
func TestTheJudgeSeesWhatIsBroken(t *testing.T) {
	for _, row := range []struct {
		name   string
		rules  func(*rules) // changes those that are judged by
		broken broken
		says   string
		of     string                   // the control
		plays  func(n uint64) *schedule // in place of those of the seeds
	}{
		{"it writes in monitor mode", func(r *rules) { r.modes[connections] = "monitor" }, broken{deployed: everywhere}, "although external-connections is in monitor mode", connections, nil},
		{"it writes where the member does not let it", func(r *rules) { r.writers = nil }, broken{deployed: everywhere}, "the account lets it write: false", groups, nil},
		{"it passes over enforce_on", func(r *rules) { r.areas = []area{{domains: []string{"none"}}} },
			broken{deployed: func(r rules) *rules { r.areas = nil; return &r }}, "outside enforce_on", connections, nil},
		{"it passes over the limit", func(r *rules) { r.count = 1 },
			broken{deployed: func(r rules) *rules { r.count = 100; r.share = 100; return &r }}, "and the limit is 1", connections, nil},
		{"it passes over what is allowed", func(r *rules) {
			r.allow = []allowance{{repositories: []string{"*/*"}, connections: registries}}
		},
			broken{deployed: func(r rules) *rules { r.allow = nil; return &r }}, "nothing asks for it", connections, nil},
		{"it takes a waiver for over", func(r *rules) {
			r.waivers = []waiver{{allowance{repositories: []string{"*/*"}, connections: registries}, start().AddDate(1, 0, 0)}}
		}, broken{deployed: func(r rules) *rules { r.waivers = nil; return &r }}, "nothing asks for it", connections, nil},
		{"it takes every group for old enough", func(r *rules) { r.minAge = 10000 * time.Hour },
			broken{deployed: func(r rules) *rules { r.minAge = time.Hour; return &r }}, "nothing asks for it", groups, nil},
		{"it does not wait for the grace time", func(r *rules) { r.grace = 10000 * time.Hour },
			broken{deployed: func(r rules) *rules { r.grace = time.Hour; return &r }}, "DeletePackageGroup arn", groups, nil},
		{"it passes over keep rules", func(r *rules) { r.keep = []string{"/npm**", "/maven**"} },
			broken{deployed: func(r rules) *rules { r.keep = nil; return &r }}, "nothing asks for it", groups, nil},
		{"it prunes parents", func(r *rules) { r.children, r.lookalikes = false, true },
			broken{deployed: func(r rules) *rules { r.children = true; return &r }}, "nothing asks for it", groups, nil},
		{"it lets look-alikes in", func(r *rules) { r.lookalikes = false },
			broken{deployed: func(r rules) *rules { r.lookalikes = true; return &r }}, "nothing asks for it", groups, nil},
		{"it does not see packages", nil, broken{answer: func(c *call, answer string) string {
			if c.Operation == "ListAssociatedPackages" {
				return `{"packages":[]}`
			}
			return answer
		}}, "nothing asks for it", groups, nil},
		{"it does not see modes", nil, broken{answer: func(c *call, answer string) string {
			if c.Operation == "ListPackageGroups" {
				return strings.ReplaceAll(answer, `"mode":"BLOCK"`, `"mode":"INHERIT"`)
			}
			return answer
		}}, "loosened", groups, func(uint64) *schedule {
			return ripe(move{Kind: "deed", Step: step{What: guarding, C: 3, D: 1}})
		}},
		{"it does not see tags", nil, broken{answer: func(c *call, answer string) string {
			return strings.NewReplacer(`"portcullis:keep"`, `"x"`, `"team:owned"`, `"y"`, `"aws:cloudformation:stack-id"`, `"z"`).Replace(answer)
		}}, "nothing asks for it", groups, nil},
		{"it takes an answer without a list for an empty list", nil, broken{answer: func(c *call, answer string) string {
			if c.Operation == "ListAssociatedPackages" && (answer == "{}" || answer == "null" || answer == "") {
				return `{"packages":[]}`
			}
			return answer
		}}, "lacks a sound ListAssociatedPackages", groups, failing("{}")},
		{"it takes a list that may not be read for an empty one", nil, broken{answer: func(c *call, answer string) string {
			if c.Operation == "ListAssociatedPackages" && c.Status == http.StatusForbidden {
				return `{"packages":[]}`
			}
			return answer
		}}, "lacks a sound ListAssociatedPackages", groups, failing("access denied")},
		{"it reads no page but the first", nil, broken{answer: func(c *call, answer string) string {
			return furtherPage.ReplaceAllString(answer, "")
		}}, "lacks the last page of ListRepositoriesInDomain", connections, func(n uint64) *schedule {
			s := newSchedule(n)
			s.Page = 1
			return s
		}},
		{"it decides on what it read first", nil, broken{replay: true}, "was written without a second reading", groups, nil},
		{"it takes what is approved for not approved", func(r *rules) {
			r.approve = []approval{{from: everybody, to: everybody, names: []string{"*"}}}
			r.pendingAfter = 10000 * time.Hour
		}, broken{deployed: func(r rules) *rules { r.approve = nil; return &r }}, "RejectEnvironmentAccountConnection", accounts, nil},
		{"it records no intents", nil, broken{line: dropping("intent")}, "was written without an intent", connections, nil},
		{"it records another intent", nil, broken{line: func(line string) string {
			if strings.Contains(line, `"message":"intent"`) {
				return strings.ReplaceAll(line, "store", "other")
			}
			return line
		}}, "was written where the intent says", connections, nil},
		{"it records no outcomes", nil, broken{line: dropping("outcome")}, "has no outcome", connections, nil},
		{"its undo is not one", nil, broken{line: func(line string) string {
			return strings.ReplaceAll(line, `"operation":"AssociateExternalConnection"`, `"operation":"DeleteRepository"`)
		}}, "does not work", connections, nil},
		{"it says nothing of what it lost", nil, broken{line: func(line string) string {
			return strings.ReplaceAll(line, `"status":"restore-needed"`, `"status":"applied"`)
		}}, "and the outcome is", groups, nil},
		{"it takes what AWS refused for what others did", nil, broken{line: func(line string) string {
			return strings.ReplaceAll(line, `"status":"already-done","code":"refused"`, `"status":"already-done","code":"gone"`)
		}}, "is not one to undo", groups, func(uint64) *schedule {
			s := ripe()
			s.Moves[len(s.Moves)-1].Faults = []fault{{At: 1, Among: aWrite, Kind: kindOf("not found, although it was done")}}
			return s
		}},
		{"it takes off the queue what it did not judge", nil, broken{reply: func([]byte, error) ([]byte, error) { return []byte(`{"batchItemFailures":[]}`), nil }},
			"was taken off the queue", origins, func(uint64) *schedule { return told(fault{At: 1, Kind: kindOf("access denied"), Lasts: operation}) }},
		{"it takes off the queue what it cannot read", nil, broken{reply: func([]byte, error) ([]byte, error) { return []byte(`{"batchItemFailures":[]}`), nil }},
			"cannot be read, and was taken off the queue", origins, func(uint64) *schedule { return told() }},
		{"it takes what is open for guarded", nil, broken{answer: func(_ *call, answer string) string {
			return strings.ReplaceAll(answer, `"effectiveMode":"ALLOW"`, `"effectiveMode":"BLOCK"`)
		}}, "was found compliant, which it never was", origins, func(uint64) *schedule { return told() }},
		{"it passes over a guard", nil, broken{deployed: func(r rules) *rules { r.guards = nil; return &r }},
			"was not judged", origins, func(uint64) *schedule { return told() }},
		{"it takes what it could not read again for gone", nil, broken{line: func(line string) string {
			return strings.ReplaceAll(line, `"status":"withheld","code":"undetermined"`, `"status":"already-done","code":"gone"`)
		}}, "was told to be gone, which it never was", groups, failing("access denied")},
		{"it keeps to the policy that was there before", nil, broken{stale: true}, "although package-groups is in monitor mode", groups, func(uint64) *schedule {
			s := ripe()
			monitoring := *s.Rules
			monitoring.modes = map[string]string{}
			maps.Copy(monitoring.modes, s.Rules.modes)
			monitoring.modes[groups] = "monitor"
			s.Moves = slices.Insert(s.Moves, len(s.Moves)-1, move{Kind: "deploy", Rules: &monitoring})
			return s
		}},
		{"it takes what another run did for its own", nil, broken{line: func(line string) string {
			return strings.ReplaceAll(line, `"status":"already-done"`, `"status":"applied"`)
		}}, "did nothing, and its outcome is that it was applied", groups, func(uint64) *schedule {
			s := ripe()
			s.Moves[len(s.Moves)-1].Faults = []fault{{At: 1, Among: aWrite, Kind: kindOf(anotherRun), Ahead: 1000, Beside: &s.Moves[len(s.Moves)-1]}}
			return s
		}},
		{"it never acts", nil, broken{deployed: func(r rules) *rules { r.count = 10; r.share = 100; r.modes = map[string]string{}; return &r }}, "is asked for and never made", connections, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			const most = 400 // of which a few are needed
			for seed := uint64(1); seed <= most; seed++ {
				s := newSchedule(seed)
				if row.plays != nil {
					s = row.plays(seed)
				}
				if !slices.Contains(s.Controls, row.of) {
					continue
				}
				s.Rules = everywhere(*s.Rules)
				s.Rules.count, s.Rules.share, s.Rules.areas = 10, 100, nil
				if row.rules != nil {
					row.rules(s.Rules)
				}
				s.Broken = row.broken
				for _, bad := range play(t, s).Bad {
					if strings.Contains(bad, row.says) {
						return
					}
				}
			}
			t.Errorf("in %d schedules the judge found nothing that says %q", most, row.says)
		})
	}
}

// A program cannot be broken from here so that it reads in another order.
func TestTheGroupsAreToBeReadLast(t *testing.T) {
	for _, row := range []struct {
		read string // before the write, an operation for each letter
		want int
	}{
		{"gtpg", 3}, {"gtpgn", 3}, {"gtpgs", 3}, {"gntgnn", 3}, {"gtp", -1}, {"gpgt", -1}, {"tpn", -1}, {"", -1},
	} {
		r := &record{}
		for _, letter := range row.read {
			c := &call{}
			c.Service, c.Operation = "codeartifact", map[rune]string{'g': "ListPackageGroups", 'n': "ListPackageGroups", 't': "ListTagsForResource", 'p': "ListAssociatedPackages"}[letter]
			switch letter {
			case 'n':
				c.Input = map[string]any{"nextToken": "x"}
			case 's':
				c.Service = "sts"
			}
			r.Calls = append(r.Calls, c)
		}
		if got := r.lastTree(0, len(r.Calls)); got != row.want {
			t.Errorf("%s: the last reading of the groups began at %d, want %d", row.read, got, row.want)
		}
	}
}

var furtherPage = regexp.MustCompile(`,?"nextToken":"[^"]*"`)

// ripe is a schedule in which an empty group is marked, and deleted a day later.
func ripe(before ...move) *schedule {
	s := &schedule{
		Rules:    &rules{count: 10, share: 100, minAge: time.Hour, grace: time.Hour, rejectedAfter: time.Hour, pendingAfter: time.Hour},
		Controls: []string{groups}, Accounts: []string{hub},
		Moves: append([]move{{Kind: "deed", Step: step{What: guarding - 4, B: 2}}}, before...),
	}
	for range 2 {
		s.Moves = append(s.Moves, move{Kind: "wait", Hours: 2}, move{Kind: "sweep", Control: groups, Account: hub, Time: 15 * time.Minute})
	}
	s.Rules = everywhere(*s.Rules)
	return s
}

// told is a schedule in which a group is made in a domain with a guard, and
// package-origins is told of it, with a message that cannot be read.
func told(faults ...fault) *schedule {
	s := ripe()
	s.Controls = []string{origins}
	s.Rules.guards = []guard{{"pkg:npm/lodash", pkg{"npm", "", "lodash"}, "corp", ""}}
	s.Moves = []move{
		{Kind: "deed", Step: step{What: guarding - 4, B: 2, D: 1}},
		{Kind: "queue", Event: 14, Time: time.Minute, Faults: faults},
	}
	return s
}

// failing has a call of every sweep, and those of its operation after it, go wrong: the
// first, the second, and so on.
func failing(kind string) func(uint64) *schedule {
	return func(n uint64) *schedule {
		s := ripe()
		for i := range s.Moves {
			s.Moves[i].Faults = []fault{{At: int(n), Kind: kindOf(kind), Lasts: operation}}
		}
		return s
	}
}

func kindOf(name string) int {
	return slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
}

func dropping(message string) func(string) string {
	return func(line string) string {
		if strings.Contains(line, `"message":"`+message+`"`) {
			return ""
		}
		return line
	}
}

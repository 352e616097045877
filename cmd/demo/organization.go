package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"

	"portcullis/shared/control"
	"portcullis/shared/localaws"
	events "portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/proton"
	rounds "portcullis/shared/round"
)

// shared is in the domain of one member, and another one made it.
const (
	sharedName = "shared"
	shared     = "shop/" + sharedName
)

// organizationScenes is the fourth act: the planner has every account swept, and the
// hub acts in members as far as they let it.
func organizationScenes() []scene {
	return []scene{
		{"a round of sweeps", func(s *stage) (row, error) {
			s.say("operator", "sets all controls to monitor; Proton stays as it is in scene 19")
			s.proton.Retire(proton.EmptyObject)
			for _, name := range controls() {
				if err := s.deploy(name, "monitor"); err != nil {
					return row{}, err
				}
			}
			calls := len(s.world.Calls())
			r, err := s.round()
			if err != nil {
				return row{}, err
			}
			s.say("planner", "asks for %d sweeps, one of each control in each account; %d report", len(r.requests), len(r.runs))
			own := s.sweptTable(r, s.world.Calls()[calls:])
			if err := s.later(time.Hour); err != nil {
				return row{}, err
			}
			next, err := s.round()
			if err != nil {
				return row{}, err
			}
			s.say("planner", "asks for the next round, and tells of this one: complete %t, %s", next.round.Complete, totals(next.round))
			violations := map[string]int{}
			for _, f := range r.findings {
				if f.Verdict == "violation" {
					violations[f.Account]++
				}
			}
			others := slices.ContainsFunc(r.runs, func(run control.Summary) bool { return run.Round != next.round.Round })
			return row{
				expected: "each account read by its own role",
				seen:     fmt.Sprintf("%d sweeps in %d accounts, own role: %t", len(r.runs), len(violations), own),
				ok: len(r.requests) == 16 && len(r.runs) == 16 && own && len(r.writes) == 0 && !others && next.round.Complete && sameTotals(r, next.round) &&
					violations[account] == 2 && violations[shop] == 2 && violations[data] == 1 && violations[tools] == 2 && len(violations) == 4,
			}, nil
		}},
		{"seen from two accounts", func(s *stage) (row, error) {
			s.say("somebody", "in %s made %s, which is in the domain of %s", data, shared, shop)
			if err := s.deploy(planner, connections); err != nil { // the other controls have shown what they do
				return row{}, err
			}
			r, err := s.round()
			if err != nil {
				return row{}, err
			}
			alone, err := s.sweepOnly(connections, data)
			if err != nil {
				return row{}, err
			}
			inRound, byHand := r.of(shared), alone.of(shared)
			s.say("round", "it is found in %s; %s leaves it to the sweep of its owner", strings.Join(accountsOf(inRound), " and "), data)
			s.say("by hand", "a sweep of %s alone leaves it, too: %d findings about it", data, len(byHand))
			return row{
				expected: "one finding, that of its owner",
				seen:     fmt.Sprintf("%d in the round, in %s", len(inRound), strings.Join(accountsOf(inRound), " and ")),
				ok:       len(inRound) == 1 && inRound[0].Account == shop && len(byHand) == 0 && len(alone.runs) == 1,
			}, nil
		}},
		{"two must say enforce", func(s *stage) (row, error) {
			s.say("operator", "sets external-connections to enforce in the hub; of the members only %s does so too", shop)
			if err := s.deploy(connections, "enforce"); err != nil {
				return row{}, err
			}
			if err := s.hub.Join(shop, connections); err != nil {
				return row{}, err
			}
			r, err := s.round()
			if err != nil {
				return row{}, err
			}
			var barred []string
			for _, o := range r.outcomes {
				if o.Status == "withheld" && o.Code == "barred" {
					barred = append(barred, o.Account)
					s.say("outcome", "withheld in %s, %s: %s", o.Account, o.name(), brief(o.Detail))
				}
			}
			made := s.printMade(r)
			return row{
				expected: "written in two accounts, barred in two",
				seen:     fmt.Sprintf("%s, %d barred", r.wrote(), len(barred)),
				ok: slices.Equal(barred, []string{data, tools}) && r.count("applied") == 3 && slices.Equal(made, []string{
					account + " external-connections",
					shop + " external-connections-write",
					shop + " external-connections-write",
				}),
			}, nil
		}},
		{"an event of a member", func(s *stage) (row, error) {
			woken := len(s.woken[connections])
			s.say("somebody", "in %s connects shop/catalog to public:npmjs", shop)
			if err := s.connect(shop, "shop", "catalog"); err != nil {
				return row{}, err
			}
			r, err := s.collect(nil)
			if err != nil {
				return row{}, err
			}
			made, calls := s.printMade(r), s.woken[connections][woken:]
			s.say("events", "the member's rule handed it to the hub, where the function was woken for %s", strings.Join(calls, ", "))
			left := s.packages.Domain(shop, region, "shop").Repository("catalog").Connections()
			return row{
				expected: "removed there, by the member's role",
				seen:     fmt.Sprintf("%d removed, %d left, woken once: %t", r.count("applied"), len(left), len(calls) == 1),
				ok: len(left) == 0 && r.count("applied") == 1 && slices.Equal(calls, []string{"AssociateExternalConnection in " + shop}) &&
					slices.Equal(made, []string{shop + " somebody", shop + " external-connections-write"}),
			}, nil
		}},
		{"a stranger's event", func(s *stage) (row, error) {
			s.say("somebody", "in %s, which is no member, hands all events to the hub's bus, as members do", stranger)
			pattern, err := events.PatternIn(s.template, "Forward")
			if err != nil {
				return row{}, err
			}
			handed := 0
			for _, rule := range []events.Rule{
				{Name: "Forward", Pattern: pattern, Bus: s.hub.Bus.ARN()},
				{Name: "Count", Pattern: pattern, Target: func([]byte) { handed++ }},
			} {
				if err := s.events.AddRule(stranger, region, "default", rule); err != nil {
					return row{}, err
				}
			}
			s.packages.AddDomain(stranger, region, "theirs").AddRepository("app")
			woken := len(s.woken[connections])
			if err := s.connect(stranger, "theirs", "app"); err != nil {
				return row{}, err
			}
			if _, err := s.collect(nil); err != nil {
				return row{}, err
			}
			in := 0
			for _, e := range s.events.Events(account, region, bus) {
				if e.Account == stranger {
					in++
				}
			}
			s.say("events", "%d handed over, %d let in: the bus takes those of members only", handed, in)
			return row{
				expected: "does not get in",
				seen:     fmt.Sprintf("%d of %d", in, handed),
				ok:       handed == 1 && in == 0 && len(s.woken[connections]) == woken,
			}, nil
		}},
		{"a sweep asks for sweeps", func(s *stage) (row, error) {
			s.say("function", "external-connections puts a %q on the bus, as only the planner may", rounds.RequestEvent)
			var refused smithy.APIError
			if err := s.askForSweep(connections); err != nil && !errors.As(err, &refused) {
				return row{}, err
			}
			denied := refused != nil && refused.ErrorCode() == "AccessDeniedException"
			if denied {
				s.say("server", "%s", refused.ErrorMessage())
			}
			r, err := s.collect(nil)
			if err != nil {
				return row{}, err
			}
			s.say("planner", "puts the same")
			if err = s.askForSweep(planner); err != nil {
				return row{}, err
			}
			allowed, err := s.collect(nil)
			s.say("", "%d sweep is made", len(allowed.runs))
			return row{
				expected: "denied; the planner may",
				seen:     fmt.Sprintf("%d sweeps, and %d by the planner", len(r.runs), len(allowed.runs)),
				ok:       denied && len(r.requests)+len(r.runs) == 0 && len(allowed.requests) == 1 && len(allowed.runs) == 1,
			}, err
		}},
		{"a member without roles", func(s *stage) (row, error) {
			s.say("somebody", "in %s deletes the stack of member.yaml", tools)
			s.hub.Leave(tools)
			s.deployed[connections].Kill() // and so it asks for the role anew; while it runs, it has the credentials for an hour
			r, err := s.round()
			if err != nil {
				return row{}, err
			}
			var unknown []string
			for _, f := range r.findings {
				if f.Account == tools {
					unknown = append(unknown, f.Verdict)
					s.say("finding", "%s: %s", f.Verdict, brief(f.Reason))
				}
			}
			if err := s.later(time.Hour); err != nil {
				return row{}, err
			}
			next, err := s.round()
			if err != nil {
				return row{}, err
			}
			m, err := s.metrics(planner)
			if err != nil {
				return row{}, err
			}
			result := rounds.Result{}
			if len(next.round.Controls) == 1 {
				result = next.round.Controls[0]
			}
			s.say("planner", "tells of that round: complete %t, %d of %d swept, incomplete %s", next.round.Complete, result.Swept, result.Expected, strings.Join(result.Incomplete, ", "))
			s.say("metrics", "Unfinished, for which an alarm rings, is %v", m["Unfinished"])
			return row{
				expected: "undetermined, and named",
				seen:     fmt.Sprintf("%s; incomplete: %s", strings.Join(unknown, ", "), strings.Join(result.Incomplete, ", ")),
				ok: slices.Equal(unknown, []string{"undetermined"}) && !next.round.Complete && slices.Equal(result.Incomplete, []string{tools}) &&
					len(result.Missing) == 0 && m["Unfinished"] == 1.0 && len(r.writes) == 0,
			}, nil
		}},
	}
}

// round wakes the planner as the schedule does, and collects what came of the sweeps
// that it asked for.
func (s *stage) round() (report, error) {
	_, err := s.deployed[planner].Invoke(s.ctx, []byte(`{"source":"portcullis","detail-type":"Round Requested","detail":{"by":"schedule"}}`))
	if err != nil {
		return report{}, err
	}
	return s.collect(nil)
}

// sweepOnly has a control sweep one account, by hand.
func (s *stage) sweepOnly(name, member string) (report, error) {
	payload := fmt.Sprintf(`{"source":"portcullis","detail-type":"Sweep Requested","detail":{"by":"hand","account":%q}}`, member)
	if _, err := s.deployed[name].Invoke(s.ctx, []byte(payload)); err != nil {
		return report{}, err
	}
	return s.collect(nil)
}

// connect is what somebody in an account does.
func (s *stage) connect(member, domain, repository string) error {
	return s.personIn(member, "AssociateExternalConnection", map[string]string{
		"domain": domain, "domainOwner": member, "repository": repository, "externalConnection": "public:npmjs",
	})
}

// askForSweep asks for a sweep with the role of a function.
func (s *stage) askForSweep(function string) error {
	role := s.world.Role(account, s.hub.Prefix()+"-"+function)
	client := eventbridge.New(eventbridge.Options{
		Region: region, BaseEndpoint: aws.String(s.world.URL()), HTTPClient: s.world.Client(), Credentials: provider(role.Session(function)),
		RetryMaxAttempts: 1, // a denial is what is asked for
	})
	_, err := client.PutEvents(s.ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
		EventBusName: aws.String(bus), Source: aws.String("portcullis"), DetailType: aws.String(rounds.RequestEvent),
		Detail: aws.String(fmt.Sprintf(`{"version":1,"by":"hand","control":%q,"account":%q,"region":%q}`, connections, account, region)),
	}}})
	return err
}

// sweptTable prints what the sweeps of a round found in each account, and says whether
// each account was read by the role that it grants, and by nothing else.
func (s *stage) sweptTable(r report, calls []localaws.Call) bool {
	readers := map[string][]string{}
	for _, c := range calls {
		if (c.Service == "codeartifact" || c.Service == "proton") && !slices.Contains(readers[c.Account], s.roleOf(c)) {
			readers[c.Account] = append(readers[c.Account], s.roleOf(c))
		}
	}
	want := map[string][]string{account: controls()}
	for _, member := range members() {
		want[member] = []string{"read"}
	}

	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\t%s\tby the role\n", strings.Join(controls(), "\t"))
	own := len(readers) == len(want)
	for _, id := range append([]string{account}, members()...) {
		fmt.Fprintf(w, "%s", id)
		for _, name := range controls() {
			fmt.Fprintf(w, "\t%s", cell(r.runs, name, id))
		}
		slices.Sort(readers[id])
		slices.Sort(want[id])
		by := strings.Join(readers[id], ", ")
		if id == account && slices.Equal(readers[id], want[id]) {
			by = "of each control"
		}
		fmt.Fprintf(w, "\t%s\n", by)
		own = own && slices.Equal(readers[id], want[id])
	}
	_ = w.Flush()
	s.say("found", "resources that were looked at / violations")
	for line := range strings.Lines(text.String()) {
		s.line("", strings.TrimRight(line, "\n"))
	}
	return own
}

// cell is what one sweep found.
func cell(runs []control.Summary, name, id string) string {
	for _, r := range runs {
		switch {
		case r.Control != name || r.Account != id:
		case r.Gone:
			return "gone"
		case !r.Complete:
			return "incomplete"
		default:
			return fmt.Sprintf("%d/%d", r.Looked, r.Verdicts[control.Violation])
		}
	}
	return "missing"
}

// totals are those of a round, as the planner tells them.
func totals(r rounds.Summary) string {
	var list []string
	for _, c := range r.Controls {
		text := fmt.Sprintf("%s %d/%d", c.Control, c.Looked, c.Verdicts[control.Violation])
		if c.Gone > 0 {
			text = fmt.Sprintf("%s gone in %d", c.Control, c.Gone)
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

// sameTotals says whether the totals that the planner tells are the sums of what the
// sweeps of the round reported.
func sameTotals(r report, told rounds.Summary) bool {
	for _, c := range told.Controls {
		looked, violations, swept := 0, 0, 0
		for _, run := range r.runs {
			if run.Control == c.Control {
				looked += run.Looked
				violations += run.Verdicts[control.Violation]
				swept++
			}
		}
		if c.Expected != 4 || c.Swept != swept || c.Looked != looked || c.Verdicts[control.Violation] != violations {
			return false
		}
	}
	return len(told.Controls) == len(controls())
}

// printMade prints where and by whom the writes were made, and returns that.
func (s *stage) printMade(r report) []string {
	var list []string
	for i, c := range r.made {
		s.say("server", "%s, in %s by %s", r.writes[i], c.Account, s.roleOf(c))
		list = append(list, c.Account+" "+s.roleOf(c))
	}
	return list
}

// brief leaves out of a reason what AWS said word for word.
func brief(reason string) string {
	begin, _, _ := strings.Cut(reason, ": failed to refresh cached credentials")
	return begin
}

// roleOf is the name of the role that made a call, without what all of them begin with.
func (s *stage) roleOf(c localaws.Call) string {
	if c.Principal == "" {
		return "somebody"
	}
	return strings.TrimPrefix(c.Principal[strings.LastIndex(c.Principal, "/")+1:], s.hub.Prefix()+"-")
}

// of returns the findings about a resource.
func (r report) of(resource string) []event {
	return slices.DeleteFunc(slices.Clone(r.findings), func(f event) bool { return f.name() != resource })
}

func accountsOf(findings []event) []string {
	var list []string
	for _, f := range findings {
		list = append(list, f.Account)
	}
	return list
}

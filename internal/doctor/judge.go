package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A finding is what a thing that was read comes to.
type finding struct {
	state     State
	found, do string
}

func well(format string, args ...any) finding {
	return finding{OK, fmt.Sprintf(format, args...), ""}
}

func failed(do, format string, args ...any) finding {
	return finding{Failed, fmt.Sprintf(format, args...), do}
}

// What to do about a thing that is not as the stack made it. CloudFormation compares
// templates with one another, and not with what is there, so a deployment mends only
// what the stack itself has wrong.
const (
	deploy  = "deploy the stack again (make deploy)"
	made    = "somebody took it away beside CloudFormation, which will not make it again by itself: make it as template.yaml has it, or delete the stack and deploy it anew"
	changed = "somebody changed it beside CloudFormation, which will not put it back by itself: set it by hand as template.yaml has it"
)

// unread says why nothing is known of something: AWS could not be asked, or does not
// know it although it has just named it.
func (f Fact[T]) unread() string {
	if f.Absent != "" {
		return f.Absent
	}
	return f.Unread
}

// examine makes a check of a fact: what could not be read is unknown, what is not
// there has failed, with what to do, and the rest is looked at.
func examine[T any](name, subject string, f Fact[T], gone string, look func(T) finding) Check {
	var is finding
	switch {
	case f.Unread != "":
		is = finding{Unknown, f.Unread, ""}
	case f.Absent != "":
		is = failed(gone, "%s", f.Absent)
	default:
		is = look(f.Value)
	}
	return Check{name, subject, is.state, is.found, is.do}
}

// deployed is examine for a resource of the stack. Where its stack does not have it,
// an older template was deployed, or another one.
func deployed[T any](f Facts, name, id string, facts map[string]Fact[T], gone string, look func(T) finding) Check {
	fact, read := facts[id]
	if !read {
		return Check{name, id, Failed, "the stack did not deploy it: it is of another version of template.yaml", deploy}
	}
	if r := f.Resources.Value[id]; fact.Absent != "" {
		fact.Absent = r.ID[strings.LastIndex(r.ID, "|")+1:] + " is not there" // the rest is the bus of a rule
	}
	return examine(name, id, fact, gone, look)
}

// Judge says of everything that was read whether it is as it should be.
func Judge(f Facts) []Check {
	checks := []Check{
		{Name: "credentials", State: OK, Found: f.Caller},
		judgeStack(f),
		judgeTrails(f.Trails, f.Region, f.Stack.Value),
		judgeDomains(f),
		judgeProton(f),
	}
	switch {
	case f.Stack.unread() != "" || !f.Stack.Value.ours():
		return checks // the stack says all that is known
	case f.Resources.unread() != "":
		return append(checks, Check{"resources", "", Unknown, f.Resources.unread(), ""})
	}
	s := f.Stack.Value
	checks = append(checks, judgeBus(f))
	for _, p := range parts() {
		for _, r := range p.rules {
			checks = append(checks, judgeRule(f, p, r))
		}
	}
	if s.Parameters[noticesTopic] != "" {
		for _, r := range told() {
			checks = append(checks, judgeRule(f, part{}, r))
		}
	}
	checks = append(checks, judgeAlarms(f), judgeSchedule(f))
	for _, p := range parts() {
		for _, id := range p.queues {
			checks = append(checks, judgeQueue(f, id))
		}
	}
	checks = append(checks, deployed(f, "event source mapping", batchesID, f.Batches, made, func(b Batches) finding {
		if b.State != "Enabled" {
			return failed("turn it on: aws lambda update-event-source-mapping --enabled --uuid "+f.Resources.Value[batchesID].ID,
				"it is %s, so what is in the queue wakes nothing", b.State)
		}
		return well("%s", b.State)
	}))
	for _, p := range parts() {
		for _, id := range p.functions {
			checks = append(checks, deployed(f, "function", id, f.Functions, made, func(fn Function) finding { return fn.judge(f, p) }))
		}
	}
	for _, p := range parts() {
		for _, r := range p.roles {
			checks = append(checks, deployed(f, "role", r.id, f.Roles, made, func(is Role) finding {
				return is.judge(f, r, s.Parameters[p.mode] == "enforce")
			}))
		}
	}
	return append(checks, judgeRounds(f)...)
}

// ours tells whether the stack is one of template.yaml.
func (s Stack) ours() bool {
	for _, p := range parts() {
		if _, has := s.Parameters[p.mode]; p.mode != "" && !has {
			return false
		}
	}
	return true
}

func judgeStack(f Facts) Check {
	fact := f.Stack
	if fact.Absent != "" {
		fact.Absent = fmt.Sprintf("there is no stack %s in this account and Region", f.Name)
	}
	return examine("stack", "", fact, "deploy it (make deploy ENV=prod makes portcullis-prod, ENV=dev portcullis-dev), or name another with --stack", func(s Stack) finding {
		var modes []string
		for _, p := range parts() {
			if p.mode != "" {
				modes = append(modes, p.name+" "+s.Parameters[p.mode])
			}
		}
		members := "no members"
		switch {
		case s.Parameters["OrganizationId"] != "":
			members = "members: the accounts of " + s.Parameters["OrganizationId"]
		case s.Parameters["MemberAccounts"] != "":
			members = "members: " + strings.ReplaceAll(s.Parameters["MemberAccounts"], ",", ", ")
		}
		switch {
		case !s.ours():
			return failed("name another with --stack", "%s is not a stack of template.yaml", f.Name)
		case strings.HasSuffix(s.Status, "_IN_PROGRESS"):
			return finding{Unknown, f.Name + " is being changed: " + s.Status, "ask again when that is done"}
		case !slices.Contains([]string{"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"}, s.Status):
			return failed("see why: aws cloudformation describe-stack-events --stack-name "+f.Name+"; then deploy again", "%s is %s, so the last change was not made", f.Name, s.Status)
		default:
			return well("%s is %s: %s; %s", f.Name, s.Status, strings.Join(modes, ", "), members)
		}
	})
}

func judgeDomains(f Facts) Check {
	needed := slices.ContainsFunc(f.Stack.Value.controls(), func(name string) bool { return name != "proton-connections" })
	if !needed {
		return Check{Name: "codeartifact", State: NotNeeded, Found: "no control that is on looks at it"}
	}
	return examine("codeartifact", "", f.Domains, "", func(struct{}) finding { return well("it answers") })
}

func judgeProton(f Facts) Check {
	if !slices.Contains(f.Stack.Value.controls(), "proton-connections") {
		return Check{Name: "proton", State: NotNeeded, Found: "no control that is on looks at it"}
	}
	return examine("proton", "", f.Proton, "", func(gone string) finding {
		if gone != "" {
			return finding{NotNeeded, gone, ""}
		}
		return well("it answers")
	})
}

// judgeBus looks for the bus under the name that the functions are given, which is
// the one that the stack has for it.
func judgeBus(f Facts) Check {
	name := f.Resources.Value[busID].ID
	if f.Bus.Absent != "" {
		return Check{"bus", busID, Failed, name + " is not there: AWS accepts what is put on it, and loses it without a word, findings and requests alike", made}
	}
	return deployed(f, "bus", busID, map[string]Fact[Bus]{busID: f.Bus}, made, func(b Bus) finding { return b.judge(f) })
}

func judgeRule(f Facts, p part, r rule) Check {
	on := f.Stack.Value.on(p)
	if !r.onDefault && f.Bus.Absent != "" {
		return Check{"rule", r.id, Failed, "the bus is not there, and so no rule on it", "see the bus"}
	}
	return deployed(f, "rule", r.id, f.Rules, made, func(is Rule) finding {
		enabled := strings.HasPrefix(is.State, "ENABLED") // there are two kinds
		target, missed := f.Resources.Value[r.target].ID, "the next round finds what it let pass"
		if r.target == "" {
			r.target = f.Stack.Value.Parameters[noticesTopic]
			target, missed = r.target, "what it did not tell is in the log of events"
		}
		switch {
		case !on && enabled:
			return failed(changed, "it is %s although %s is off", is.State, p.name)
		case !on:
			return finding{NotNeeded, p.name + " is off, and so is the rule", ""}
		case !enabled:
			return failed("turn it on again (aws events enable-rule); "+missed, "it is %s", is.State)
		case !slices.ContainsFunc(is.Targets, func(arn string) bool { return names(arn, target) }):
			return failed(changed, "%s is not among its targets, so what it matches is lost", r.target)
		default:
			return well("%s, to %s", is.State, r.target)
		}
	})
}

// judgeAlarms says whether alarms ring anybody. Who has subscribed to a topic is known
// to SNS, which is not asked.
func judgeAlarms(f Facts) Check {
	s := f.Stack.Value
	topic, address := s.Parameters["AlarmTopicArn"], s.Parameters["AlarmEmail"]
	var enforced, ring []string
	for _, p := range parts() {
		if s.Parameters[p.mode] == "enforce" {
			enforced = append(enforced, p.name)
		}
	}
	if topic != "" {
		ring = append(ring, "they ring "+topic+"; whether its policy lets them, and who has subscribed, is not seen from here")
	}
	if address != "" {
		ring = append(ring, "they write to "+address+", once it has confirmed the subscription, which is not seen from here")
	}
	_, made := f.Resources.Value[topicID]
	const next = "set AlarmTopicArn or AlarmEmail, and deploy"
	is := well("%s", strings.Join(ring, "; "))
	switch {
	case address != "" && !made:
		is = failed(deploy, "they are to write to %s, and the stack did not deploy the topic for that", address)
	case ring == nil && enforced != nil:
		is = failed(next, "they ring nobody, and things are changed: %s is in mode enforce", strings.Join(enforced, ", "))
	case ring == nil:
		is = finding{NotNeeded, "they ring nobody, and nothing is changed, as no control is in mode enforce; before one is, or to hear of violations now, " + next, ""}
	}
	return Check{"alarms", "", is.state, is.found, is.do}
}

// names tells whether an ARN is that of the thing that CloudFormation calls so: by
// its name, by its URL or by the ARN itself.
func names(arn, id string) bool {
	id = id[strings.LastIndex(id, "/")+1:]
	return id != "" && (arn == id || strings.HasSuffix(arn, ":"+id) || strings.HasSuffix(arn, "/"+id))
}

func judgeSchedule(f Facts) Check {
	s := f.Stack.Value
	return deployed(f, "schedule", scheduleID, f.Schedules, made, func(is Schedule) finding {
		switch {
		case len(s.controls()) == 0:
			return finding{NotNeeded, "all controls are off", ""}
		case is.State != "ENABLED":
			return failed(changed+"; until then ask for rounds (make round)", "it is %s, so nothing is swept", is.State)
		case !names(is.Target, f.Resources.Value[plannerID].ID):
			return failed(changed, "it does not start the planner")
		default:
			return well("%s, as SweepEvery is %s", is.State, s.Parameters["SweepEvery"])
		}
	})
}

func judgeQueue(f Facts, id string) Check {
	return deployed(f, "queue", id, f.Queues, made, func(q Queue) finding {
		switch {
		case id != failuresID:
			return well("%d messages", q.Messages) // they are waiting to be handled, some by design
		case q.Messages > 0:
			return failed("read them (docs/operations.md tells what each looks like), mend what they tell of, ask for a round (make round), and then empty the queue",
				"%d messages wait in it; each is something that was asked for and did not happen", q.Messages)
		default:
			return well("empty")
		}
	})
}

func (fn Function) judge(f Facts, p part) finding {
	s := f.Stack.Value
	variable, want := "ENFORCEMENT_MODE", s.Parameters[p.mode]
	if p.name == "" {
		variable, want = "CONTROLS", strings.Join(s.controls(), ",")
	}
	layer := ""
	for _, r := range f.Resources.Value {
		if r.Type == layerType {
			layer = r.ID
		}
	}
	switch {
	case !s.on(p):
		return finding{NotNeeded, p.name + " is off", ""}
	case fn.Reserved != nil && *fn.Reserved == 0:
		return failed("let it run again (make start), which says what to do with what came in meanwhile", "it is stopped: its reserved concurrency is 0, as make stop sets it")
	case fn.State != "Active":
		return failed("look at it in the console of Lambda, which says what it waits for", "its state is %s, so it does not run%s", fn.State, because(fn.Reason))
	case fn.LastUpdate != "Successful":
		return failed(deploy, "its last update is %s, so it runs as it was before", fn.LastUpdate)
	case fn.Environment == nil:
		return finding{Unknown, "its environment could not be read", "see the rights of these credentials to the key that encrypts it"}
	case fn.Environment[variable] != want:
		return failed(changed, "%s is %q there, and the stack says %q", variable, fn.Environment[variable], want)
	case fn.Environment["EVENT_BUS"] != f.Resources.Value[busID].ID:
		return failed(changed, "EVENT_BUS is %q, and the bus is %q: what it puts on another is lost or goes astray", fn.Environment["EVENT_BUS"], f.Resources.Value[busID].ID)
	case layer == "" || !slices.Contains(fn.Layers, layer):
		return failed(changed, "it does not have the layer with the policy of the stack")
	case p.name == "":
		return well("%s, asks for sweeps of %s", fn.State, want)
	default:
		return well("%s, in mode %s", fn.State, want)
	}
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// judgeRounds takes the functions' own word for what cannot be seen from here: that
// they can assume the roles of the members, and read what is there.
func judgeRounds(f Facts) []Check {
	if len(f.Stack.Value.controls()) == 0 {
		return []Check{{"round", "", NotNeeded, "all controls are off", ""}}
	}
	if _, there := f.Resources.Value[logID]; !there {
		return []Check{{"round", "", Failed, "the stack did not deploy the log of its events: it is of another version of template.yaml", deploy}}
	}
	var checks []Check
	first := examine("round", "", f.Rounds, made, func(r Rounds) finding {
		switch {
		case r.Over == nil && r.Planned != nil:
			return finding{Unknown, "one was asked for at " + clock(*r.Planned) + "; what became of it is told by the next one after it is over", "ask again later"}
		case r.Over == nil:
			return failed("look at the schedule, the rule EventsToLog, the log of the planner (PlannerLogName among the outputs of the stack) and the failure queue; ask for one by hand (make round)",
				"none is in the log of events since %s", clock(r.Since))
		case r.Over.Unknown != "":
			return failed("see that this account may list those of the organization (docs/organization.md)", "%s", r.Over.Unknown)
		}
		for _, name := range f.Stack.Value.controls() {
			is := finding{Unknown, "it was not part of that round; perhaps it was off then", "ask again later"}
			if i := slices.IndexFunc(r.Over.Controls, func(c Swept) bool { return c.Control == name }); i >= 0 {
				is = r.Over.Controls[i].judge()
			}
			checks = append(checks, Check{"round", name, is.state, is.found, is.do})
		}
		return well("the last one that is over was told of at %s", clock(r.Over.At))
	})
	return append([]Check{first}, checks...)
}

func (s Swept) judge() finding {
	var wrong []string
	if len(s.Missing) > 0 {
		wrong = append(wrong, "no summary came from "+strings.Join(s.Missing, ", "))
	}
	if len(s.Incomplete) > 0 {
		wrong = append(wrong, "not everything could be read in "+strings.Join(s.Incomplete, ", "))
	}
	if wrong != nil {
		return failed("the log of the control says why; in a member look for the stack of member.yaml and its roles (docs/organization.md)", "%s", strings.Join(wrong, "; "))
	}
	if s.Gone > 0 {
		return well("swept in %d of %d accounts; in %d the service is gone", s.Expected-s.Gone, s.Expected, s.Gone)
	}
	return well("swept to the end in %d of %d accounts", s.Expected, s.Expected)
}

func clock(t time.Time) string { return t.UTC().Format(time.DateTime) + " UTC" }

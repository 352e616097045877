package simulate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"portcullis/internal/undo"
	"portcullis/shared/control"
	"portcullis/shared/localaws/codeartifact"
	"portcullis/shared/localaws/proton"
)

const markTag = "portcullis:empty-since"

// A wish is a write that the rules ask for, in any mode. What a wish is for is its
// key in a map: the operation and the resource.
type wish struct {
	owner, domain string // what enforce_on goes by
	must          bool   // it has to be fulfilled; otherwise it may be
}

// wishes is what the rules ask for in an account.
func (p *rules) wishes(st *state, account, control string) map[string]wish {
	w := map[string]wish{}
	switch control {
	case connections:
		for arn, r := range st.repositories {
			for _, c := range r.connections {
				if r.owner == account && !p.permits(r, c, st.now) {
					w["DisassociateExternalConnection "+arn+" "+c] = wish{account, domainOf[account], true}
				}
			}
		}
	case groups:
		d := st.domains[account]
		for pattern, g := range d.groups {
			if operation, must := p.groupWish(d, pattern, st.now); operation != "" {
				w[operation+" "+g.arn] = wish{account, domainOf[account], must}
			}
		}
	case accounts:
		for id, c := range st.requests {
			if c.to == account && c.status == proton.Pending && !p.approves(c, st.now) {
				w["RejectEnvironmentAccountConnection "+id] = wish{c.from, "", true}
			}
			if c.from == account && p.stale(c, st.now) {
				w["DeleteEnvironmentAccountConnection "+id] = wish{c.from, "", true}
			}
		}
	}
	return w
}

// permits says whether a repository may have a connection.
func (p *rules) permits(r repository, connection string, now time.Time) bool {
	matches := func(a allowance) bool {
		return fits(a.repositories, domainOf[r.owner]+"/"+r.name) && fits(a.connections, connection) &&
			(a.accounts == nil || slices.Contains(a.accounts, r.owner))
	}
	return slices.ContainsFunc(p.allow, matches) ||
		slices.ContainsFunc(p.waivers, func(w waiver) bool { return matches(w.allowance) && now.Before(w.until) })
}

// groupWish says what is to become of a package group: DeletePackageGroup,
// TagResource, UntagResource or nothing.
func (p *rules) groupWish(d domain, pattern string, now time.Time) (operation string, must bool) {
	g := d.groups[pattern]
	hasChildren := false
	for _, other := range d.groups {
		hasChildren = hasChildren || other.Parent == pattern
	}
	own := slices.ContainsFunc(restrictions, func(r codeartifact.Restriction) bool { return g.Controls[r].Mode != codeartifact.Inherit })
	if pattern == "/*" || !strings.HasPrefix(pattern, "/") || own || now.Sub(g.Created) < p.minAge || hasChildren && !p.children {
		return "", false
	}
	for _, k := range p.keep {
		if bare, wild := strings.CutSuffix(k, "**"); k == pattern || wild && strings.HasPrefix(pattern, bare) {
			return "", false
		}
	}
	for _, gu := range p.guards {
		if fits([]string{gu.domain}, domainOf[d.owner]) && gu.group == pattern {
			return "", false
		}
	}
	// Look-alikes: whoever names something may go only under a group that blocks
	// everything, and even then there may be a group beside it that does not.
	must = true
	if !p.lookalikes && strings.Trim(strings.Split(pattern, "/")[2], "*~$") != "" {
		must = false
		for _, r := range restrictions {
			if d.effective(g.Parent, r).Mode != codeartifact.Block {
				return "", false
			}
		}
	}

	value, marked := g.Tags[markTag]
	claimed := d.used[pattern]
	for key := range g.Tags {
		claimed = claimed || key == "portcullis:keep" || key == keepTag || strings.HasPrefix(key, "aws:")
	}
	for _, gu := range p.guards {
		claimed = claimed || fits([]string{gu.domain}, domainOf[d.owner]) && d.effects[gu.of].pattern == pattern
	}
	if claimed {
		if marked {
			return "UntagResource", must
		}
		return "", false
	}
	since, good := readMark(value, g.Created, now, p.grace)
	switch {
	case !good:
		return "TagResource", must
	case now.Sub(since) >= p.grace:
		return "DeletePackageGroup", must
	}
	return "", false
}

// readMark says since when a mark holds, and whether it is good: of this creation of
// the group, not from the future, and no more than seven days over its time.
func readMark(value string, created, now time.Time, grace time.Duration) (since time.Time, good bool) {
	at, of, _ := strings.Cut(value, "/")
	since, err := time.Parse(time.RFC3339, at)
	if err != nil || of != strconv.FormatInt(created.UnixMilli(), 10) {
		return since, false
	}
	age := now.Sub(since)
	return since, age >= 0 && age <= grace+7*24*time.Hour
}

// approves says whether a request is approved or waived, with every role that it shows.
func (p *rules) approves(c connection, now time.Time) bool {
	return slices.ContainsFunc(p.approve, func(a approval) bool {
		return slices.Contains(a.from, c.from) && slices.Contains(a.to, c.to) && fits(a.names, c.name) &&
			(a.roles == nil || c.role == "" || fits(a.roles, c.role)) && (a.until.IsZero() || now.Before(a.until))
	})
}

// stale says whether the environment account is to delete a request of its own.
func (p *rules) stale(c connection, now time.Time) bool {
	named := slices.ContainsFunc(p.approve, func(a approval) bool { return a.until.IsZero() && slices.Contains(a.to, c.to) })
	waived := slices.ContainsFunc(p.approve, func(a approval) bool {
		return !a.until.IsZero() && now.Before(a.until) && slices.Contains(a.from, c.from) && slices.Contains(a.to, c.to) && fits(a.names, c.name) &&
			(a.roles == nil || c.role == "" || fits(a.roles, c.role))
	})
	switch c.status {
	case proton.Rejected:
		return now.Sub(c.modified) > p.rejectedAfter
	case proton.Pending:
		return !waived && !named || named && now.Sub(c.requested) > p.pendingAfter
	case proton.Connected:
		return !named && !waived && p.deleteConnected
	case proton.Deleted:
	}
	return false
}

// covers says whether enforcement reaches there.
func (p *rules) covers(w wish) bool {
	return p.areas == nil || slices.ContainsFunc(p.areas, func(a area) bool {
		return (a.domains == nil || w.domain != "" && fits(a.domains, w.domain)) && (a.accounts == nil || slices.Contains(a.accounts, w.owner))
	})
}

// enforced says whether a control may write in an account at all.
func (p *rules) enforced(control, account string) bool {
	return p.modes[control] == "enforce" && (account == hub || p.writers[account])
}

// most is how many writes one run may make that looked at n resources.
func (p *rules) most(n int) int {
	return min(p.count, int(math.Ceil(float64(p.share*n)/100-1e-9)))
}

// figures is what was counted over runs.
type figures struct {
	Seeds, Runs, Calls, Killed, Writes, Undone int
	LastMoment                                 int // writes that nothing asked for any more at the instant they took effect
	Loosened                                   int // deletions with which a restriction went that was set in the last moment
	Restored                                   int // of those: said, with an undo that works
	Uncompared                                 int // of those: the answer was lost, which is said
	Unsaid                                     int // of those: the run was killed, or its log failed, before it could say so
	Refused                                    int // runs over the limit
	Taken, Back                                int // messages of the queue: taken off, sent back
	Deployed                                   int // times that the policy changed
	Crossed                                    int // runs in which another run changed something
	Faults                                     map[string]int
	By                                         map[string]int // writes, by operation
}

func (f *figures) add(o figures) {
	f.Seeds += o.Seeds
	f.Runs += o.Runs
	f.Calls += o.Calls
	f.Killed += o.Killed
	f.Writes += o.Writes
	f.Undone += o.Undone
	f.LastMoment += o.LastMoment
	f.Loosened += o.Loosened
	f.Restored += o.Restored
	f.Uncompared += o.Uncompared
	f.Unsaid += o.Unsaid
	f.Refused += o.Refused
	f.Taken += o.Taken
	f.Back += o.Back
	f.Deployed += o.Deployed
	f.Crossed += o.Crossed
	if f.Faults == nil {
		f.Faults = map[string]int{}
	}
	if f.By == nil {
		f.By = map[string]int{}
	}
	for k, n := range o.Faults {
		f.Faults[k] += n
	}
	for k, n := range o.By {
		f.By[k] += n
	}
}

// target is what a write is about, as wishes name it.
func (c *call) target() string {
	text := func(name string) string { s, _ := c.Input[name].(string); return s }
	switch c.Operation {
	case "DisassociateExternalConnection":
		return fmt.Sprintf("%s arn:aws:codeartifact:%s:%s:repository/%s/%s %s", c.Operation, region, text("domainOwner"), text("domain"), text("repository"), text("externalConnection"))
	case "DeletePackageGroup":
		return fmt.Sprintf("%s arn:aws:codeartifact:%s:%s:package-group/%s%s", c.Operation, region, text("domainOwner"), text("domain"), encoded(text("packageGroup")))
	case "TagResource", "UntagResource":
		return c.Operation + " " + text("resourceArn")
	}
	return c.Operation + " " + text("id")
}

func encoded(pattern string) string {
	return strings.NewReplacer("%", "%25", "*", "%2a", "$", "%24").Replace(pattern)
}

func (c *call) isWrite() bool {
	return c.Write && (c.Service == "codeartifact" || c.Service == "proton")
}

// judge says what is wrong with a run.
func judge(r *record) (bad []string, n figures) {
	n = figures{Runs: 1, Calls: len(r.Calls), Faults: r.Faults, By: map[string]int{}}
	complain := func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) }
	if r.Killed {
		n.Killed++
	}
	if r.Crossed {
		n.Crossed++
	}
	sent := map[string]bool{}
	for i, c := range r.Calls {
		if !c.isWrite() {
			continue
		}
		n.Writes++
		n.By[c.Operation]++
		target := c.target()
		if sent[target] {
			complain("%s was sent twice in one run", target)
		}
		sent[target] = true
		if !r.Rules.enforced(r.Control, r.Account) {
			complain("%s was written, although %s is in %s mode and the account lets it write: %v", target, r.Control, r.Mode, r.Account == hub || r.Rules.writers[r.Account])
		}
		if c.Account != r.Account {
			complain("%s was written in account %s by a run for %s", target, c.Account, r.Account)
		}
		if r.Subject != "" && !strings.Contains(target, r.Subject) {
			complain("%s was written for an event about %s", target, r.Subject)
		}
		at := i // credentials may be asked for in between
		for at > 0 && r.Calls[at-1].Service != "codeartifact" && r.Calls[at-1].Service != "proton" && r.Calls[at-1].Service != "events" {
			at--
		}
		l := len(r.Lines) - 1
		for l >= 0 && (r.Lines[l].At < at || r.Lines[l].At > i || r.Lines[l].Line.Msg != "intent") {
			l--
		}
		if l < 0 || r.Lines[l].Line.Action == nil {
			complain("%s was written without an intent", target)
			continue
		}
		intent := r.Lines[l].Line.Action
		if intent.Call.Operation != c.Operation || !sameJSON(intent.Call.Input, c.Input) {
			complain("%s was written where the intent says %s %s", target, intent.Call.Operation, intent.Call.Input)
		}
		if c.Service == "codeartifact" && len(intent.Undo) == 0 || string(intent.Before) == "" || string(intent.Before) == "null" {
			complain("the intent of %s has no undo or no state before it", target)
		}
		var outcome *action
		began := false // the next write
		for _, after := range r.Lines[l+1:] {
			if after.At > i && after.Line.Msg == "outcome" && after.Line.Outcome != nil && after.Line.Outcome.ID == intent.ID {
				outcome = after.Line.Outcome
				break
			}
			began = began || after.Line.Msg == "intent"
		}
		if (outcome == nil && !r.Killed || began) && !r.Mute {
			complain("%s has no outcome, or has it after the next intent", target)
		}
		bad = append(bad, r.told(c, outcome)...)
		if l == 0 {
			complain("%s was written and nothing was found before", target)
			continue
		}
		bad = append(bad, r.askedFor(i, r.Lines[l-1].At, target, &n)...)
		bad = append(bad, r.loosened(c, max(r.lastTree(r.Lines[l-1].At, i), r.Lines[l-1].At), outcome, &n)...)
	}
	if r.Control == origins {
		bad = append(bad, r.misjudged()...)
	}
	if most := r.Rules.most(r.size()); n.Writes > most {
		complain("%d writes were made, and the limit is %d", n.Writes, most)
	}
	for _, l := range r.Lines {
		if strings.HasPrefix(l.Line.Msg, "unreadable") {
			complain("a line of the log is no JSON: %s", l.Text)
		}
		if o := l.Line.Outcome; o != nil && o.Status == "already-done" && o.Code == "gone" && r.Faults["not found"] == 0 &&
			!slices.ContainsFunc(r.Calls, func(c *call) bool { return c.isWrite() && strings.Contains(c.target(), o.Resource) }) && !slices.ContainsFunc(r.States, o.gone) {
			complain("%s was told to be gone, which it never was", o.Resource)
		}
		if s := l.Line.Summary; s != nil && s.LimitExceeded {
			n.Refused++
			if n.Writes > 0 {
				complain("a run over the limit made %d writes", n.Writes)
			}
			if b, ok := r.bounds(); ok && b.may <= b.least {
				complain("a run refused all of at most %d writes as too many, where %d are allowed", b.may, b.least)
			}
		}
	}
	if b, ok := r.bounds(); ok && n.Writes > 0 && b.must > b.most {
		complain("%d writes were made of at least %d that were asked for, where %d are allowed, and so none", n.Writes, b.must, b.most)
	}
	return bad, n
}

// told says what is wrong with what an outcome says of the effect of a call.
func (r *record) told(c *call, outcome *action) (bad []string) {
	if outcome == nil {
		return nil
	}
	gone := c.Operation == "DeletePackageGroup" || c.Operation == "DisassociateExternalConnection"
	if gone && c.Effect == 0 && c.Sound && c.Status != http.StatusOK && outcome.Status == "applied" {
		bad = append(bad, fmt.Sprintf("%s did nothing, and its outcome is that it was applied", c.target()))
	}
	// What was accepted and could not be looked at is applied by AWS's word alone, and says so.
	if c.Effect == 0 && outcome.Code != "unverified" && (outcome.Status == "applied" || outcome.Status == "restore-needed") && len(r.Outside) == 0 {
		bad = append(bad, fmt.Sprintf("%s did nothing, and its outcome is %s %s: %s", c.target(), outcome.Status, outcome.Code, outcome.Detail))
	}
	if c.Effect > 0 && c.Operation == "TagResource" {
		bad = append(bad, r.marked(c)...)
	}
	if pattern, _ := c.Input["packageGroup"].(string); c.Effect > 0 && r.States[c.Effect-1].domains[r.Account].used[pattern] && outcome.Status == "applied" && outcome.Code == "verified" {
		bad = append(bad, fmt.Sprintf("%s was in use when it was deleted, and its outcome is %s: %s", pattern, outcome.Status, outcome.Detail))
	}
	done, _ := undo.Outcome{Status: control.Status(outcome.Status), Code: outcome.Code}.Done()
	if c.Effect > 0 && !done && !slices.ContainsFunc(r.Outside, func(at int) bool { return at > c.Effect }) {
		bad = append(bad, fmt.Sprintf("%s was carried out, and its outcome %s %s is not one to undo: %s", c.target(), outcome.Status, outcome.Code, outcome.Detail))
	}
	return bad
}

// marked says what is wrong with the value of a mark that was set: it is of the group as it was, and no older than the run.
func (r *record) marked(c *call) (bad []string) {
	for _, g := range r.States[c.Effect].domains[r.Account].groups {
		if g.arn != c.Input["resourceArn"] {
			continue
		}
		since, good := readMark(g.Tags[markTag], g.Created, r.States[c.Effect].now, r.Rules.grace)
		if early := r.States[0].now.Add(-time.Second); !good && len(r.Outside) == 0 || since.Before(early) {
			bad = append(bad, fmt.Sprintf("%s was marked with %s by a run that began at %s", g.arn, g.Tags[markTag], r.States[0].now))
		}
	}
	return bad
}

// gone says whether what an action is about is not there: the mark, where that is to be taken off.
func (a *action) gone(st *state) bool {
	switch a.Call.Service {
	case "proton":
		_, there := st.requests[a.Resource[strings.LastIndex(a.Resource, "/")+1:]]
		return !there
	case "codeartifact":
		for _, d := range st.domains {
			for _, g := range d.groups {
				if g.arn == a.Resource {
					_, marked := g.Tags[markTag]
					return a.Call.Operation == "UntagResource" && !marked
				}
			}
		}
	}
	return !slices.Contains(st.repositories[a.Resource].connections, a.Subject)
}

// bounds is what a sweep may have planned, and what it was allowed.
type bounds struct {
	must, may   int // the fewest writes that had to be planned in a state before the first write, the most that might be
	least, most int // the fewest and the most that were allowed
}

// bounds says it of a sweep in which nothing went wrong. What any other looked at is for itself to say.
func (r *record) bounds() (b bounds, ok bool) {
	if r.Subject != "" || r.Batch != nil || r.Killed || r.Control == origins {
		return b, false
	}
	states := r.States
	for _, c := range r.Calls {
		if c.Fault != "" || !c.Sound {
			return b, false
		}
		if c.isWrite() && len(states) == len(r.States) {
			states = states[:c.Before+1]
		}
	}
	b.must, b.least = math.MaxInt, math.MaxInt
	for _, st := range states {
		must, may := 0, 0
		for _, w := range r.Rules.wishes(st, r.Account, r.Control) {
			if r.Rules.covers(w) {
				may++
				if w.must {
					must++
				}
			}
		}
		allowed := r.Rules.most(r.looked(st))
		b.must, b.may, b.least, b.most = min(b.must, must), max(b.may, may), min(b.least, allowed), max(b.most, allowed)
	}
	return b, true
}

// size is the most resources that a run can have looked at.
func (r *record) size() int {
	most := 0
	for _, st := range r.States {
		most = max(most, r.looked(st))
	}
	if r.Subject != "" {
		return min(most, 2)
	}
	return most
}

// looked is how many resources there were to look at.
func (r *record) looked(st *state) int {
	n := 0
	switch r.Control {
	case connections:
		for _, repo := range st.repositories {
			if repo.owner == r.Account {
				n++
			}
		}
	case groups:
		n = len(st.domains[r.Account].groups)
	case accounts:
		for _, c := range st.requests {
			if c.from == r.Account {
				n++
			}
			if c.to == r.Account {
				n++
			}
		}
	}
	return n
}

// askedFor says what is wrong with the reasons for a write: the i-th call, for which
// everything was read again from the call of index again on.
func (r *record) askedFor(i, again int, target string, n *figures) (bad []string) {
	complain := func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) }
	c := r.Calls[i]
	first := again
	for _, l := range r.Lines {
		if l.Line.Msg == "finding" || l.Line.Msg == "intent" || l.Line.Msg == "outcome" {
			first = l.At
			break
		}
	}
	if missing := r.unread(r.Calls[:first], c, r.Subject == ""); missing != "" {
		complain("%s was written after a first reading that lacks %s", target, missing)
	}
	if again >= i {
		complain("%s was written without a second reading", target)
		return bad
	}
	if missing := r.unread(r.Calls[again:i], c, false); missing != "" {
		complain("%s was written after a second reading that lacks %s", target, missing)
	}
	if c.Operation == "DeletePackageGroup" && r.lastTree(again, i) < 0 {
		complain("%s was written, and the groups were not what was read last", target)
	}
	last := c.Before
	if c.Effect > 0 {
		last = c.Effect - 1
	}
	for at := r.Calls[again].Before; at <= last; at++ {
		w, asked := r.Rules.wishes(r.States[at], r.Account, r.Control)[target]
		if !asked {
			// AWS's clock has ticked, and the run may not have been told yet. Earlier, less is asked for, but that a mark
			// is replaced which comes from the future.
			behind := *r.States[at]
			behind.now = r.States[0].now
			w, asked = r.Rules.wishes(&behind, r.Account, r.Control)[target]
		}
		if !asked {
			continue
		}
		if !r.Rules.covers(w) {
			complain("%s was written outside enforce_on", target)
		}
		if _, still := r.Rules.wishes(r.States[last], r.Account, r.Control)[target]; !still && c.Effect > 0 {
			n.LastMoment++
		}
		return bad
	}
	complain("%s was written, and nothing asks for it", target)
	return bad
}

// lastTree is the call with which the last reading of a second one began, that of
// index again to i, if that was a reading of all groups; -1 if it was of anything else.
func (r *record) lastTree(again, i int) int {
	for at := i - 1; at >= again; at-- {
		switch c := r.Calls[at]; {
		case c.Service != "codeartifact":
		case c.Operation != "ListPackageGroups":
			return -1
		case c.Input["nextToken"] == nil:
			return at
		}
	}
	return -1
}

// unread says which read that a write rests on is not among the calls, or was not
// answered soundly in the end.
func (r *record) unread(calls []*call, write *call, lists bool) string {
	var need []func(*call) bool
	var names []string
	is := func(operation string, inputs map[string]any) {
		names = append(names, operation)
		need = append(need, func(c *call) bool {
			for name, value := range inputs {
				if c.Input[name] != value {
					return false
				}
			}
			return c.Operation == operation
		})
	}
	domain := map[string]any{"domain": domainOf[r.Account]}
	switch write.Operation {
	case "DisassociateExternalConnection":
		if lists {
			is("ListDomains", nil)
			is("ListRepositoriesInDomain", domain)
		}
		is("DescribeRepository", map[string]any{"domain": write.Input["domain"], "repository": write.Input["repository"]})
	case "RejectEnvironmentAccountConnection":
		is("ListEnvironmentAccountConnections", map[string]any{"requestedBy": "MANAGEMENT_ACCOUNT"})
	case "DeleteEnvironmentAccountConnection":
		is("ListEnvironmentAccountConnections", map[string]any{"requestedBy": "ENVIRONMENT_ACCOUNT"})
	default:
		if lists {
			is("ListDomains", nil)
		}
		is("ListPackageGroups", domain)
		_, arn, _ := strings.Cut(write.target(), " ")
		_, name, _ := strings.Cut(arn, ":package-group/"+domainOf[r.Account])
		is("ListTagsForResource", map[string]any{"resourceArn": arn})
		is("ListAssociatedPackages", map[string]any{"packageGroup": strings.NewReplacer("%2a", "*", "%24", "$", "%25", "%").Replace(name)})
		for _, g := range r.Rules.guards {
			if fits([]string{g.domain}, domainOf[r.Account]) {
				is("GetAssociatedPackageGroup", map[string]any{"format": g.of.format, "package": g.of.name})
			}
		}
	}
	for j, match := range need {
		sound := map[string]bool{}
		var these []*call
		for _, c := range calls {
			if match(c) {
				sound[c.Key] = c.Sound && c.Status == 200
				these = append(these, c)
			}
		}
		if len(sound) == 0 {
			return names[j]
		}
		for _, ok := range sound {
			if !ok {
				return "a sound " + names[j]
			}
		}
		// That a group is in use is known from any page.
		if !readOut(these) && (names[j] != "ListAssociatedPackages" || write.Operation != "UntagResource") {
			return "the last page of " + names[j]
		}
	}
	return ""
}

// readOut says whether the list that calls read, or the last of those that they read,
// was read to its end.
func readOut(calls []*call) bool {
	next := ""
	for _, c := range calls {
		token, _ := c.Input["nextToken"].(string)
		switch {
		case !c.Sound || c.Status != 200: // and tried again
		case token == "" || token == next:
			next = c.Next
		}
	}
	return next == ""
}

// loosened says what is wrong with what a write left open.
func (r *record) loosened(c *call, again int, outcome *action, n *figures) (bad []string) {
	if c.Effect == 0 {
		return nil
	}
	before, after := r.States[c.Effect-1].domains[r.Account], r.States[c.Effect].domains[r.Account]
	pattern, _ := c.Input["packageGroup"].(string)
	var which []string
	for _, p := range probes {
		b, a := before.effects[p], after.effects[p]
		if b.pattern == pattern && !b.strong && r.Rules.lookalikes {
			continue // that is what the policy opts out of
		}
		if looser(b, a) {
			which = append(which, fmt.Sprint(p))
		}
	}
	if which == nil {
		return nil
	}
	n.Loosened++
	if !slices.ContainsFunc(r.Outside, func(at int) bool { return at > r.Calls[min(again, len(r.Calls)-1)].Before && at < c.Effect }) {
		bad = append(bad, fmt.Sprintf("%s loosened %v, and nobody had changed anything since the second reading", c.target(), which))
	}
	switch {
	case outcome != nil && outcome.Status == "restore-needed":
		n.Restored++
	case outcome != nil && (!c.Sound || c.Fault != "" || c.Status != http.StatusOK) &&
		(strings.Contains(outcome.Detail, "could not be compared") || strings.Contains(outcome.Detail, "may have taken effect")):
		n.Uncompared++
	case outcome == nil && (r.Killed || r.Mute):
		n.Unsaid++
	default:
		bad = append(bad, fmt.Sprintf("%s loosened %v, and the outcome is %+v", c.target(), which, outcome))
	}
	return bad
}

func sameJSON(a json.RawMessage, b any) bool {
	var left any
	if json.Unmarshal(a, &left) != nil {
		return false
	}
	x, errX := json.Marshal(left)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

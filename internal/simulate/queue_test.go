package simulate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"portcullis/shared/localaws/codeartifact"
	"portcullis/shared/localaws/eventbridge"
)

// message is one message in the queue of package-origins.
type message struct {
	id, body string
	owner    string // of the domain that it is about; empty if it cannot be read
	received int
}

// receives is how often a message is handed out before it goes to the failure queue.
const receives = 5

// changing is the calls that the queue is told of.
var changing = []string{"CreatePackageGroup", "DeletePackageGroup", "UpdatePackageGroup", "UpdatePackageGroupOriginConfiguration"}

// enqueue puts into the queue what a rule lets through.
func (s *stage) enqueue(events []eventbridge.Event) {
	for _, e := range events {
		var detail struct{ EventName, ErrorCode string }
		if json.Unmarshal(e.Detail, &detail) == nil && detail.ErrorCode == "" && slices.Contains(changing, detail.EventName) {
			s.queue = append(s.queue, message{id: fmt.Sprintf("m%d", len(s.mail)), body: string(payload(e)), owner: e.Account})
		}
	}
}

// receive takes a batch, and leaves it in the queue. Some of it comes twice, or came
// before, or cannot be read.
func (s *stage) receive(n int) []message {
	batch := slices.Clone(s.queue[:min(len(s.queue), 1+n%4)])
	if len(batch) > 0 && n%3 == 0 {
		twin := batch[0]
		twin.id += "-again"
		batch = append(batch, twin)
	}
	if len(s.handled) > 0 && n%5 == 0 {
		batch = append(batch, pick(s.handled, n))
	}
	if n%7 == 0 {
		batch = append(batch, message{id: "torn", body: "{"})
	}
	return batch
}

// drain is a batch for package-origins. It is nil if there is nothing in the queue.
func (p *player) drain(m move) (*record, string) {
	r := &record{Control: origins, Batch: p.stage.receive(m.Event)}
	if len(r.Batch) == 0 {
		return nil, ""
	}
	var batch struct{ Records []map[string]string }
	var names []string
	for _, m := range r.Batch {
		batch.Records = append(batch.Records, map[string]string{"messageId": m.id, "eventSource": "aws:sqs", "body": m.body})
		names = append(names, m.id+" about "+m.owner)
	}
	p.tell("a batch from the queue (%s)%s", strings.Join(names, ", "), faultsText(m))
	text, _ := json.Marshal(batch) //nolint:errchkjson // strings always encode
	return r, string(text)
}

// settleBatch takes off the queue what was not sent back, and says what is wrong with that.
func (p *player) settleBatch(r *record) (bad []string) {
	var answer struct {
		BatchItemFailures []struct{ ItemIdentifier string }
	}
	whole := r.Err != nil || json.Unmarshal(r.Reply, &answer) != nil // then all comes again
	for _, m := range r.Batch {
		back := whole
		for _, f := range answer.BatchItemFailures {
			back = back || f.ItemIdentifier == m.id
		}
		at := slices.IndexFunc(p.stage.queue, func(o message) bool { return o.id == m.id })
		switch {
		case back:
			p.result.Figures.Back++
			if at >= 0 {
				p.stage.queue[at].received++
				if p.stage.queue[at].received == receives {
					p.tell("  %s goes to the failure queue", m.id)
					p.stage.queue = slices.Delete(p.stage.queue, at, at+1)
				}
			}
		case m.owner == "":
			bad = append(bad, m.id+" cannot be read, and was taken off the queue")
		default:
			p.result.Figures.Taken++
			if missing := r.unjudged(m.owner); missing != "" {
				bad = append(bad, fmt.Sprintf("%s was taken off the queue, and %s in %s was not judged", m.id, missing, m.owner))
			}
			p.stage.handled = append(p.stage.handled, m)
			if at >= 0 {
				p.stage.queue = slices.Delete(p.stage.queue, at, at+1)
			}
		}
	}
	return bad
}

// unjudged is a guarded package of an account that a run came to no conclusion about;
// empty if there is none.
func (r *record) unjudged(owner string) string {
	for _, g := range r.Rules.guards {
		if fits([]string{g.domain}, domainOf[owner]) && !slices.ContainsFunc(r.Lines, func(l said) bool {
			f := l.Line.Finding
			return f != nil && f.Account == owner && f.Subject == g.url && f.Verdict != "undetermined"
		}) {
			return g.url
		}
	}
	return ""
}

// guarded says whether everything holds in a domain that guards ask for a package.
func (p *rules) guarded(d domain, url string) bool {
	for _, g := range p.guards {
		if g.url != url || !fits([]string{g.domain}, domainOf[d.owner]) {
			continue
		}
		e := d.effects[g.of]
		c := e.controls[codeartifact.ExternalUpstream]
		closed := c.Mode == codeartifact.Block || c.Mode == codeartifact.AllowSpecific && len(c.Repositories) == 0
		if g.group != "" && e.pattern != g.group || e.strong && !closed {
			return false
		}
	}
	return true
}

// misjudged says which conclusions about guarded packages hold at no moment of a run.
func (r *record) misjudged() (bad []string) {
	for _, l := range r.Lines {
		f := l.Line.Finding
		if f == nil || f.Verdict != "compliant" && f.Verdict != "violation" {
			continue
		}
		if !slices.ContainsFunc(r.States, func(st *state) bool {
			return r.Rules.guarded(st.domains[f.Account], f.Subject) == (f.Verdict == "compliant")
		}) {
			bad = append(bad, fmt.Sprintf("%s in %s was found %s, which it never was", f.Subject, f.Account, f.Verdict))
		}
	}
	for _, l := range r.Lines {
		if s := l.Line.Summary; s != nil && s.Complete && r.Batch == nil && r.Mode != "off" {
			if missing := r.unjudged(r.Account); missing != "" {
				bad = append(bad, fmt.Sprintf("the sweep of %s says that it was complete, and %s was not judged", r.Account, missing))
			}
		}
	}
	return bad
}

package simulate

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/witness"
)

// result is what came of a schedule.
type result struct {
	Bad     []string
	Figures figures
	Story   []string // what happened, told only if somebody asks
	Journal []string // the writes and the findings, by which two plays are compared
}

// play plays a schedule, in a bubble of its own.
func play(t *testing.T, s *schedule) result {
	var res result
	w, err := localaws.New(start())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	answers := witness.Of(w)
	// The first request makes what all others share, which must not belong to the bubble.
	first, err := http.NewRequest(http.MethodGet, "http://127.0.0.1:1/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (direct{w}).RoundTrip(first); err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "simulate") // for one play: those of the test would stay until its end
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	synctest.Test(t, func(t *testing.T) {
		p := &player{t: t, result: &res, schedule: s}
		p.stage, err = newStage(w, s.Rules, s.Page, s.Broken, folder)
		if err != nil {
			t.Fatal(err)
		}
		p.stage.open = p.open
		for _, m := range s.Moves {
			p.move(m)
		}
		p.settle()
	})
	for _, problem := range answers.Problems() {
		res.Bad = append(res.Bad, "the small AWS is not like AWS: "+problem)
	}
	res.Figures.Seeds = 1
	return res
}

type player struct {
	t        *testing.T
	stage    *stage
	schedule *schedule
	result   *result
}

func (p *player) tell(format string, args ...any) {
	p.result.Story = append(p.result.Story, fmt.Sprintf(format, args...))
}

func (p *player) complain(bad ...string) {
	for _, b := range bad {
		p.tell("WRONG: %s", b)
	}
	p.result.Bad = append(p.result.Bad, bad...)
}

func (p *player) move(m move) {
	switch m.Kind {
	case "deed":
		p.tell("%s", m.Step.do(p.stage))
	case "wait":
		p.stage.world.Advance(time.Duration(m.Hours) * time.Hour)
		p.tell("%d hours pass; it is %s", m.Hours, p.stage.world.Now().Format(time.DateTime))
	case "deploy":
		p.deploy(m.Rules)
	default:
		p.run(m)
	}
}

func (p *player) deploy(r *rules) {
	if err := p.stage.deploy(r); err != nil {
		p.t.Fatal(err)
	}
	p.tell("the stack is deployed anew, with modes %v, writers %v and the policy\n%s", r.modes, r.writers, r.yaml())
	p.result.Figures.Deployed++
}

// open says what a run is about, and its payload. It is nil if there is no event yet.
func (p *player) open(m move) (*record, string) {
	if m.Rules != nil { // while another run is under way
		p.deploy(m.Rules)
	}
	switch m.Kind {
	case "event":
		return p.event(m)
	case "queue":
		return p.drain(m)
	}
	p.tell("sweep of %s in %s%s", m.Control, m.Account, faultsText(m))
	return &record{Control: m.Control, Account: m.Account, Undo: m.Undo}, sweepPayload(m.Control, m.Account)
}

func sweepPayload(control, account string) string {
	return fmt.Sprintf(`{"id":"1","source":"portcullis","detail-type":"Sweep Requested","account":%q,"region":%q,"detail":{"by":"schedule","account":%q,"region":%q,"control":%q}}`,
		hub, region, account, region, control)
}

func faultsText(m move) string {
	text := ""
	if m.Time < time.Minute {
		text = " in " + m.Time.String()
	}
	if m.Faults == nil {
		return text
	}
	return text + " (" + list(m.Faults) + ")"
}

// event is the delivery of one of the events that were told so far.
func (p *player) event(m move) (*record, string) {
	if len(p.stage.mail) == 0 {
		return nil, ""
	}
	e := pick(p.stage.mail, m.Event)
	r := &record{Control: connections, Account: e.Account, Undo: m.Undo}
	var detail struct {
		EventName         string
		RequestParameters map[string]any
		ResponseElements  struct{ EnvironmentAccountConnection struct{ ID string } }
		ID                string
	}
	if err := json.Unmarshal(e.Detail, &detail); err != nil {
		p.t.Fatal(err)
	}
	r.Subject = "?"
	switch {
	case e.Source == "aws.proton":
		r.Control = accounts
		r.Subject = detail.ID + detail.ResponseElements.EnvironmentAccountConnection.ID
		if id, ok := detail.RequestParameters["id"].(string); ok {
			r.Subject = id
		}
	case detail.EventName == "AssociateExternalConnection":
		r.Subject = fmt.Sprintf("repository/%v/%v ", detail.RequestParameters["domain"], detail.RequestParameters["repository"])
	}
	p.tell("event %s%s of %s is delivered%s", e.DetailType[:4], detail.EventName, e.Account, faultsText(m))
	return r, string(payload(e))
}

// payload is an event as a rule hands it over.
func payload(e eventbridge.Event) []byte {
	text, _ := json.Marshal(map[string]any{ //nolint:errchkjson // what was taken from JSON encodes
		"version": "0", "id": e.ID, "detail-type": e.DetailType, "source": e.Source, "account": e.Account,
		"time": e.Time.UTC().Format(time.RFC3339), "region": e.Region, "resources": e.Resources, "detail": e.Detail,
	})
	return text
}

// run has a control run, and judges it, and the run that came beside it.
func (p *player) run(m move) *record {
	r, payload := p.open(m)
	if r == nil {
		return nil
	}
	both, err := p.stage.invoke(r, payload, m)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, r := range both {
		bad, n := judge(r)
		p.result.Figures.add(n)
		p.journal(r)
		p.complain(bad...)
		if !r.Killed && !r.Mute {
			p.complain(p.reported(r)...)
		}
		if r.Batch != nil && !r.Mute {
			p.complain(p.settleBatch(r)...)
		}
	}
	for _, r := range slices.Backward(both) {
		needed := slices.ContainsFunc(r.Lines, func(l said) bool { return l.Line.Outcome != nil && l.Line.Outcome.Status == "restore-needed" })
		if (r.Undo || needed) && !r.Mute {
			p.undo(r)
		}
	}
	return r
}

// journal takes down what a run did and found.
func (p *player) journal(r *record) {
	p.tell("  %s of %s:", r.Run, r.Control)
	for _, c := range r.Calls {
		if c.isWrite() {
			p.tell("  %s", c.target())
			p.result.Journal = append(p.result.Journal, fmt.Sprintf("%s -> %d %v", c.target(), c.Status, c.Changed))
		} else if c.Fault != "" {
			p.tell("  %s", c)
		}
	}
	for _, d := range r.Deeds {
		p.tell("  meanwhile: %s", d)
	}
	for _, l := range r.Lines {
		switch {
		case l.Line.Outcome != nil:
			o := l.Line.Outcome
			p.tell("  outcome of %s: %s %s (%s)", o.Resource, o.Status, o.Code, o.Detail)
			p.result.Journal = append(p.result.Journal, o.Resource+" "+o.Status+" "+o.Code)
		case l.Line.Finding != nil:
			f := l.Line.Finding
			code := f.Code
			if f.Verdict == "undetermined" { // whether the time ended in a call or between two is random
				code = ""
			}
			p.result.Journal = append(p.result.Journal, f.Resource+" "+f.Verdict+" "+code)
		}
	}
	if r.Err != nil {
		p.tell("  the run ended with: %v", r.Err)
	}
}

// reported says which outcomes of a run are neither on the bus nor written down as
// not delivered.
func (p *player) reported(r *record) (bad []string) {
	var there []action
	for _, e := range p.stage.events.Events(hub, region, bus) {
		var a struct {
			action
			Run string
		}
		if e.DetailType == "Action Outcome" && json.Unmarshal(e.Detail, &a) == nil && a.Run == r.Run {
			there = append(there, a.action)
		}
	}
	for _, l := range r.Lines {
		if l.Line.Msg == "event not delivered" && l.Line.Detail != nil {
			there = append(there, *l.Line.Detail)
		}
	}
	for _, l := range r.Lines {
		if o := l.Line.Outcome; o != nil && !slices.ContainsFunc(there, func(a action) bool { return a.ID == o.ID && a.Status == o.Status && a.Code == o.Code }) {
			bad = append(bad, fmt.Sprintf("the outcome %s of %s is nowhere but in the log", o.Status, o.Resource))
		}
	}
	return bad
}

// undo makes the calls that undo what a run did, the last one first, and looks
// whether all is as it was.
func (p *player) undo(r *record) {
	done := 0
	for _, l := range slices.Backward(r.Lines) {
		a := l.Line.Outcome
		if i := l.Line.Action; r.Killed && i != nil && !slices.ContainsFunc(r.Lines, func(l said) bool { return l.Line.Outcome != nil && l.Line.Outcome.ID == i.ID }) {
			a = i // there is no more than the intent to go by
		}
		if a == nil || !slices.ContainsFunc(r.Calls, func(c *call) bool {
			return c.Effect > 0 && c.isWrite() && c.Operation == a.Call.Operation && strings.Contains(c.target(), a.Resource)
		}) {
			continue
		}
		for _, c := range a.Undo {
			done++
			if err := p.makeCall(r.Account, c); err != nil {
				p.tell("  undo: %v", err)
				if len(r.Outside) == 0 {
					p.complain(fmt.Sprintf("the undo %s %s does not work: %v", c.Operation, c.Input, err))
				}
			}
		}
	}
	if done == 0 {
		return
	}
	p.result.Figures.Undone++
	p.tell("  somebody undoes it")
	after := p.stage.look()
	if len(r.Outside) == 0 {
		if diff := cmp.Diff(r.Rules.shape(r.States[0], after), r.Rules.shape(after, r.States[0])); diff != "" {
			p.complain("after the undo it is not as it was (-before +after):\n" + diff)
		}
		return
	}
	// Somebody else was at work. Nothing may be left open that was not before the write.
	for _, c := range r.Calls {
		if c.Operation != "DeletePackageGroup" || c.Effect == 0 || slices.Max(r.Outside) > c.Effect {
			continue
		}
		before, gone := r.States[c.Effect-1].domains[r.Account], r.States[c.Effect].domains[r.Account]
		for _, probe := range probes {
			if reflect.DeepEqual(before.effects[probe], gone.effects[probe]) {
				continue // it was no matter of this deletion; the undo of another one may bring back what is looser
			}
			if looser(before.effects[probe], after.domains[r.Account].effects[probe]) {
				outcome := "no outcome"
				for _, l := range r.Lines {
					if o := l.Line.Outcome; o != nil && strings.HasSuffix(c.target(), o.Resource) {
						outcome = o.Status
					}
				}
				if outcome == "restore-needed" {
					p.complain(fmt.Sprintf("after the undo of %s, %v is looser than before", c.target(), probe))
				}
			}
		}
	}
}

// view is what an undo brings back.
type view struct {
	Repositories map[string][]string
	Groups       map[string]any
	Effects      map[string]any
}

// shape is a state without what no undo can bring back: when a group was made, our
// mark on one that was made anew since the other state, and a mark that is void.
func (p *rules) shape(st, other *state) view {
	v := view{map[string][]string{}, map[string]any{}, map[string]any{}}
	for arn, r := range st.repositories {
		v.Repositories[arn] = append([]string{}, r.connections...)
	}
	for owner, d := range st.domains {
		for pattern, g := range d.groups {
			g.Tags = maps.Clone(g.Tags)
			if o, ok := other.domains[owner].groups[pattern]; ok && !o.Created.Equal(g.Created) {
				delete(g.Tags, markTag)
			}
			if _, good := readMark(g.Tags[markTag], g.Created, st.now, p.grace); !good {
				delete(g.Tags, markTag)
			}
			g.Created = time.Time{}
			v.Groups[g.arn] = g.GroupState
		}
		for probe, e := range d.effects {
			v.Effects[fmt.Sprint(owner, probe)] = fmt.Sprint(e)
		}
	}
	return v
}

// makeCall makes a call of an undo, as a person.
func (p *player) makeCall(account string, c apiCall) error {
	client, ctx := p.stage.packagesAPI(account), context.Background()
	var err error
	switch c.Operation {
	case "AssociateExternalConnection":
		var in sdk.AssociateExternalConnectionInput
		if err = strict(c.Input, &in); err == nil {
			_, err = client.AssociateExternalConnection(ctx, &in)
		}
	case "CreatePackageGroup":
		var in sdk.CreatePackageGroupInput
		if err = strict(c.Input, &in); err == nil {
			_, err = client.CreatePackageGroup(ctx, &in)
		}
	case "UpdatePackageGroupOriginConfiguration":
		var in sdk.UpdatePackageGroupOriginConfigurationInput
		if err = strict(c.Input, &in); err == nil {
			_, err = client.UpdatePackageGroupOriginConfiguration(ctx, &in)
		}
	case "TagResource":
		var in sdk.TagResourceInput
		if err = strict(c.Input, &in); err == nil {
			_, err = client.TagResource(ctx, &in)
		}
	case "UntagResource":
		var in sdk.UntagResourceInput
		if err = strict(c.Input, &in); err == nil {
			_, err = client.UntagResource(ctx, &in)
		}
	default:
		err = fmt.Errorf("%s is no undo", c.Operation)
	}
	return err
}

func strict(text json.RawMessage, into any) error {
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// settle lets everything be well, and looks whether the controls bring about what
// the rules ask for, and then leave it alone.
func (p *player) settle() {
	p.tell("nobody does anything any more, and nothing goes wrong")
	for range 100 {
		r := p.run(move{Kind: "queue", Event: 1, Time: time.Minute})
		if r == nil {
			break
		}
		open := slices.ContainsFunc(r.Lines, func(l said) bool { return l.Line.Finding != nil && l.Line.Finding.Verdict == "undetermined" })
		if r.Err != nil && !open {
			p.complain(fmt.Sprintf("a batch goes back although nothing goes wrong: %v", r.Err))
		}
	}
	for _, control := range p.schedule.Controls {
		for _, account := range p.schedule.Accounts {
			refused := false
			writes := 1
			asked := map[string]wish{} // by what was there before the sweep before
			for i := range 6 {
				before := p.stage.judged.wishes(p.stage.look(), account, control)
				r := p.run(move{Kind: "sweep", Control: control, Account: account, Time: 15 * time.Minute})
				writes = 0
				for _, c := range r.Calls {
					if !c.isWrite() {
						continue
					}
					writes++
					if _, there := asked[c.target()]; i > 0 && there && !refused {
						p.complain(fmt.Sprintf("%s was asked for before the last sweep, which did not make it", c.target()))
					}
				}
				asked = before
				refused = slices.ContainsFunc(r.Lines, func(l said) bool { return l.Line.Summary != nil && l.Line.Summary.LimitExceeded })
				if r.Err != nil && !refused {
					p.complain(fmt.Sprintf("a sweep of %s in %s fails although nothing goes wrong: %v", control, account, r.Err))
				}
				if writes == 0 {
					break
				}
			}
			if writes > 0 {
				p.complain(fmt.Sprintf("%s in %s does not come to rest", control, account))
			}
			if refused || !p.stage.judged.enforced(control, account) {
				continue
			}
			for target, w := range p.stage.judged.wishes(p.stage.look(), account, control) {
				if w.must && p.stage.judged.covers(w) {
					p.complain(fmt.Sprintf("%s is asked for and never made", target))
				}
			}
		}
	}
}

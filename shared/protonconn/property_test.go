package protonconn

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"portcullis/shared/control"
	"portcullis/shared/localaws"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/proton"
	"portcullis/shared/localaws/witness"
	"portcullis/shared/policy"
)

// histories is how many random histories the property is tried on.
const histories = 10_000

// stranger is an account that asks, and in which this program does not run.
const stranger = "444444444444"

// world is a random history: people who ask, accept, reject, delete and swap roles,
// and this program in two accounts, woken by events and sweeps. What there is, is
// told by localaws.
type world struct {
	t      testing.TB
	rand   *rand.Rand
	proton *proton.Service
	policy policy.ProtonConnections
	now    time.Time
	made   []made
	hints  map[string][]string // ids that events name, by the account that they wake
	story  []string

	ended map[string]int // what this program ended, by how it was
}

// made is a connection as it was made, and what localaws does not tell of it.
type made struct {
	proton.Connection
	proton.Request
	requested, modified time.Time
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func newWorld(t testing.TB, service *proton.Service, seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 1))
	w := &world{t: t, rand: r, proton: service, now: noon, hints: map[string][]string{}, ended: map[string]int{}}
	approval := func() policy.Approval {
		return policy.Approval{
			Place:               "approve",
			EnvironmentAccounts: pick(r, []string{environment}, []string{environment, stranger}, []string{management}),
			ManagementAccounts:  pick(r, []string{management}, []string{management}, []string{foreign}),
			Environments:        pick(r, []string{"*"}, []string{"prod-*"}, []string{"web"}),
			Roles:               pick(r, nil, nil, []string{role("proton-*")}),
			CodebuildRoles:      pick(r, nil, nil, nil, []string{role("codebuild")}),
		}
	}
	for range r.IntN(4) {
		w.policy.Approve = append(w.policy.Approve, approval())
	}
	for range r.IntN(2) {
		w.policy.Waivers = append(w.policy.Waivers, policy.ConnectionWaiver{Approval: approval(),
			Term: policy.Term{ID: "waiver", Owner: "somebody", Expires: noon.Add(time.Duration(r.IntN(40)) * day)}})
	}
	w.policy.RejectedAfter, w.policy.PendingAfter = 7*day, pick(r, 10*day, 30*day)
	w.policy.DeleteConnected = r.IntN(3) == 0
	return w
}

func (w *world) tell(format string, a ...any) {
	w.story = append(w.story, w.now.Format(time.DateTime)+" "+fmt.Sprintf(format, a...))
}

// live is what people do, and the event that tells of it: to nobody, once or twice.
func (w *world) live() {
	roles := proton.Roles{Role: pick(w.rand, "", role("proton-run"), role("admin")), Component: pick(w.rand, "", "", role("proton-parts"))}
	if len(w.made) == 0 || w.rand.IntN(3) == 0 {
		r := proton.Request{Region: region, EnvironmentName: pick(w.rand, "web", "prod-web", "lab"), Roles: roles}
		r.EnvironmentAccount = pick(w.rand, environment, environment, stranger, management)
		r.ManagementAccount = pick(w.rand, management, management, foreign)
		if r.EnvironmentAccount == r.ManagementAccount {
			return
		}
		c := w.proton.AddConnection(r)
		w.made = append(w.made, made{c, r, w.now, w.now})
		w.tell("asked: %s", w.describe(w.made[len(w.made)-1]))
		w.event(w.made[len(w.made)-1])
		return
	}
	m := &w.made[w.rand.IntN(len(w.made))]
	switch status := m.Status(); {
	case status == "":
	case w.rand.IntN(4) == 0:
		m.SetRoles(roles)
		m.modified = w.now
		w.tell("swapped roles: %s", w.describe(*m))
		w.event(*m)
	case status == proton.Pending && w.rand.IntN(2) == 0:
		m.SetStatus(proton.Connected)
		m.modified = w.now
		w.tell("accepted: %s", w.describe(*m))
		w.event(*m)
	case status != proton.Rejected && w.rand.IntN(3) == 0:
		m.SetStatus(proton.Rejected)
		if w.rand.IntN(2) == 0 { // AWS does not say whether it is dated
			m.modified = w.now
		}
		w.tell("rejected by hand: %s", w.describe(*m))
	case w.rand.IntN(4) == 0:
		m.Remove()
		w.tell("deleted by hand: %s", w.describe(*m))
	case w.rand.IntN(10) == 0:
		m.SetStatus("SUSPENDED")
		w.tell("became what nobody knows: %s", w.describe(*m))
		w.event(*m)
	}
}

func (w *world) event(m made) {
	for _, account := range []string{management, environment} {
		for range w.rand.IntN(3) {
			w.hints[account] = append(w.hints[account], m.ID)
		}
	}
}

// observe is what the control would read in an account.
func (w *world) observe(account, only string, sides ...Side) Observation {
	o := Observation{Scope: control.Scope{Account: account, Region: region}, Only: only, Sides: map[Side][]Connection{}}
	for _, m := range w.made {
		if m.Status() == "" {
			continue
		}
		for _, side := range sides {
			if side == Management && m.ManagementAccount == account || side == Environment && m.EnvironmentAccount == account {
				o.Sides[side] = append(o.Sides[side], m.connection())
			}
		}
	}
	for _, side := range sides { // not as the map has them: a seed has one history
		list := o.Sides[side]
		w.rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	}
	return o
}

func (m made) connection() Connection {
	return Connection{
		ID: m.ID, ARN: m.ARN(), EnvironmentAccount: m.EnvironmentAccount, ManagementAccount: m.ManagementAccount, Name: m.EnvironmentName,
		Status: string(m.Status()), Role: m.Connection.Roles().Role, ComponentRole: m.Connection.Roles().Component,
		Requested: m.requested, Modified: m.modified,
	}
}

// run is one run in an account, for everything or for one connection.
func (w *world) run(account, only string, people bool) (writes int) {
	now := w.now
	if people && w.rand.IntN(20) == 0 {
		now = time.Time{} // AWS does not say what time it is
	}
	for _, a := range Decide(w.observe(account, only, Management, Environment), w.policy, now).Actions {
		if people && w.rand.IntN(4) == 0 {
			w.live() // between the two readings
		}
		// The second reading.
		fresh := Decide(w.observe(account, id(a), Side(a.Subject)), w.policy, now)
		if !slices.ContainsFunc(fresh.Actions, func(b control.Action) bool { return b.ID == a.ID && b.Call.Operation == a.Call.Operation }) {
			continue
		}
		i := slices.IndexFunc(w.made, func(m made) bool { return m.ID == id(a) })
		m := &w.made[i]
		writes++
		w.tell("%s in %s: %s", a.Call.Operation, account, w.describe(*m))
		switch a.Call.Operation {
		case reject:
			w.rejection(account, m.connection(), now)
			m.SetStatus(proton.Rejected)
		case remove:
			w.deletion(account, m.connection(), now)
			m.Remove()
		}
	}
	return writes
}

// unseen tells whether an approval speaks of a connection but for the role that
// nobody sees, and waived whether a waiver does that may be in force.
func (w *world) unseen(c Connection) bool {
	return slices.ContainsFunc(w.policy.Approve, func(a policy.Approval) bool { return speaks(a, c) })
}

func (w *world) waived(c Connection, now time.Time) bool {
	return slices.ContainsFunc(w.policy.Waivers, func(v policy.ConnectionWaiver) bool {
		return speaks(v.Approval, c) && (now.IsZero() || now.Before(v.Expires))
	})
}

func (w *world) named(account string) bool {
	return slices.ContainsFunc(w.policy.Approve, func(a policy.Approval) bool { return slices.Contains(a.ManagementAccounts, account) })
}

// old tells whether a connection has been as it is for longer than the policy lets
// it be.
func (w *world) old(c Connection, now time.Time) bool {
	switch {
	case now.IsZero():
		return false
	case c.Status == rejected:
		return now.Sub(c.Requested) > w.policy.RejectedAfter && now.Sub(c.Modified) > w.policy.RejectedAfter
	default:
		return c.Status == pending && now.Sub(c.Requested) > w.policy.PendingAfter
	}
}

// rejection and deletion ask the oracles just before the write.
func (w *world) rejection(account string, c Connection, now time.Time) {
	w.ended["PENDING rejected"]++
	if c.Status != pending || c.ManagementAccount != account {
		w.fail("%s rejects %+v", account, c)
	}
	if approves(w.policy, c) || w.unseen(c) || w.waived(c, now) {
		w.fail("approved, perhaps approved or waived, and rejected: %+v", c)
	}
}

func (w *world) deletion(account string, c Connection, now time.Time) {
	w.ended[c.Status+" deleted"]++
	unwanted := !w.named(c.ManagementAccount) && !w.waived(c, now)
	if c.EnvironmentAccount != account {
		w.fail("%s deletes %+v", account, c)
	}
	if approves(w.policy, c) && !w.old(c, now) {
		w.fail("approved and deleted: %+v", c)
	}
	switch c.Status {
	case pending:
		if !unwanted && !w.old(c, now) {
			w.fail("a request that may wait is deleted: %+v", c)
		}
	case connected:
		if !unwanted || !w.policy.DeleteConnected {
			w.fail("connected, and deleted: %+v", c)
		}
	case rejected:
		if !w.old(c, now) {
			w.fail("rejected lately, and deleted: %+v", c)
		}
	default:
		w.fail("of a status that nobody knows, and deleted: %+v", c)
	}
}

// settled holds what is left when nobody has done anything for long.
func (w *world) settled() {
	for _, m := range w.made {
		c := m.connection()
		ours := c.EnvironmentAccount == management || c.EnvironmentAccount == environment
		switch {
		case c.Status == pending && c.ManagementAccount == management && !approves(w.policy, c) && !w.unseen(c) && !w.waived(c, w.now):
			w.fail("nobody approved it, and it still waits: %+v", c)
		case c.Status == pending && ours && (!w.named(c.ManagementAccount) && !w.waived(c, w.now) || w.old(c, w.now)),
			c.Status == rejected && ours && w.old(c, w.now),
			c.Status == connected && ours && w.policy.DeleteConnected && !w.named(c.ManagementAccount) && !w.waived(c, w.now):
			w.fail("it is still there: %+v", c)
		}
	}
}

func (w *world) describe(m made) string {
	return fmt.Sprintf("%s of %s to %s for %s, %s, %v", m.ID[30:], m.EnvironmentAccount, m.ManagementAccount, m.EnvironmentName, m.Status(), m.Connection.Roles())
}

func (w *world) fail(format string, a ...any) {
	w.t.Helper()
	w.t.Fatalf("%s\npolicy: %+v\nstory:\n  %s", fmt.Sprintf(format, a...), w.policy, strings.Join(w.story, "\n  "))
}

// Over random histories and policies: nothing approved is ever rejected, or deleted
// while it may wait; nothing connected is deleted unless the policy says so; and
// everything goes in the end that nobody approved and is not connected.
func TestNothingApprovedIsEverEnded(t *testing.T) {
	aws, err := localaws.New(noon)
	if err != nil {
		t.Fatal(err)
	}
	defer aws.Close()
	witness.Watch(t, aws)
	service := proton.New(aws, eventbridge.New(aws))
	ended, kept := map[string]int{}, 0
	for seed := range uint64(histories) {
		w := newWorld(t, service, seed)
		for range 12 {
			w.now = w.now.Add(time.Duration(w.rand.IntN(72)) * time.Hour)
			w.live()
			for _, account := range []string{management, environment} {
				// Of the events that are on their way, any may come now, in any order.
				w.rand.Shuffle(len(w.hints[account]), func(i, j int) {
					w.hints[account][i], w.hints[account][j] = w.hints[account][j], w.hints[account][i]
				})
				for range w.rand.IntN(len(w.hints[account]) + 1) {
					w.run(account, w.hints[account][0], true)
					w.hints[account] = w.hints[account][1:]
				}
				if w.rand.IntN(4) == 0 {
					w.run(account, "", true)
				}
			}
		}
		for range 3 { // each step is longer than anything may wait
			w.now = w.now.Add(40 * day)
			for _, account := range []string{management, environment} {
				w.run(account, "", false)
				if again := w.run(account, "", false); again > 0 {
					w.fail("a second sweep at the same time makes %d writes", again)
				}
			}
		}
		w.settled()
		for _, m := range w.made {
			if s := m.Status(); s == proton.Pending || s == proton.Connected {
				kept++
			}
			m.Remove()
		}
		for what, n := range w.ended {
			ended[what] += n
		}
	}
	for _, what := range []string{"PENDING rejected", "PENDING deleted", "REJECTED deleted", "CONNECTED deleted"} {
		if ended[what] == 0 {
			t.Errorf("nothing was ever %s: the property proves nothing", what)
		}
	}
	if kept == 0 {
		t.Error("nothing was ever kept: the property proves nothing")
	}
	t.Logf("%d histories: %v, %d kept", histories, ended, kept)
}

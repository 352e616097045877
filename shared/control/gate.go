package control

import (
	"fmt"
	"math"
)

// Limit is the most that one run may write: the smaller of a number and a share
// of the resources looked at.
type Limit struct {
	Count int
	Share float64 // 0 to 1
}

// Allowed returns the number of writes that a run which looked at n resources may
// make. The share is rounded up, so that a small estate is not shut out by it; a
// share or a count of zero allows nothing.
func (l Limit) Allowed(n int) int {
	share := l.Share * float64(n)
	// A hair is taken off before rounding up: 0.1 × 30 is 3.0000000000000004 in
	// binary, and must not become 4.
	return max(0, min(l.Count, int(math.Ceil(share-1e-9))))
}

// Gate is the one place where mode, enforce_on and the limit act. It only ever
// takes away: what comes out of it is a part of the plan that went in.
type Gate struct {
	Mode  Mode
	Limit Limit

	// Covers says whether the policy's enforce_on covers a resource. It can
	// narrow what the mode allows, never widen it. Nil covers nothing.
	Covers func(owner, domain string) bool

	// Barred says why nothing may be written in this account, whatever the mode of
	// the deployment is; empty if it may. An account has a mode of its own.
	Barred string
}

// Gated is a plan after the gate. Every action of the plan is in it once: either
// among Actions or among Withheld.
type Gated struct {
	Actions  []Action
	Withheld []Outcome
	Wanted   int // writes the policy asks for where enforcement reaches, in any mode
	Allowed  int // writes the limit allows
	Exceeded bool
}

// Pass applies the gate to a plan. It is pure.
//
//	the action                                    | it is
//	----------------------------------------------+----------------------------
//	answers no violation among the findings       | withheld: no-violation
//	is outside enforce_on                         | withheld: not-enforced-here
//	in off or monitor mode                        | withheld: monitor
//	in an account that bars writes                | withheld: barred
//	one of more than the limit allows             | withheld: limit-exceeded, all of them
//	anything else                                 | let through
func (g Gate) Pass(p Plan) Gated {
	violations := p.violations()

	out := Gated{Allowed: g.Limit.Allowed(p.Looked)}
	withhold := func(a Action, code, detail string) {
		out.Withheld = append(out.Withheld, Outcome{Action: a, Status: Withheld, Code: code, Detail: detail})
	}

	var reached []Action
	for _, a := range p.Actions {
		switch {
		case !violations[a.ID]:
			// Decide never plans such an action. The gate does not rely on it.
			withhold(a, "no-violation", "no violation was found that asks for this action")
		case g.Covers == nil || !g.Covers(a.Owner, a.Domain):
			withhold(a, "not-enforced-here", "the policy's enforce_on does not cover this resource")
		default:
			reached = append(reached, a)
		}
	}

	out.Wanted = len(reached)
	switch {
	case g.Mode != Enforce:
		for _, a := range reached {
			withhold(a, "monitor", "the control is in monitor mode")
		}
	case g.Barred != "":
		for _, a := range reached {
			withhold(a, "barred", g.Barred)
		}
	case out.Wanted > out.Allowed:
		out.Exceeded = true
		writes := "writes"
		if out.Wanted == 1 {
			writes = "write"
		}
		detail := fmt.Sprintf("the plan has %d %s and one run may make %d, so none is made", out.Wanted, writes, out.Allowed)
		for _, a := range reached {
			withhold(a, "limit-exceeded", detail)
		}
	default:
		out.Actions = reached
	}
	return out
}

package packagegroup

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/codeartifact"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/function"
	"portcullis/shared/policy"
	"portcullis/shared/trigger"
)

// Handler is the Lambda function of this control.
type Handler struct{ function.Function }

// New reads the environment and the policy. See [function.New].
func New(getenv func(string) string, out io.Writer) (*Handler, error) {
	f, err := function.New(Name, "package_groups", func(p *policy.Policy) bool { return p.PackageGroups != nil }, getenv, out)
	return &Handler{f}, err
}

// Invoke is called by Lambda with the payload of one invocation, and returns the
// run's summary. See externalconn.Handler for what is an error and what is not.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	why, err := trigger.Parse(payload)
	if err != nil {
		return nil, h.Refuse(ctx, err)
	}
	run, err := h.Begin(ctx, why)
	if err != nil {
		return nil, err
	}
	if why.Cause == trigger.Event {
		// A group is made and configured in two calls, and its creation takes a
		// while to show, so no event is a good moment to look.
		run.Ignore("package groups are pruned by sweeps only")
	}
	if run.Over() {
		return run.Finish(ctx)
	}
	look, begin, cancel := control.Phases(ctx)
	defer cancel()
	o := newObserver(run.Session, run.Scope, h.Policy)
	seen, plan := o.lookAtAll(look)
	run.Summary.Details = tally(plan, seen, o.policy, o.clock.Now())
	run.CarryOut(ctx, begin, plan, complete(plan), newActor(o, run.Session))
	return run.Finish(ctx)
}

// Look reads everything in scope, and says what the policy makes of it. It is what
// a sweep of the function does, and what a person sees by hand.
func Look(ctx context.Context, s *awsio.Session, scope control.Scope, p *policy.Policy) (Observation, control.Plan) {
	o := newObserver(s, scope, p)
	return o.lookAtAll(ctx)
}

// lookAtAll is Look with the observer that the run goes on with.
func (o *observer) lookAtAll(ctx context.Context) (Observation, control.Plan) {
	seen := o.all(ctx)
	return seen, Decide(seen, o.policy, o.clock.Now())
}

func newObserver(s *awsio.Session, scope control.Scope, p *policy.Policy) observer {
	return observer{
		api: codeartifact.NewFromConfig(s.Reads), scope: scope, clock: s.Clock,
		policy: section(p), claims: claims(p),
	}
}

// complete says that every group was judged.
func complete(p control.Plan) bool {
	for _, f := range p.Findings {
		if f.Verdict == control.Undetermined {
			return false
		}
	}
	return true
}

// counts is what a summary says about the groups that are kept.
type counts struct {
	Kept map[string]int `json:"kept"` // by the code of the condition that keeps them

	// Freeable is how many more groups would be looked at closely under another
	// policy: by the one key that would have to change. Those that hold something
	// would still be kept.
	Freeable map[string]int `json:"freeable"`
}

func tally(p control.Plan, seen Observation, rules policy.PackageGroups, now time.Time) counts {
	c := counts{Kept: map[string]int{}, Freeable: map[string]int{}}
	for _, f := range p.Findings {
		if f.Verdict == control.Compliant {
			c.Kept[f.Code]++
		}
	}
	ignoring, pruning := rules, rules
	ignoring.IgnoreLookalikes, pruning.PruneParents = true, true
	others := map[string]policy.PackageGroups{"lookalikes: ignore": ignoring, "children: prune": pruning}
	for _, d := range seen.Domains {
		l := listingOf(d.Tree)
		for _, g := range d.Tree.Groups {
			if screen(l, g, rules, now).code == "" {
				continue
			}
			for key, other := range others {
				if screen(l, g, other, now).code == "" {
					c.Freeable[key]++
				}
			}
		}
	}
	return c
}

// claims are the packages that package_origins names.
func claims(p *policy.Policy) []Claim {
	var list []Claim
	if p.PackageOrigins != nil {
		for _, g := range p.PackageOrigins.Guards {
			list = append(list, Claim{
				Package: g.Package.URL, Format: g.Package.Format, Namespace: g.Package.Namespace, Name: g.Package.Name, Covers: g.Covers,
			})
		}
	}
	return list
}

// section is the policy's section on package groups. A group that package_origins
// names is kept as if a keep rule said so, whoever owns the domain.
func section(p *policy.Policy) policy.PackageGroups {
	s := *p.PackageGroups
	s.Keep = slices.Clone(s.Keep)
	if p.PackageOrigins != nil {
		for _, g := range p.PackageOrigins.Guards {
			if g.Group != "" {
				s.Keep = append(s.Keep, policy.KeepRule{
					Place: g.Place, Line: g.Line, Column: g.Column, Reason: g.Package.URL + " is to resolve to it", Domains: g.Domains, Groups: []string{g.Group},
				})
			}
		}
	}
	return s
}

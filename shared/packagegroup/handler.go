package packagegroup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/policy"
	"portcullis/shared/report"
	"portcullis/shared/trigger"
)

// Handler is the Lambda function of this control. It holds what was settled at
// start and nothing about any event.
type Handler struct {
	settings control.Settings
	policy   *policy.Policy
	aws      *awsio.AWS
	reporter *report.Reporter
}

// New reads the environment and the policy. It fails where the function could
// not do what its deployment says.
func New(getenv func(string) string, out io.Writer) (*Handler, error) {
	settings, err := control.ReadSettings(getenv)
	if err != nil {
		return nil, err
	}
	p, err := policy.Load(settings.Policy)
	if err != nil {
		return nil, fmt.Errorf("reading the policy: %w", err)
	}
	if settings.Mode != control.Off && p.PackageGroups == nil {
		return nil, fmt.Errorf("%s has no section package_groups, but the control is in %s mode: add the section, or set PackageGroupsMode to off",
			settings.Policy, settings.Mode)
	}
	ways, err := awsio.FromEnvironment(getenv)
	if err != nil {
		return nil, err
	}
	log := report.NewLogger(out, settings.LogLevel)
	for _, w := range p.Warnings {
		log.Warn("policy warning", "warning", w.String())
	}
	return &Handler{
		settings: settings,
		policy:   p,
		aws:      ways,
		reporter: &report.Reporter{Out: out, Log: log, API: eventbridge.NewFromConfig(ways.Events()), BusName: settings.EventBus},
	}, nil
}

// Invoke is called by Lambda with the payload of one invocation. See
// externalconn.Handler for what is an error and what is not.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	summary, err := h.run(ctx, payload)
	answer, broken := json.Marshal(summary)
	return answer, errors.Join(err, broken)
}

func (h *Handler) run(ctx context.Context, payload []byte) (control.Summary, error) {
	scope := h.aws.Home()
	summary := control.NewSummary(Name, scope, h.settings.Mode, h.policy.Hash)
	why, err := trigger.Parse(payload)
	var session *awsio.Session
	if err == nil {
		session, err = h.aws.Session(scope, h.settings.Mode)
	}
	if err != nil {
		h.reporter.Log.ErrorContext(ctx, "event refused", "control", Name, "error", err.Error())
		return summary, err
	}
	summary.Cause, summary.Event = string(why.Cause), why.ID
	run := h.reporter.Begin(ctx, Name, session.Clock.Now)
	switch {
	case why.Cause == trigger.None:
		summary.Ignored = why.Ignored
	case why.Cause == trigger.Event:
		// A group may be created and configured in two calls, and its creation
		// takes a while to show, so no event is a good moment to look.
		summary.Ignored = "package groups are pruned by sweeps only"
	case h.settings.Mode == control.Off:
		summary.Ignored = "the control is off"
	}
	if summary.Ignored != "" {
		return run.Finish(ctx, summary, false)
	}

	// Look.
	begin, cancel := control.Begin(ctx)
	defer cancel()
	o := observer{
		api: codeartifact.NewFromConfig(session.Reads), scope: scope, clock: session.Clock,
		policy: section(h.policy), claims: claims(h.policy),
	}
	seen := o.all(begin)

	// Decide.
	plan := Decide(seen, o.policy, session.Clock.Now())
	gate := control.Gate{Mode: h.settings.Mode, Limit: control.Limit(h.policy.Limits), Covers: h.policy.EnforceOn.Covers}
	gated := gate.Pass(plan)
	for _, f := range plan.Findings {
		run.Finding(ctx, f)
	}

	// Act.
	for _, w := range gated.Withheld {
		run.Outcome(ctx, w)
	}
	outcomes := control.Apply(ctx, begin, gated.Actions, &actor{
		observer: o, write: codeartifact.NewFromConfig(session.Writes), deleted: map[string]*types.PackageGroupDescription{},
	}, run)

	summary.Add(plan, gated, outcomes)
	summary.Complete = complete(plan)
	summary.Details = tally(plan)
	summary, lost := run.Finish(ctx, summary, true)
	return summary, errors.Join(summary.Err(), lost)
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
	// policy: by the key that would have to change.
	Freeable map[string]int `json:"freeable"`
}

func tally(p control.Plan) counts {
	c := counts{Kept: map[string]int{}, Freeable: map[string]int{}}
	for _, f := range p.Findings {
		if f.Verdict == control.Compliant {
			c.Kept[f.Code]++
		}
	}
	// These two conditions come last among those that the list tells, so nothing
	// but an opt-out stands between these groups and a close look.
	if n := c.Kept["lookalikes"]; n > 0 {
		c.Freeable["lookalikes: ignore"] = n
	}
	if n := c.Kept["children"]; n > 0 {
		c.Freeable["children: prune"] = n
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
					Place: g.Place, Line: g.Line, Reason: g.Package.URL + " is to resolve to it", Domains: g.Domains, Groups: []string{g.Group},
				})
			}
		}
	}
	return s
}

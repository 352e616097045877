package externalconn

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"portcullis/shared/control"
	"portcullis/shared/policy"
)

// Control is the name of this control in findings, metrics and the policy.
const Control = "external-connections"

// details is what findings of this control say beyond the common fields.
type details struct {
	Domain          string   `json:"domain"`
	Repository      string   `json:"repository"`
	Owner           string   `json:"owner"`           // account that owns the domain
	Administrator   string   `json:"administrator"`   // account that administers the repository; may be empty
	Downstream      []string `json:"downstream"`      // repositories that lose the registry with this one; at most mostNamed, sorted
	DownstreamCount int      `json:"downstreamCount"` // all of them that were found
	DownstreamKnown string   `json:"downstreamKnown"` // "all", "at-least" or "not-computed"
}

// mostNamed bounds the downstream repositories that a finding names, so that an
// event stays small however large the domain is.
const mostNamed = 100

// Decide concludes what the policy says about everything that was observed. Now
// is the time as AWS told it; zero means that it is not known.
//
//	what was read             | allow rule | waiver                    | verdict      | code              | action
//	--------------------------+------------+---------------------------+--------------+-------------------+-------------
//	could not be read         |            |                           | undetermined | the error's class | –
//	no connection             |            |                           | (counted)    | –                 | –
//	connection                | matches    |                           | compliant    | allowed           | –
//	connection                | none       | in force                  | waived       | waived            | –
//	connection                | none       | matches, time not known   | undetermined | time-unknown      | –
//	connection                | none       | ran out                   | violation    | waiver-expired    | disassociate
//	connection                | none       | none                      | violation    | not-allowed       | disassociate
//
// A repository is judged connection by connection, although CodeArtifact permits
// only one today. The plan is sorted by resource and subject.
func Decide(o Observation, p policy.ExternalConnections, now time.Time) control.Plan {
	plan := control.Plan{Looked: o.Unconnected + len(o.Connected)}
	for _, u := range o.Unread {
		plan.Findings = append(plan.Findings, control.Finding{
			ID: control.FindingID(Control, u.Resource, ""), Control: Control,
			Account: o.Scope.Account, Region: o.Scope.Region, Resource: u.Resource,
			Verdict: control.Undetermined, Code: string(u.Class), Reason: u.Reason,
		})
	}
	type registry struct {
		domain     Name
		connection string
	}
	staying := map[registry][]string{} // the repositories of the domain that keep the connection
	var judged []control.Finding
	var of []Repository // what each of judged is about
	for _, repo := range o.Connected {
		for _, connection := range repo.Connections {
			f := judge(o.Scope, repo, connection, p, now, nil)
			if f.Verdict != control.Violation {
				r := registry{repo.Name.domain(), connection}
				staying[r] = append(staying[r], repo.Name.Repo)
			}
			judged, of = append(judged, f), append(of, repo)
		}
	}
	// What draws from the repositories that keep a connection has it another way.
	// One answer serves all violations; a waived repository is itself among those
	// that stay, and is no other way for what draws from it.
	kept := map[registry]set{}
	another := func(f control.Finding, name Name) set {
		r := registry{name.domain(), f.Subject}
		if f.Verdict != control.Violation {
			return o.Downstream.reached(r.domain, without(staying[r], name.Repo)...)
		}
		if _, known := kept[r]; !known {
			kept[r] = o.Downstream.reached(r.domain, staying[r]...)
		}
		return kept[r]
	}
	for i, f := range judged {
		if f.Verdict != control.Compliant {
			d := detail(o, of[i], another(f, of[i].Name))
			f.Details = d
			if f.Verdict == control.Violation {
				f.Effect = effect(of[i], f.Subject, d)
				plan.Actions = append(plan.Actions, disassociate(f, of[i]))
			}
		}
		plan.Findings = append(plan.Findings, f)
	}
	slices.SortStableFunc(plan.Findings, func(a, b control.Finding) int {
		return order(a.Resource, a.Subject, b.Resource, b.Subject)
	})
	slices.SortStableFunc(plan.Actions, func(a, b control.Action) int {
		return order(a.Resource, a.Subject, b.Resource, b.Subject)
	})
	return plan
}

// judge concludes about one connection of one repository. The trace, which may be
// nil, takes down how.
func judge(scope control.Scope, repo Repository, connection string, p policy.ExternalConnections, now time.Time, trace *control.Trace) control.Finding {
	f := control.Finding{
		ID: control.FindingID(Control, repo.ARN, connection), Control: Control,
		Account: scope.Account, Region: scope.Region, Resource: repo.ARN, Subject: connection,
	}
	name := repo.Name.in(scope.Account)
	matches := func(r policy.Rule) bool {
		if r.Matches(repo.Name.Owner, repo.Name.Domain, repo.Name.Repo, connection) {
			return true
		}
		trace.Add(r.Place, control.NotMatched, "", func() string { return r.Why(repo.Name.Owner, repo.Name.Domain, repo.Name.Repo, connection) })
		return false
	}
	for _, rule := range p.Allow {
		if matches(rule) {
			trace.Add(rule.Place, control.Matched, control.Compliant, func() string { return rule.Reason })
			f.Verdict, f.Code = control.Compliant, "allowed"
			f.Reason = fmt.Sprintf("%s may be connected to %s: %s allows it", name, connection, rule.Place)
			return f
		}
	}
	for _, w := range p.Waivers {
		if !matches(w.Rule) {
			continue
		}
		switch {
		case now.IsZero():
			trace.Add(w.Place, control.Unknown, control.Undetermined, func() string { return w.Span() + "; what time it is, is not known" })
			f.Verdict, f.Code, f.Waiver = control.Undetermined, "time-unknown", w.ID
			f.Reason = fmt.Sprintf("%s is connected to %s and waiver %s may be in force, but no answer of AWS said what time it is", name, connection, w.ID)
			return f
		case w.InForce(now):
			trace.Add(w.Place, control.Matched, control.Waived, w.Span)
			f.Verdict, f.Code, f.Waiver = control.Waived, "waived", w.ID
			f.Reason = fmt.Sprintf("%s is connected to %s: waiver %s of %s holds until %s (%s)", name, connection, w.ID, w.Owner, w.LastDay(), w.Reason)
			if w.EndsSoon(now) {
				f.Notes = []string{fmt.Sprintf("waiver %s ends on %s; after that the connection is a violation", w.ID, w.LastDay())}
			}
			return f
		default:
			trace.Add(w.Place, control.RanOut, "", w.Span)
			f.Waiver = w.ID
			f.Notes = append(f.Notes, fmt.Sprintf("waiver %s of %s ran out on %s", w.ID, w.Owner, w.LastDay()))
		}
	}

	f.Verdict, f.Code = control.Violation, "not-allowed"
	f.Reason = fmt.Sprintf("%s is connected to %s and no rule of the policy allows it", name, connection)
	if f.Waiver != "" {
		f.Code = "waiver-expired"
		f.Reason += "; " + f.Notes[len(f.Notes)-1]
	}
	return f
}

// effect says what goes and what stays if the connection is removed:
// https://docs.aws.amazon.com/codeartifact/latest/ug/external-connection-requesting-packages.html
func effect(repo Repository, connection string, d details) string {
	who, rest := repo.Name.String()+" gets", ""
	switch {
	case d.DownstreamKnown == "not-computed":
		rest = "; downstream not computed, because this run looked at one repository"
	case d.DownstreamCount > 0:
		named := strings.Join(d.Downstream[:min(5, len(d.Downstream))], ", ")
		if more := d.DownstreamCount - 5; more > 0 {
			named += fmt.Sprintf(" and %d more", more)
		}
		who = fmt.Sprintf("%s and what draws from it (%s) get", repo.Name, named)
	case d.DownstreamKnown == "all":
		rest = "; nothing else depends on it for that registry"
	}
	if d.DownstreamKnown == "at-least" {
		rest = "; the domain was not read completely, so there may be more of them, or fewer"
	}
	return fmt.Sprintf("without it, %s no new versions from %s; versions already ingested stay%s", who, connection, rest)
}

// detail looks for the repositories that would lose the registry together with
// this one. One that also draws from a repository which keeps its connection
// loses nothing.
func detail(o Observation, repo Repository, kept set) details {
	d := details{
		Domain: repo.Name.Domain, Repository: repo.Name.Repo, Owner: repo.Name.Owner, Administrator: repo.Administrator,
		Downstream: []string{}, DownstreamKnown: "not-computed",
	}
	if o.Downstream == nil {
		return d
	}
	losing, count, all := o.Downstream.losing(repo.Name, kept, mostNamed)
	d.DownstreamCount = count
	d.Downstream = append(d.Downstream, losing...)
	d.DownstreamKnown = "at-least"
	if all {
		d.DownstreamKnown = "all"
	}
	return d
}

// disassociate is the action that ends a violation.
func disassociate(f control.Finding, repo Repository) control.Action {
	input := map[string]string{
		"domain": repo.Name.Domain, "domainOwner": repo.Name.Owner,
		"repository": repo.Name.Repo, "externalConnection": f.Subject,
	}
	return control.Action{
		ID: f.ID, Control: Control, Account: f.Account, Region: f.Region,
		Resource: f.Resource, Subject: f.Subject, Owner: repo.Name.Owner, Domain: repo.Name.Domain, Reason: f.Reason,
		Call:   control.Call{Service: "codeartifact", Operation: "DisassociateExternalConnection", Input: input},
		Before: repo,
		Undo:   []control.Call{{Service: "codeartifact", Operation: "AssociateExternalConnection", Input: input}},
	}
}

// without returns the names but one.
func without(names []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == one })
}

func order(resourceA, subjectA, resourceB, subjectB string) int {
	if c := strings.Compare(resourceA, resourceB); c != 0 {
		return c
	}
	return strings.Compare(subjectA, subjectB)
}

package present

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"portcullis/internal/explain"
	"portcullis/shared/control"
	"portcullis/shared/externalconn"
	"portcullis/shared/packagegroup"
	"portcullis/shared/packageorigin"
	"portcullis/shared/protonconn"
)

// Explained is an explanation, and the policy that it was given under.
type Explained struct {
	explain.Explanation
	PolicyFile string
	PolicyHash string
}

// Text writes an explanation for a person: the verdict, why, the rules, and what else
// there is to know of the resource.
func (e Explained) Text(w io.Writer, colour bool) error {
	t := &page{colour: colour}
	word := cmp.Or(string(e.Verdict), "not judged")
	t.line("%s  %s  (%s, account %s, %s)", paint(colour, e.Verdict, word), Plain(e.name()), strings.ReplaceAll(string(e.Resource.Kind), "-", " "), e.Scope.Account, e.Scope.Region)
	if e.Summary != "" {
		t.line("  %s", Plain(e.Summary))
	}
	for _, f := range e.Findings {
		if len(e.Findings) > 1 {
			t.line("  %s  %s", paint(colour, f.Verdict, string(f.Verdict)), Plain(strings.TrimSpace(Name(f.Finding)+"  "+f.Subject)))
		}
		for _, line := range (Finding{Finding: f.Finding, Action: f.Action, Withheld: f.Withheld}).lines() {
			t.line("  %s", Plain(line))
		}
	}
	for _, f := range e.Findings {
		t.trials(f, len(e.Findings) > 1)
	}
	switch {
	case e.Repository != nil:
		t.repository(e)
	case e.Group != nil:
		t.group(*e.Group)
	case e.Package != nil:
		t.pkg(*e.Package)
	case e.Connection != nil:
		t.connection(e.Connection)
	}
	if len(e.Missing) > 0 {
		t.head("What is not known")
		for _, m := range e.Missing {
			t.line("  %s", Plain(m))
		}
	}
	end := "\nby " + e.PolicyFile
	if !e.At.IsZero() {
		end += ", as of " + e.At.UTC().Format(time.DateTime) + " UTC"
	}
	t.line("%s", end)
	_, err := io.WriteString(w, t.text.String())
	return err
}

// name is how a person calls the resource. The account is told only where it is not
// the one that was looked into.
func (e Explained) name() string {
	r := e.Resource
	if r.Owner == e.Scope.Account {
		r.Owner = ""
	}
	return r.String()
}

// page is the text of an explanation while it is written.
type page struct {
	colour bool
	text   strings.Builder
}

func (t *page) line(format string, args ...any) {
	t.text.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
}

func (t *page) head(s string) { t.line("\n%s:", Plain(s)) }

// table writes rows whose first columns are as wide as their widest entry.
func (t *page) table(rows [][]string) {
	var width []int
	for _, row := range rows {
		for i, cell := range row[:len(row)-1] {
			if i == len(width) {
				width = append(width, 0)
			}
			width[i] = max(width[i], len([]rune(Plain(cell))))
		}
	}
	for _, row := range rows {
		line := " "
		for i, cell := range row {
			pad := 0
			if i < len(width) {
				pad = width[i] - len([]rune(Plain(cell)))
			}
			line += " " + Plain(cell) + strings.Repeat(" ", pad+1)
		}
		t.line("%s", line)
	}
}

func (t *page) trials(f explain.Finding, several bool) {
	if len(f.Trials) == 0 {
		return
	}
	head := "What was tried, in order"
	if several {
		head = fmt.Sprintf("What was tried for %s, in order", strings.TrimSpace(Name(f.Finding)+"  "+f.Subject))
	}
	t.head(head)
	var rows [][]string
	untried := 0
	for _, trial := range f.Trials {
		if trial.Result == control.NotTried && trial.Why == "" {
			untried++
			continue
		}
		why := trial.Why
		if trial.Settles != "" {
			why = strings.TrimPrefix(why+" → "+string(trial.Settles), " ")
		}
		rows = append(rows, []string{trial.Rule, result(trial.Result), why})
	}
	t.table(rows)
	if untried > 0 {
		t.line("  %d more not tried: the matter was settled before", untried)
	}
}

func result(r control.Result) string { return strings.ReplaceAll(string(r), "-", " ") }

func (t *page) repository(e Explained) {
	r := e.Repository
	order := "in the order of the search"
	if !r.Numbered {
		order = "in no certain order"
	}
	t.head(fmt.Sprintf("Public registries that it gets packages from, %s; AWS looks into at most %d upstreams", order, externalconn.Searched))
	var rows [][]string
	for _, reg := range r.Registries {
		where := "its own external connection"
		switch {
		case len(reg.Path) > 1 && r.Numbered:
			where = fmt.Sprintf("upstream %d in the search", reg.Number)
		case len(reg.Path) > 1:
			where = "how far in the search is not known"
		}
		if r.Numbered && reg.Beyond {
			where += ", so it is not reached"
		}
		rows = append(rows, []string{reg.Connection, strings.Join(reg.Path, " → "), where})
	}
	if rows == nil {
		rows = [][]string{{"none"}}
		if !r.Numbered {
			rows = [][]string{{"none that is known here"}}
		}
	}
	t.table(rows)
	t.head("Who draws from it")
	rows = nil
	for _, d := range r.Downstream {
		via := "directly"
		if d.From != e.Resource.Name {
			via = "by way of " + d.From
		}
		rows = append(rows, []string{d.Repository, via})
	}
	if rows == nil {
		rows = [][]string{{"nobody"}}
		if !r.Whole {
			rows = [][]string{{"nobody that is known here"}}
		}
	}
	t.table(rows)
}

func (t *page) group(g packagegroup.Explanation) {
	t.head("The group")
	rows := [][]string{
		{"parent", cmp.Or(g.Group.Parent, "none")},
		{"children", cmp.Or(strings.Join(g.Children, ", "), "none")},
		{"created", g.Group.Created.Format(time.DateTime) + " UTC"},
	}
	for _, kind := range packagegroup.Restrictions() {
		c := g.Group.Controls[kind]
		is := string(c.Own)
		if c.Own == packagegroup.Inherit {
			is += ", in effect " + string(c.Effective)
		}
		rows = append(rows, []string{kind, is})
	}
	if g.Tags != nil {
		var tags []string
		for key, value := range g.Tags {
			tags = append(tags, key+"="+value)
		}
		slices.Sort(tags)
		rows = append(rows, []string{"tags", cmp.Or(strings.Join(tags, ", "), "none")})
	}
	t.table(rows)
}

func (t *page) pkg(p explain.OfPackage) {
	t.head("Guards that name it")
	var rows [][]string
	for _, g := range p.Guards {
		rows = append(rows, []string{g.Place, g.Package.URL, "in domains " + strings.Join(g.Domains, ", "), g.Reason})
	}
	if rows == nil {
		rows = [][]string{{fmt.Sprintf("none; %s about other packages", count(p.Others, "guard"))}}
	}
	t.table(rows)
	for _, f := range p.Findings {
		if f.Settings != nil {
			t.settings(*f.Read, f.Settings)
		}
	}
	for _, r := range p.Unguarded {
		t.settings(r, r.Settings(nil))
	}
}

func (t *page) settings(r packageorigin.Resolved, settings []packageorigin.Setting) {
	how := ""
	if r.Weak {
		how = ", only as a look-alike"
	}
	t.head(fmt.Sprintf("In domain %s it resolves to %s%s", r.Domain, r.Group, how))
	var rows [][]string
	for _, s := range settings {
		is := s.Effective
		if s.Repositories != nil {
			is += " (" + cmp.Or(strings.Join(s.Repositories, ", "), "none") + ")"
		}
		from := "set on " + s.From
		if s.Inherited {
			from = "inherited from " + s.From
		}
		asked := "nothing is asked"
		if len(s.Required) > 0 {
			asked = "must be " + strings.Join(s.Required, " and ")
		}
		rows = append(rows, []string{s.Restriction, is, from, asked})
	}
	t.table(rows)
}

func (t *page) connection(sides []protonconn.Seen) {
	for _, c := range sides {
		t.head("As its " + strings.ToLower(strings.ReplaceAll(string(c.Side), "_", " ")) + " sees it")
		rows := [][]string{
			{"status", c.Status}, {"environment account", c.EnvironmentAccount}, {"management account", c.ManagementAccount},
			{"environment", c.Name}, {"role", cmp.Or(c.Role, "not shown")}, {"component role", cmp.Or(c.ComponentRole, "none")},
			{"requested", c.Requested.UTC().Format(time.DateTime) + " UTC"}, {"last changed", c.Modified.UTC().Format(time.DateTime) + " UTC"},
		}
		if c.UsedBy != nil {
			rows = append(rows, []string{"used by", cmp.Or(strings.Join(c.UsedBy, ", "), "no environment")})
		}
		t.table(rows)
	}
}

// explanation is an explanation as JSON. Keys are added to it, and none is taken
// away or changes its meaning within a version.
type explanation struct {
	Format   string               `json:"format"` // "portcullis-explain"
	Version  int                  `json:"version"`
	Resource explainedResource    `json:"resource"`
	Control  string               `json:"control"`
	Scope    control.Scope        `json:"scope"`
	At       *time.Time           `json:"at"`     // by AWS's clock; null where it is not known
	Source   string               `json:"source"` // "aws" or "estate"
	Policy   documentPolicy       `json:"policy"`
	Verdict  *control.Verdict     `json:"verdict"` // null where the policy says nothing of it
	Summary  string               `json:"summary,omitempty"`
	Findings []explainedFinding   `json:"findings"`
	Missing  []string             `json:"missing"` // what is not known
	Repo     *explainedRepository `json:"repository,omitempty"`
	Group    *explainedGroup      `json:"packageGroup,omitempty"`
	Package  *explainedPackage    `json:"package,omitempty"`
	Sides    []protonconn.Seen    `json:"connection,omitempty"`
}

type explainedResource struct {
	Kind explain.Kind `json:"kind"`
	Name string       `json:"name"`
	ARN  string       `json:"arn,omitempty"`
}

type explainedFinding struct {
	documentFinding
	Trials []control.Trial `json:"trials"`
}

type explainedRepository struct {
	Upstreams  []string                `json:"upstreams"`
	Registries []externalconn.Registry `json:"registries"`
	Ordered    bool                    `json:"ordered"` // the registries are all of them, and their numbers are right
	Downstream []externalconn.Drawing  `json:"downstream"`
	Whole      bool                    `json:"whole"` // the downstream is all of it
}

type explainedGroup struct {
	packagegroup.Group
	Children []string          `json:"children"`
	Tags     map[string]string `json:"tags"` // null where they were not read
}

type explainedPackage struct {
	Guards  []string          `json:"guards"` // places of those that name it
	Domains []explainedDomain `json:"domains"`
}

type explainedDomain struct {
	Domain       string                  `json:"domain"`
	Group        string                  `json:"group"`
	Weak         bool                    `json:"weak"`
	Guarded      bool                    `json:"guarded"` // some guard speaks of it here
	Restrictions []packageorigin.Setting `json:"restrictions"`
}

// JSON writes an explanation for a program.
func (e Explained) JSON(w io.Writer) error {
	d := explanation{
		Format: "portcullis-explain", Version: 1, Resource: explainedResource{e.Resource.Kind, e.name(), e.ARN},
		Control: e.Control, Scope: e.Scope, Source: "aws", Policy: documentPolicy{e.PolicyFile, e.PolicyHash},
		Summary: e.Summary, Findings: []explainedFinding{}, Missing: append([]string{}, e.Missing...), Sides: e.Connection,
	}
	if e.Saved {
		d.Source = "estate"
	}
	if !e.At.IsZero() {
		d.At = &e.At
	}
	if e.Verdict != "" {
		d.Verdict = &e.Verdict
	}
	for _, f := range e.Findings {
		finding := documented(Finding{Finding: f.Finding, Action: f.Action, Withheld: f.Withheld})
		d.Findings = append(d.Findings, explainedFinding{finding, append([]control.Trial{}, f.Trials...)})
	}
	if r := e.Repository; r != nil {
		d.Repo = &explainedRepository{r.Upstreams, r.Registries, r.Numbered, append([]externalconn.Drawing{}, r.Downstream...), r.Whole}
	}
	if g := e.Group; g != nil {
		d.Group = &explainedGroup{g.Group, append([]string{}, g.Children...), g.Tags}
	}
	if p := e.Package; p != nil {
		out := &explainedPackage{Guards: []string{}, Domains: []explainedDomain{}}
		for _, g := range p.Guards {
			out.Guards = append(out.Guards, g.Place)
		}
		for _, f := range p.Findings {
			if f.Settings != nil {
				out.Domains = append(out.Domains, explainedDomain{f.Read.Domain, f.Read.Group, f.Read.Weak, true, f.Settings})
			}
		}
		for _, r := range p.Unguarded {
			out.Domains = append(out.Domains, explainedDomain{r.Domain, r.Group, r.Weak, false, r.Settings(nil)})
		}
		d.Package = out
	}
	return encode(w, d)
}

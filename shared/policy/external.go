package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// ExternalConnections says which CodeArtifact repositories may have a connection to a public registry.
// What no rule allows and no waiver in force covers is not allowed.
type ExternalConnections struct {
	Allow   []Rule
	Waivers []Waiver
}

// Rule matches external connections of repositories. Its globs are those of [path.Match], case-sensitive;
// * does not cross the / between domain and repository.
type Rule struct {
	Place        string // where it stands, such as "external_connections.allow[0]"
	Line, Column int    // of the file, from 1

	Repositories []string // globs on "domain/repository"
	Connections  []string // globs on the connection name, such as "public:npmjs"
	Accounts     []string // ids of accounts that own the domain; none: any account
	Reason       string
}

// Matches tells whether the rule speaks of this connection of this repository. account owns the domain: it is
// the one in the repository's ARN, which need not be the one that administers it
// (https://docs.aws.amazon.com/codeartifact/latest/ug/create-repo.html). An empty name matches nothing.
func (r Rule) Matches(account, domain, repository, connection string) bool {
	return fits(r.misfits(account, domain, repository, connection))
}

// NoticePeriod is how long before its end a waiver ends soon.
const NoticePeriod = 14 * 24 * time.Hour

// Waiver permits for a time what no rule allows.
type Waiver struct {
	Rule
	Term
}

// Term is whose a waiver is, and until when it holds. A waiver that has ended is as good as absent.
type Term struct {
	ID      string // unique in its section; the waiver's Place if the file gives none
	Owner   string
	Expires time.Time // the first instant at which it no longer holds, UTC
}

// InForce tells whether the waiver still holds at now. A zero now means that the time is not known: whether the
// waiver holds is then undetermined, so the caller must look at now.IsZero() before it asks.
func (t Term) InForce(now time.Time) bool { return now.Before(t.Expires) }

// LastDay is the last day on which it holds, or on which it ends, as a date in UTC.
func (t Term) LastDay() string { return t.Expires.Add(-time.Nanosecond).UTC().Format(time.DateOnly) }

// Span says whose it is and until when it holds, in words.
func (t Term) Span() string {
	return fmt.Sprintf("waiver %s of %s, through %s", t.ID, t.Owner, t.LastDay())
}

// EndsSoon tells whether the waiver holds at now and ends within the NoticePeriod. As with InForce, now must be known.
func (t Term) EndsSoon(now time.Time) bool {
	return t.InForce(now) && t.Expires.Sub(now) <= NoticePeriod
}

// knownConnections lists the names that CodeArtifact documents for AssociateExternalConnection
// (https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_AssociateExternalConnection.html).
// The API takes any string, and AWS may add names, so an unknown one is a warning only.
func knownConnections() []string {
	return []string{
		"public:npmjs", "public:nuget-org", "public:pypi", "public:maven-central", "public:maven-googleandroid",
		"public:maven-gradleplugins", "public:maven-commonsware", "public:maven-clojars", "public:ruby-gems-org", "public:crates-io",
	}
}

func (r *reader) externalConnections(v value) *ExternalConnections {
	e := &ExternalConnections{}
	r.mapping(v,
		field{"allow", "a list of rules, or allow: [] to allow nothing", required, func(v value) {
			r.list(v, func(v value) { e.Allow = append(e.Allow, r.rule(v)) })
		}},
		field{"waivers", "a list of waivers, or remove the key", optional, func(v value) {
			ids := map[string]int{}
			r.list(v, func(v value) { e.Waivers = append(e.Waivers, r.waiver(v, ids)) })
		}},
	)
	r.shadowedRules(*e)
	r.openRules(*e)
	return e
}

// openRules warns of a rule after which nothing is left to find.
func (r *reader) openRules(e ExternalConnections) {
	rules := slices.Clone(e.Allow)
	for _, w := range e.Waivers {
		rules = append(rules, w.Rule)
	}
	for _, rule := range rules {
		if rule.allowsAll() {
			r.warnings = append(r.warnings, Problem{r.file, rule.Line, rule.Column,
				rule.Place + " allows every repository every connection, so no connection is a violation", "name the repositories that are meant to be gateways, and their registries"})
		}
	}
}

// allowsAll tells whether the rule surely matches all repositories in all accounts, with every connection that there is.
func (r Rule) allowsAll() bool {
	return len(r.Accounts) == 0 && coverAll(r.Repositories, []string{"*/*"}) &&
		every(knownConnections(), func(name string) bool { return matchAny(r.Connections, name) })
}

func (r *reader) rule(v value) Rule {
	rule := Rule{Place: v.place, Line: v.node.Line, Column: v.node.Column}
	r.mapping(v, r.ruleFields(&rule, optional)...)
	return rule
}

// waiver reads one waiver. ids holds the line of each id given so far.
func (r *reader) waiver(v value, ids map[string]int) Waiver {
	w := Waiver{Rule: Rule{Place: v.place, Line: v.node.Line, Column: v.node.Column}, Term: Term{ID: v.place}}
	r.mapping(v, append(r.ruleFields(&w.Rule, required), r.termFields(&w.Term, ids)...)...)
	return w
}

// termFields are the keys that every waiver has beside what it matches.
func (r *reader) termFields(t *Term, ids map[string]int) []field {
	return []field{
		{"id", `id: npm-legacy (letters, digits, ".", "_" and "-", at most 64)`, optional, func(v value) { t.ID = r.id(v, ids) }},
		{"owner", `owner: "team-web@example.com"`, required, func(v value) { t.Owner = r.text(v) }},
		{"expires", "expires: 2027-01-31 (holds through that day, UTC) or 2027-01-31T12:00:00Z", required, func(v value) { t.Expires = r.expires(v) }},
	}
}

func (r *reader) ruleFields(rule *Rule, reason bool) []field {
	return []field{
		{"repositories", `repositories: ["corp/npm-store"]`, required, func(v value) { rule.Repositories = r.names(v, r.repository) }},
		{"connections", `connections: ["public:npmjs"]`, required, func(v value) { rule.Connections = r.names(v, r.connection) }},
		{"accounts", accountsExample, optional, func(v value) { rule.Accounts = r.names(v, r.account) }},
		{"reason", `reason: "Why this is needed."`, reason, func(v value) { rule.Reason = r.text(v) }},
	}
}

// id reads the id of a waiver. Its letters exclude brackets, so that no id can equal the place of another waiver.
func (r *reader) id(v value, ids map[string]int) string {
	id := r.text(v)
	switch {
	case len(id) > 64 || strings.Trim(id, nameRunes) != "":
		r.refuse(v.node, fmt.Sprintf("%s %.80q is not a short name", v.place, id), "write "+v.example)
	case id != "" && ids[id] > 0:
		r.refuse(v.node, fmt.Sprintf("%s %q is already taken on line %d", v.place, id, ids[id]), "choose another")
	default:
		ids[id] = v.node.Line
	}
	return id
}

// expires reads a date, or a time as of RFC 3339, into the first instant after it.
func (r *reader) expires(v value) time.Time {
	s, ok := r.scalar(v, "!!str", "!!timestamp")
	if !ok {
		return time.Time{}
	}
	var t time.Time
	day, err := time.Parse(time.DateOnly, s)
	if err == nil {
		t = day.AddDate(0, 0, 1)
	} else {
		err = t.UnmarshalText([]byte(s))
	}
	if err != nil || t.IsZero() { // which elsewhere says that the time is not known
		r.refuse(v.node, fmt.Sprintf("%s %.40q is not a date", v.place, s), "write "+v.example)
	}
	return t.UTC()
}

// repository refuses a pattern that is not two globs with one slash between them.
func (r *reader) repository(v value, pattern string) {
	domain, name, ok := strings.Cut(pattern, "/")
	if !ok || domain == "" || name == "" || strings.Contains(name, "/") {
		r.refuse(v.node, fmt.Sprintf("pattern %.80q is not domain/repository", pattern), "write both, with one slash, like "+v.example)
		return
	}
	r.glob(v, domain)
	r.glob(v, name)
}

func (r *reader) connection(v value, pattern string) {
	if !r.glob(v, pattern) {
		return
	}
	known := knownConnections()
	if !slices.ContainsFunc(known, func(name string) bool { return matchAny([]string{pattern}, name) }) {
		r.warn(v.node, fmt.Sprintf("connection %.80q matches none that CodeArtifact is known to have", pattern), instead(pattern, known))
	}
}

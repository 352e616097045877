package policy

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Cases are what a policy is expected to say, written beside it: a resource each, and the verdict about it. They are read as
// strictly as the policy. Who runs them hands them to the controls' own decisions; nothing is decided here.
type Cases struct {
	At time.Time // the time at which they are judged, unless a case names another

	Connections []ConnectionCase
	Groups      []GroupCase
	Packages    []PackageCase
	Requests    []RequestCase
}

// Case is what cases of all controls have.
type Case struct {
	Place        string // where it stands, such as "external_connections[0]"
	Line, Column int    // of the file, from 1

	Name    string    // what it is about, in words; may be empty
	At      time.Time // the time at which it is judged
	Account string    // account that owns the domain
	Expect  string    // the verdict
	Code    string    // the code of the finding; empty is any
}

// ConnectionCase is a repository with an external connection.
type ConnectionCase struct {
	Case
	Domain, Repository, Connection string
}

// GroupCase is a package group.
type GroupCase struct {
	Case
	Domain, Group string

	Age      time.Duration
	Marked   time.Duration     // how long ago it was marked as dead; 0: it bears no mark
	Holds    string            // a package that is in it; empty: none
	Children []string          // patterns of its child groups
	Tags     []string          // keys of the tags that it bears
	Own      map[string]string // its own modes, by restriction; where it has none it inherits
	Parent   string            // what is in effect above it: "BLOCK" or "ALLOW"
}

// PackageCase is a package, and what guards it.
type PackageCase struct {
	Case
	Domain  string
	Package Package
	Group   string // pattern of the group that it resolves to
	Weak    bool   // only as a look-alike

	// What is in effect, by restriction: the repositories that it is open to. An empty list is none of them; where
	// there is no list it is open to all.
	Only map[string][]string
}

// RequestCase is an environment account connection.
type RequestCase struct {
	Case
	EnvironmentAccount, ManagementAccount, Environment string

	Own           bool   // seen from the environment account
	Status        string // as the API names it
	Age           time.Duration
	Role          string
	ComponentRole string
}

// ParseCases reads a file of cases. What is wrong is returned as in [Parse].
func ParseCases(name string, data []byte) (*Cases, error) {
	r := &reader{file: name, holds: "case"}
	c := &Cases{}
	if root := r.document(data); root != nil {
		r.plain(root)
		// The time goes first, wherever it stands in the file. What is wrong with it is told below.
		first := &reader{file: name}
		first.mapping(value{root, "", ""}, field{"at", "", required, func(v value) { c.At = first.instant(v) }})
		r.mapping(value{root, "", `version: 1, then "at" and a list of cases for each control`},
			field{"version", "version: 1", required, r.version},
			field{"at", "at: 2026-11-20 (the time at which the cases are judged)", required, func(v value) { c.At = r.instant(v) }},
			field{"external_connections", "a list of cases", optional, func(v value) {
				r.list(v, func(v value) { c.Connections = append(c.Connections, r.connectionCase(v, c.At)) })
			}},
			field{"package_groups", "a list of cases", optional, func(v value) {
				r.list(v, func(v value) { c.Groups = append(c.Groups, r.groupCase(v, c.At)) })
			}},
			field{"package_origins", "a list of cases", optional, func(v value) {
				r.list(v, func(v value) { c.Packages = append(c.Packages, r.packageCase(v, c.At)) })
			}},
			field{"proton_connections", "a list of cases", optional, func(v value) {
				r.list(v, func(v value) { c.Requests = append(c.Requests, r.requestCase(v, c.At)) })
			}},
		)
		if len(c.Connections)+len(c.Groups)+len(c.Packages)+len(c.Requests) == 0 && len(r.problems) == 0 {
			r.refuse(root, "there is no case", "add one, such as external_connections: [{repository: corp/npm-store, connection: public:npmjs, expect: compliant}]")
		}
	}
	if len(r.problems) > 0 {
		r.problems.sort()
		return nil, r.problems
	}
	return c, nil
}

// LoadCases reads the file of cases at path.
func LoadCases(path string) (*Cases, error) {
	const next = "write cases beside the policy, or name a file that exists and can be read"
	f, err := os.Open(path) //nolint:gosec // the one who tests a policy chooses the file
	if err != nil {
		return nil, fmt.Errorf("reading cases: %w; %s", err, next)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading cases: %w; %s", err, next)
	}
	return ParseCases(path, data)
}

// inCase reads a case: the keys that all have, and its own.
func (r *reader) inCase(v value, c *Case, at time.Time, own ...field) {
	*c = Case{Place: v.place, Line: v.node.Line, Column: v.node.Column, At: at, Account: "111122223333"}
	r.mapping(v, append(own,
		field{"case", `case: "What it shows."`, optional, func(v value) { c.Name = r.text(v) }},
		field{"at", "at: 2026-11-20, or remove it", optional, func(v value) { c.At = r.instant(v) }},
		field{"account", `account: "111122223333" (in quotes)`, optional, func(v value) { c.Account = r.one(v, r.account) }},
		field{"expect", "expect: violation (or compliant, waived, undetermined)", required, func(v value) {
			c.Expect = r.oneOf(v, "compliant", "violation", "waived", "undetermined")
		}},
		field{"code", "code: not-allowed, or remove it", optional, func(v value) { c.Code = r.text(v) }},
	)...)
}

func (r *reader) connectionCase(v value, at time.Time) (c ConnectionCase) {
	r.inCase(v, &c.Case, at,
		field{"repository", "repository: corp/npm-store", required, func(v value) {
			c.Domain, c.Repository, _ = strings.Cut(r.one(v, r.repository), "/")
		}},
		field{"connection", `connection: "public:npmjs"`, required, func(v value) { c.Connection = r.one(v, func(value, string) {}) }},
	)
	return c
}

func (r *reader) groupCase(v value, at time.Time) (c GroupCase) {
	c.Own, c.Parent, c.Age = map[string]string{}, "ALLOW", 10_000*24*time.Hour
	own := func(restriction string) func(value) {
		return func(v value) {
			if mode := strings.ToUpper(r.oneOf(v, "block", "allow", "inherit")); mode != "INHERIT" {
				c.Own[restriction] = mode
			}
		}
	}
	r.inCase(v, &c.Case, at,
		field{"group", `group: "/npm/acme/*"`, required, func(v value) { c.Group = r.one(v, r.wholeGroup) }},
		field{"domain", "domain: corp", required, func(v value) { c.Domain = r.one(v, r.wholeName) }},
		field{"age", "age: 30d (days, or hours as in 36h), or remove it for a very old group", optional, func(v value) { c.Age = r.duration(v) }},
		field{"marked", "marked: 20d (how long ago, in days or hours), or remove it", optional, func(v value) { c.Marked = r.duration(v) }},
		field{"holds", `holds: "pkg:npm/%40acme/ui", or remove it`, optional, func(v value) { c.Holds = r.packageURL(v).URL }},
		field{"children", `children: ["/npm/acme/ui*"]`, optional, func(v value) { c.Children = r.names(v, r.wholeGroup) }},
		field{"tags", `tags: ["team:owned"]`, optional, func(v value) { c.Tags = r.names(v, func(value, string) {}) }},
		field{"publish", "publish: block, allow or inherit", optional, own("PUBLISH")},
		field{"external_upstream", "external_upstream: block, allow or inherit", optional, own("EXTERNAL_UPSTREAM")},
		field{"internal_upstream", "internal_upstream: block, allow or inherit", optional, own("INTERNAL_UPSTREAM")},
		field{"parent", "parent: block or allow", optional, func(v value) { c.Parent = strings.ToUpper(r.oneOf(v, "block", "allow")) }},
	)
	return c
}

func (r *reader) packageCase(v value, at time.Time) (c PackageCase) {
	c.Only = map[string][]string{}
	open := func(restriction string) func(value) {
		return func(v value) {
			if v.node.Value == "allow" {
				return
			}
			if list := r.only(v); list != nil {
				c.Only[restriction] = list
			} else {
				c.Only[restriction] = []string{}
			}
		}
	}
	r.inCase(v, &c.Case, at,
		field{"package", `package: "pkg:npm/%40acme/ui"`, required, func(v value) { c.Package = r.packageURL(v) }},
		field{"domain", "domain: corp", required, func(v value) { c.Domain = r.one(v, r.wholeName) }},
		field{"group", `group: "/npm/acme/*" (the one that it resolves to)`, required, func(v value) { c.Group = r.guardGroup(v) }},
		field{"match", "match: strong, or match: weak", optional, func(v value) { c.Weak = r.choice(v, "strong", "weak") }},
		field{"publish", `publish: block, allow, or ["npm-internal"]`, optional, open("PUBLISH")},
		field{"external_upstream", `external_upstream: block, allow, or ["npm-store"]`, optional, open("EXTERNAL_UPSTREAM")},
		field{"internal_upstream", `internal_upstream: block, allow, or ["npm-internal"]`, optional, open("INTERNAL_UPSTREAM")},
	)
	return c
}

func (r *reader) requestCase(v value, at time.Time) (c RequestCase) {
	c.Status, c.Age = "PENDING", time.Hour
	r.inCase(v, &c.Case, at,
		field{"environment_account", `environment_account: "222222222222" (in quotes)`, required, func(v value) { c.EnvironmentAccount = r.one(v, r.account) }},
		field{"management_account", `management_account: "111122223333" (in quotes)`, required, func(v value) { c.ManagementAccount = r.one(v, r.account) }},
		field{"environment", "environment: prod-eu", required, func(v value) { c.Environment = r.one(v, r.wholeName) }},
		field{"seen_from", "seen_from: management_account, or seen_from: environment_account", optional, func(v value) {
			c.Own = r.choice(v, "management_account", "environment_account")
		}},
		field{"status", "status: pending, connected or rejected", optional, func(v value) {
			c.Status = strings.ToUpper(r.oneOf(v, "pending", "connected", "rejected"))
		}},
		field{"age", "age: 30d (days, or hours as in 36h)", optional, func(v value) { c.Age = r.duration(v) }},
		field{"role", `role: "arn:aws:iam::222222222222:role/proton-prod"`, optional, func(v value) { c.Role = r.one(v, r.roleARN) }},
		field{"component_role", `component_role: "arn:aws:iam::222222222222:role/proton-prod"`, optional, func(v value) { c.ComponentRole = r.one(v, r.roleARN) }},
	)
	return c
}

// one reads a name, which a case writes out: nothing in it stands for anything else.
func (r *reader) one(v value, check func(value, string)) string {
	s := r.text(v)
	if s == "" {
		return ""
	}
	if strings.ContainsAny(s, "*?[\\") && !strings.HasPrefix(s, "/") {
		r.refuse(v.node, fmt.Sprintf("%s %.80q is a pattern, and a case is about one resource", v.place, s), "write "+v.example)
		return ""
	}
	check(v, s)
	return s
}

func (r *reader) wholeName(v value, name string) { r.glob(v, name) }

func (r *reader) wholeGroup(v value, pattern string) {
	if strings.HasSuffix(pattern, "**") {
		r.refuse(v.node, fmt.Sprintf("%s %.80q ends in **, and a case is about one group", v.place, pattern), "write "+v.example)
		return
	}
	r.groupPattern(v, pattern)
}

// oneOf reads one of some words.
func (r *reader) oneOf(v value, words ...string) string {
	s := r.text(v)
	for _, word := range words {
		if s == word {
			return s
		}
	}
	if s != "" {
		r.refuse(v.node, fmt.Sprintf("%s is %.40q", v.place, s), instead(s, words))
	}
	return ""
}

// instant reads a date, which is its first moment in UTC, or a time as of RFC 3339.
func (r *reader) instant(v value) time.Time {
	s, ok := r.scalar(v, "!!str", "!!timestamp")
	if !ok {
		return time.Time{}
	}
	at, err := time.Parse(time.DateOnly, s)
	if err != nil {
		at, err = time.Parse(time.RFC3339, s)
	}
	if err != nil || at.IsZero() { // which elsewhere says that the time is not known
		r.refuse(v.node, fmt.Sprintf("%s %.40q is not a date", v.place, s), "write at: 2026-11-20 (its first moment, UTC) or 2026-11-20T12:00:00Z")
	}
	return at.UTC()
}

// Package policy answers one question: what is allowed? It loads the policy file, refuses whatever is
// not plainly meant, and tells whether a rule or a waiver matches a resource.
//
// It never decides, and it never reads the environment, the network or a clock. Whether a waiver has
// ended is judged by the caller, with AWS's time. The deployed mode is not here either: a policy can
// only narrow where that mode enforces.
//
// policy/policy.yaml shows every key with its meaning. This file holds what all controls share;
// external.go, groups.go and origins.go hold the sections of their controls, and a further control adds a file like them
// and one line in Parse. shadow.go finds rules that change nothing, schema.go describes the file to editors, cases.go reads
// the cases that a policy is tested by. read.go is the strict YAML reader below all of them.
package policy

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"iter"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// maxBytes is the size of the largest policy file. It keeps the cost of any file small.
const maxBytes = 64 << 10

// Policy is one policy file, read and found valid.
type Policy struct {
	Hash                string               // hex SHA-256 of the file: says which policy a decision was made under
	Limits              Limits               // most writes one run may make
	EnforceOn           *EnforceOn           // nil: wherever the deployed mode says
	ExternalConnections *ExternalConnections // nil: the file has no such section
	PackageGroups       *PackageGroups       // likewise
	PackageOrigins      *PackageOrigins      // likewise
	ProtonConnections   *ProtonConnections   // likewise
	Warnings            []Problem            // accepted, but probably not meant; in the order of the file
}

// Limits is the most writes one run may make. The smaller of Count and Share counts; 0 in either means none.
type Limits struct {
	Count int // 0 to 1000

	// Share is a fraction, 0 to 1, of the resources the run looked at; the product is rounded up.
	// Most decimal shares are not exact in binary (0.07 × 100 is a little over 7), so allow for that before rounding.
	Share float64
}

// EnforceOn lists the areas to which enforcement is narrowed. Outside them a control only monitors.
type EnforceOn struct{ Areas []Area }

// Area is a set of domains. At least one of its fields is set; a resource must fit each that is.
type Area struct {
	Domains  []string // globs on the domain name
	Accounts []string // ids of the accounts that own the domain, the ones in the resource's ARN
}

// Covers tells whether the domain of that owning account may be enforced on. A nil e covers everything, and
// an e without areas nothing. An area with domains does not cover an empty domain.
func (e *EnforceOn) Covers(account, domain string) bool {
	return e == nil || slices.ContainsFunc(e.Areas, func(a Area) bool {
		return (len(a.Domains) == 0 || domain != "" && matchAny(a.Domains, domain)) &&
			(len(a.Accounts) == 0 || slices.Contains(a.Accounts, account))
	})
}

// Location is where a rule stands.
type Location struct {
	Place        string // such as "external_connections.allow[0]"
	Line, Column int    // of the file, from 1
}

// Rules returns where the rules, waivers, guards and approvals of all sections stand, in the order of the file.
func (p *Policy) Rules() []Location {
	var list []Location
	if e := p.ExternalConnections; e != nil {
		for _, r := range e.Allow {
			list = append(list, Location{r.Place, r.Line, r.Column})
		}
		for _, w := range e.Waivers {
			list = append(list, Location{w.Place, w.Line, w.Column})
		}
	}
	if g := p.PackageGroups; g != nil {
		for _, k := range g.Keep {
			list = append(list, Location{k.Place, k.Line, k.Column})
		}
	}
	if o := p.PackageOrigins; o != nil {
		for _, g := range o.Guards {
			list = append(list, Location{g.Place, g.Line, g.Column})
		}
	}
	if c := p.ProtonConnections; c != nil {
		for _, a := range c.Approve {
			list = append(list, Location{a.Place, a.Line, a.Column})
		}
		for _, w := range c.Waivers {
			list = append(list, Location{w.Place, w.Line, w.Column})
		}
	}
	slices.SortFunc(list, func(a, b Location) int { return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column)) })
	return list
}

// Terms yields the terms of the waivers of all sections, each with where it stands.
func (p *Policy) Terms() iter.Seq2[Location, Term] {
	return func(yield func(Location, Term) bool) {
		if e := p.ExternalConnections; e != nil {
			for _, w := range e.Waivers {
				if !yield(Location{w.Place, w.Line, w.Column}, w.Term) {
					return
				}
			}
		}
		if c := p.ProtonConnections; c != nil {
			for _, w := range c.Waivers {
				if !yield(Location{w.Place, w.Line, w.Column}, w.Term) {
					return
				}
			}
		}
	}
}

// Load reads the policy file at path. What is wrong inside the file is returned as in Parse.
func Load(path string) (*Policy, error) {
	const next = "name a policy file that exists and can be read"
	f, err := os.Open(path) //nolint:gosec // the one who deploys the policy chooses its path
	if err != nil {
		return nil, fmt.Errorf("reading policy: %w; %s", err, next)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading policy: %w; %s", err, next)
	}
	return Parse(path, data)
}

// Parse reads a policy. name stands for the file in what is reported. If anything is wrong, the error is
// Problems, and there is no policy: half a policy would allow what the other half forbids.
func Parse(name string, data []byte) (*Policy, error) {
	r := &reader{file: name, holds: "policy"}
	p := &Policy{Hash: fmt.Sprintf("%x", sha256.Sum256(data))}
	if root := r.document(data); root != nil {
		r.plain(root)
		r.mapping(value{root, "", `version: 1, then "limits" and a section for each control`},
			field{"version", "version: 1", required, r.version},
			field{"limits", "limits: {count: 10, share: 10%}", required, func(v value) { p.Limits = r.limits(v) }},
			field{"enforce_on", `enforce_on: [{domains: ["dev-*"]}]`, optional, func(v value) { p.EnforceOn = r.enforceOn(v) }},
			field{"external_connections", "external_connections: {allow: []}", optional, func(v value) { p.ExternalConnections = r.externalConnections(v) }},
			field{"package_groups", "package_groups: {min_age: 14d, grace: 14d}", optional, func(v value) { p.PackageGroups = r.packageGroups(v) }},
			field{"package_origins", "package_origins: {guard: []}", optional, func(v value) { p.PackageOrigins = r.packageOrigins(v) }},
			field{"proton_connections", "proton_connections: {approve: [], rejected_after: 7d, pending_after: 30d}", optional, func(v value) { p.ProtonConnections = r.protonConnections(v) }},
		)
		if p.ExternalConnections == nil && p.PackageGroups == nil && p.PackageOrigins == nil && p.ProtonConnections == nil {
			r.warn(root, "no section for any control", `add external_connections, or nothing is judged`)
		}
	}
	if len(r.problems) > 0 {
		r.problems.sort()
		return nil, r.problems
	}
	r.warnings.sort()
	p.Warnings = r.warnings
	return p, nil
}

// matchAny tells whether one of the globs matches name. The globs were found valid when the file was read. Only a slash
// stands for a slash: [path.Match] keeps * and ? from crossing one, but not a class such as [^a].
func matchAny(globs []string, name string) bool {
	return slices.ContainsFunc(globs, func(glob string) bool {
		ok, err := path.Match(glob, name)
		return err == nil && ok && strings.Count(glob, "/") == strings.Count(name, "/")
	})
}

func (r *reader) version(v value) {
	if s, ok := r.scalar(v, "!!int"); ok && s != "1" {
		r.refuse(v.node, fmt.Sprintf("version %.20s is not known", s), "write version: 1")
	}
}

func (r *reader) limits(v value) (l Limits) {
	r.mapping(v,
		field{"count", "count: 10 (a whole number, 0 to 1000)", required, func(v value) { l.Count = r.count(v) }},
		field{"share", "share: 10% (0% to 100%)", required, func(v value) { l.Share = r.share(v) }},
	)
	return l
}

func (r *reader) enforceOn(v value) *EnforceOn {
	e := &EnforceOn{}
	read := r.list(v, func(v value) {
		var a Area
		ok := r.mapping(v,
			field{"domains", `domains: ["dev-*"]`, optional, func(v value) { a.Domains = r.names(v, r.domain) }},
			field{"accounts", accountsExample, optional, func(v value) { a.Accounts = r.names(v, r.account) }},
		)
		if ok && len(v.node.Content) == 0 {
			r.refuse(v.node, v.place+" has neither domains nor accounts", "write "+v.example)
		}
		e.Areas = append(e.Areas, a)
	})
	if read && len(e.Areas) == 0 {
		r.warn(v.node, "enforce_on is an empty list, so nothing is enforced anywhere", "remove it to enforce where the deployed mode says")
	}
	return e
}

func (r *reader) count(v value) int {
	s, ok := r.scalar(v, "!!int")
	n, err := strconv.Atoi(s)
	// YAML also reads 010 as 8 and 0x10 as 16; only what says the number as it is meant passes.
	if ok && (err != nil || strconv.Itoa(n) != s || n < 0 || n > 1000) {
		r.refuse(v.node, fmt.Sprintf("%s %.40s is not a whole number from 0 to 1000", v.place, s), "write "+v.example)
	}
	return n
}

func (r *reader) share(v value) float64 {
	s := r.text(v)
	digits, ok := strings.CutSuffix(s, "%")
	percent, err := strconv.ParseFloat(digits, 64)
	// ParseFloat alone would also take 1e1, 0x1p3 and NaN.
	if s != "" && (!ok || err != nil || strings.Trim(digits, "0123456789.") != "" || percent > 100) {
		r.refuse(v.node, fmt.Sprintf("%s %.40q is not a percentage from 0%% to 100%%", v.place, s), "write "+v.example)
	}
	return percent / 100
}

func (r *reader) domain(v value, pattern string) { r.glob(v, pattern) }

const accountsExample = `accounts: ["111122223333"] (in quotes)`

func isAccount(id string) bool { return len(id) == 12 && strings.Trim(id, "0123456789") == "" }

func (r *reader) account(v value, id string) {
	if !isAccount(id) {
		r.refuse(v.node, fmt.Sprintf("account id %+.40q is not 12 digits", id), "write "+v.example)
	}
}

// nameRunes are the characters of AWS names; connections add a colon.
const nameRunes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

// glob tells whether pattern is a glob on one name, and refuses it otherwise.
func (r *reader) glob(v value, pattern string) bool {
	_, err := path.Match(pattern, "")
	switch {
	case strings.Contains(pattern, "**"):
		r.refuse(v.node, fmt.Sprintf("** in pattern %.80q", pattern), "write one *, which matches within one name and never across a slash")
	case strings.Trim(pattern, nameRunes+`:*?[]^\`) != "":
		r.refuse(v.node, fmt.Sprintf("pattern %+.80q holds a character that no name has", pattern), `write letters, digits and ".", "_", "-", ":", with *, ? and [a-z] as wildcards`)
	case err != nil:
		r.refuse(v.node, fmt.Sprintf("bad pattern %.80q", pattern), "close the [, with at least one character in it, and do not end in a backslash")
	default:
		return true
	}
	return false
}

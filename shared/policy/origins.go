package policy

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/package-url/packageurl-go"
	"go.yaml.in/yaml/v3"
)

// PackageOrigins names packages, and says how strictly CodeArtifact's package groups must guard them.
type PackageOrigins struct{ Guards []Guard }

// Guard is what must hold for one package, whether or not it exists yet. Where several guards cover the same package
// in the same domain, all of them must hold.
type Guard struct {
	Place        string // where it stands, such as "package_origins.guard[0]"
	Line, Column int    // of the file, from 1

	Package  Package
	Domains  []string // globs on the domain name
	Accounts []string // ids of accounts that own the domain; none: any account

	// At least one of these is set.
	Group   string        // pattern of the package group that it must resolve to; "" is any
	Require []Requirement // at most one for each restriction

	Reason string
}

// Covers tells whether the guard speaks of that domain of that owning account.
func (g Guard) Covers(account, domain string) bool { return fits(g.misfits(account, domain)) }

// Concerns tells whether the guard speaks of domains of that account at all.
func (g Guard) Concerns(account string) bool {
	return len(g.Accounts) == 0 || slices.Contains(g.Accounts, account)
}

// Package is one package, as the policy writes it and as CodeArtifact calls it.
type Package struct {
	URL string // the package URL as it is written: it is what findings are reported under

	// Format, Namespace and Name are what CodeArtifact's API takes, in the normal form in which it stores them.
	// Namespace is empty where the package has none.
	Format, Namespace, Name string
}

// Requirement bounds one way in which versions of a package get into repositories.
type Requirement struct {
	Restriction string   // "PUBLISH", "EXTERNAL_UPSTREAM" or "INTERNAL_UPSTREAM", as the API names it
	Only        []string // the repositories that may be open to it; none: it must be blocked
}

func (r *reader) packageOrigins(v value) *PackageOrigins {
	o := &PackageOrigins{}
	r.mapping(v, field{"guard", "a list of guards, or guard: [] to guard nothing", required, func(v value) {
		r.list(v, func(v value) { o.Guards = append(o.Guards, r.guard(v)) })
	}})
	return o
}

func (r *reader) guard(v value) Guard {
	g := Guard{Place: v.place, Line: v.node.Line, Column: v.node.Column}
	asks := false
	require := func(restriction string) func(value) {
		return func(v value) {
			asks = true
			g.Require = append(g.Require, Requirement{restriction, r.only(v)})
		}
	}
	ok := r.mapping(v,
		field{"package", `package: "pkg:npm/%40acme/ui"`, required, func(v value) { g.Package = r.packageURL(v) }},
		field{"domains", `domains: ["corp"]`, required, func(v value) { g.Domains = r.names(v, r.domain) }},
		field{"accounts", accountsExample, optional, func(v value) { g.Accounts = r.names(v, r.account) }},
		field{"group", `group: "/npm/acme/*"`, optional, func(v value) { asks = true; g.Group = r.guardGroup(v) }},
		field{"publish", `publish: block, or publish: ["npm-internal"]`, optional, require("PUBLISH")},
		field{"external_upstream", `external_upstream: block, or external_upstream: ["npm-store"]`, optional, require("EXTERNAL_UPSTREAM")},
		field{"internal_upstream", `internal_upstream: block, or internal_upstream: ["npm-internal"]`, optional, require("INTERNAL_UPSTREAM")},
		field{"reason", `reason: "Why it is guarded."`, optional, func(v value) { g.Reason = r.text(v) }},
	)
	if ok && !asks {
		r.refuse(v.node, v.place+" asks for nothing", "add group, publish, external_upstream or internal_upstream")
	}
	return g
}

// only reads the repositories that may be open: a list of names, or "block" for none. What would be open to all is
// not written down, because there is nothing to hold it to.
func (r *reader) only(v value) []string {
	if v.node.Kind == yaml.SequenceNode {
		return r.names(v, r.repositoryName)
	}
	switch s := r.text(v); s {
	case "", "block":
	case "allow":
		r.refuse(v.node, v.place+" is allow, which asks for nothing", "remove it, or write "+v.example)
	default:
		r.refuse(v.node, fmt.Sprintf("%s is %.40q", v.place, s), "write "+v.example)
	}
	return nil
}

// repositoryName refuses what is not the whole name of a repository. The lists that CodeArtifact keeps hold names, so
// a pattern would have nothing to be compared with.
func (r *reader) repositoryName(v value, name string) {
	if len(name) < 2 || len(name) > 100 || strings.Trim(name, nameRunes) != "" || strings.ContainsAny(name[:1], "._-") {
		r.refuse(v.node, fmt.Sprintf("%.80q is not the name of a repository", name), "write each name out, without the domain, like "+v.example)
	}
}

// guardGroup reads the pattern of a package group, in one of the forms that CodeArtifact documents:
// https://docs.aws.amazon.com/codeartifact/latest/ug/package-group-definition-syntax-matching-behavior.html
func (r *reader) guardGroup(v value) string {
	s := r.text(v)
	switch {
	case s == "":
	case strings.HasPrefix(s, "/npm/@"):
		r.refuse(v.node, fmt.Sprintf("group %.80q can hold no package", s), "write the scope without @, like "+v.example)
	case !strings.HasPrefix(s, "/") || strings.TrimRight(s, "*~$") == s || strings.ContainsFunc(s, unicode.IsSpace):
		r.refuse(v.node, fmt.Sprintf("group %.80q is not the pattern of a package group", s), "begin with a slash and end in *, ~ or $, like "+v.example)
	}
	return s
}

// ecosystem is what CodeArtifact makes of one type of package URL.
type ecosystem struct {
	format    string
	namespace need
	example   string
	normal    func(string) string // of names and namespaces; nil: they are stored as they are
}

type need int

const (
	never need = iota
	perhaps
	always
)

// ecosystems are the types of package URLs (https://github.com/package-url/purl-spec) that have a format in
// CodeArtifact. Which formats have a namespace, and which names are normalised, is in
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_GetAssociatedPackageGroup.html.
func ecosystems() map[string]ecosystem {
	return map[string]ecosystem{
		packageurl.TypeNPM:     {"npm", perhaps, "pkg:npm/%40acme/ui", nil},
		packageurl.TypePyPi:    {"pypi", never, "pkg:pypi/acme-core", pep503},
		packageurl.TypeMaven:   {"maven", always, "pkg:maven/com.acme/billing", nil},
		packageurl.TypeNuget:   {"nuget", never, "pkg:nuget/acme.core", strings.ToLower},
		packageurl.TypeGeneric: {"generic", always, "pkg:generic/acme/tool", nil},
		packageurl.TypeSwift:   {"swift", always, "pkg:swift/acme/core", strings.ToLower},
		packageurl.TypeGem:     {"ruby", never, "pkg:gem/acme", nil},
		packageurl.TypeCargo:   {"cargo", never, "pkg:cargo/acme", nil},
	}
}

var separators = regexp.MustCompile("[-_.]+")

// pep503 is the normal form of Python names: https://peps.python.org/pep-0503/#normalized-names
func pep503(name string) string { return separators.ReplaceAllString(strings.ToLower(name), "-") }

// packageURL reads a package URL of a package, and of nothing more particular than that.
func (r *reader) packageURL(v value) Package {
	s := r.text(v)
	if s == "" {
		return Package{}
	}
	refuse := func(fix, format string, args ...any) Package {
		r.refuse(v.node, fmt.Sprintf("package %.80q ", s)+fmt.Sprintf(format, args...), fix)
		return Package{}
	}
	url, err := packageurl.FromString(s)
	if err != nil {
		return refuse("write one like "+v.example, "is not a package URL: %.120s", err)
	}
	known := ecosystems()
	system, ok := known[url.Type]
	if !ok {
		return refuse(instead(url.Type, slices.Sorted(maps.Keys(known))), "is of type %.40q, which CodeArtifact has no format for", url.Type)
	}

	namespace, name := url.Namespace, url.Name
	if url.Type == packageurl.TypeNPM && namespace != "" {
		// A package URL keeps the @ of an npm scope, and CodeArtifact leaves it out.
		if namespace, ok = strings.CutPrefix(namespace, "@"); !ok || namespace == "" {
			return refuse("write one like "+system.example, "has the scope %.80q, which is not an @ and a name", url.Namespace)
		}
	}
	switch {
	case url.Version != "" || strings.ContainsAny(s, "?#") || strings.HasSuffix(s, "@"):
		bare := packageurl.NewPackageURL(url.Type, url.Namespace, url.Name, "", nil, "")
		return refuse(fmt.Sprintf("write %q", bare), "names more than a package: a version, qualifiers or a subpath")
	case namespace == "" && system.namespace == always:
		return refuse("write one like "+system.example, "has no namespace, without which CodeArtifact has no %s package", system.format)
	case namespace != "" && system.namespace == never:
		return refuse("write one like "+system.example, "has the namespace %.80q, but %s packages have none in CodeArtifact", namespace, system.format)
	case strings.Contains(name+namespace, "*"):
		return refuse("write one package of those that are meant; it need not exist", "is a pattern, but a guard is about one package")
	case !coordinate(name) || namespace != "" && !coordinate(namespace):
		return refuse("write namespace and name as CodeArtifact shows them, each in one piece", "has a namespace or a name that CodeArtifact cannot have")
	}
	if system.normal != nil {
		namespace, name = system.normal(namespace), system.normal(name)
	}
	return Package{URL: s, Format: system.format, Namespace: namespace, Name: name}
}

// ParsePackage reads the URL of one package, as a guard has it. The error says what to write instead.
func ParsePackage(url string) (Package, error) {
	r := &reader{}
	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: url, Line: 1, Column: 1}
	p := r.packageURL(value{node, "package", `"pkg:npm/%40acme/ui"`})
	if len(r.problems) > 0 {
		return Package{}, fmt.Errorf("%s; %s", r.problems[0].What, r.problems[0].Fix)
	}
	return p, nil
}

// Same tells whether both are one package for CodeArtifact, however they are written.
func (p Package) Same(other Package) bool {
	return p.Format == other.Format && p.Namespace == other.Namespace && p.Name == other.Name
}

// coordinate tells whether s can be a name or a namespace: 1 to 255 characters, none of them #, / or a space.
func coordinate(s string) bool {
	return s != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= 255 &&
		!strings.ContainsFunc(s, func(c rune) bool { return c == '#' || c == '/' || unicode.IsSpace(c) || invisible(c) })
}

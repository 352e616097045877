package externalconn

import "slices"

// Downstream knows which repositories draw packages from which, as far as it was
// read. The API tells only the upstreams of a repository, so it is built from the
// descriptions of all the others.
type Downstream struct {
	of      map[Name][]Name // repository → the repositories that have it as an upstream
	partial map[Name]bool   // domains, with an empty Repo, that were not read to the end
}

func newDownstream() *Downstream {
	return &Downstream{of: map[Name][]Name{}, partial: map[Name]bool{}}
}

// add notes the upstreams of a repository. Upstreams are always of the same domain.
func (d *Downstream) add(name Name, upstreams []string) {
	if d == nil {
		return
	}
	for _, u := range upstreams {
		up := Name{Owner: name.Owner, Domain: name.Domain, Repo: u}
		d.of[up] = append(d.of[up], name)
	}
}

func (d *Downstream) incomplete(owner, domain string) {
	if d != nil {
		d.partial[Name{Owner: owner, Domain: domain}] = true
	}
}

// losing returns the repositories that get a registry's packages through the
// named one and are not among those kept, which get them another way, sorted; and
// whether that is known to be right. It may name too many: CodeArtifact searches
// at most 25 repositories for a package, and those beyond never reached the
// registry.
func (d *Downstream) losing(name Name, kept map[Name]bool) (repos []string, all bool) {
	for n := range d.reached(name) {
		if n != name && !kept[n] {
			repos = append(repos, n.String())
		}
	}
	slices.Sort(repos)
	return repos, !d.partial[Name{Owner: name.Owner, Domain: name.Domain}]
}

// reached returns the repositories that draw from any of the given ones, directly
// or over others, and the given ones themselves.
func (d *Downstream) reached(from ...Name) map[Name]bool {
	seen := map[Name]bool{}
	if d == nil {
		return seen
	}
	for queue := from; len(queue) > 0; queue = queue[1:] {
		if n := queue[0]; !seen[n] {
			seen[n] = true
			queue = append(queue, d.of[n]...)
		}
	}
	return seen
}

// without returns the names but one.
func without(names []Name, one Name) []Name {
	return slices.DeleteFunc(slices.Clone(names), func(n Name) bool { return n == one })
}

package externalconn

import (
	"cmp"
	"slices"
	"strings"
)

// Downstream knows which repositories draw packages from which, as far as it was
// read, and of those only what draws from a repository with an external
// connection. The API tells only the upstreams of a repository, so it is built
// from the descriptions of all the others.
type Downstream struct {
	of      map[Name]*graph // by domain, with an empty Repo
	partial map[Name]bool   // domains, with an empty Repo, that were not read to the end
}

func newDownstream() *Downstream {
	return &Downstream{of: map[Name]*graph{}, partial: map[Name]bool{}}
}

func (d *Downstream) incomplete(owner, domain string) {
	if d != nil {
		d.partial[Name{Owner: owner, Domain: domain}] = true
	}
}

// losing returns the repositories that get a registry's packages through the
// named one and are not among those kept, which get them another way: the first of
// them, sorted, and how many there are; and whether that is known to be right. It
// may find too many: CodeArtifact searches at most 25 repositories for a package,
// and those beyond never reached the registry.
func (d *Downstream) losing(name Name, kept set, most int) (first []string, count int, all bool) {
	all = !d.partial[name.domain()]
	g := d.of[name.domain()]
	if g == nil {
		return nil, 0, all
	}
	var ids []uint32
	for id, reached := range g.reached(name.Repo) {
		if reached && (kept == nil || !kept[id]) && g.name(uint32(id)) != name.Repo { //nolint:gosec // G115: ids begin as uint32
			ids = append(ids, uint32(id)) //nolint:gosec // G115
		}
	}
	slices.SortFunc(ids, func(a, b uint32) int { return strings.Compare(g.name(a), g.name(b)) })
	for _, id := range ids[:min(most, len(ids))] {
		first = append(first, Name{name.Owner, name.Domain, g.name(id)}.String())
	}
	return first, len(ids), all
}

// reached returns the repositories of a domain that draw from any of the given
// ones, directly or over others, and the given ones themselves; nil where nothing
// is known.
func (d *Downstream) reached(domain Name, repos ...string) set {
	if d == nil || d.of[domain] == nil {
		return nil
	}
	return d.of[domain].reached(repos...)
}

// set says of each repository of a graph, by its number, whether it is in it.
type set []bool

// graph holds, for one domain, the repositories that draw from others. It is made
// to be small: there is one for each domain of an account, until the end of a run.
type graph struct {
	roots map[string]uint32 // the numbers of the repositories that it was made for
	names string            // of all, one after the other
	ends  []uint32          // by number: where the name ends
	first []uint32          // by number, and one more: where in draws its own begin
	draws []uint32          // the numbers of the repositories that draw from each
}

func (g *graph) name(id uint32) string {
	if id == 0 {
		return g.names[:g.ends[0]]
	}
	return g.names[g.ends[id-1]:g.ends[id]]
}

func (g *graph) reached(repos ...string) set {
	seen := make(set, len(g.ends))
	var queue []uint32
	visit := func(id uint32) {
		if !seen[id] {
			seen[id] = true
			queue = append(queue, id)
		}
	}
	for _, r := range repos {
		if id, known := g.roots[r]; known {
			visit(id)
		}
	}
	for ; len(queue) > 0; queue = queue[1:] {
		for _, id := range g.draws[g.first[queue[0]]:g.first[queue[0]+1]] {
			visit(id)
		}
	}
	return seen
}

// edges are the upstreams of the repositories of one domain while they are read.
// Every name is kept once, and everything else is numbers.
type edges struct {
	ids   map[string]uint32
	names []string // by number
	list  []edge
}

type edge struct{ from, to uint32 } // packages go from the upstream to the one that draws

func newEdges() *edges { return &edges{ids: map[string]uint32{}} }

// number returns the number of a repository, and whether it is a new one.
func (e *edges) number(repo string) (id uint32, fresh bool) {
	if id, known := e.ids[repo]; known {
		return id, false
	}
	id = uint32(len(e.names)) //nolint:gosec // G115: a list has at most a thousand pages of a thousand entries
	e.ids[repo] = id
	e.names = append(e.names, repo)
	return id, true
}

// add notes the upstreams of a repository. Upstreams are always of the same domain.
func (e *edges) add(repo string, upstreams []string) {
	for _, u := range upstreams {
		from, _ := e.number(u)
		to, _ := e.number(repo)
		e.list = append(e.list, edge{from, to})
	}
}

// graph returns what draws from the given repositories, directly or over others.
// Nothing else of a domain is ever asked for.
func (e *edges) graph(roots []string) *graph {
	for _, r := range roots {
		e.number(r) // nothing may draw from it
	}
	slices.SortFunc(e.list, func(a, b edge) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	e.list = slices.Compact(e.list)
	first := make([]int, len(e.names)+1) // by old number: where in the list its edges begin
	for i, at := 0, 0; i <= len(e.names); i++ {
		for at < len(e.list) && int(e.list[at].from) < i {
			at++
		}
		first[i] = at
	}

	g := &graph{roots: map[string]uint32{}}
	renumbered := make([]uint32, len(e.names)) // by old number: the new one, and one more
	var kept []uint32                          // by new number: the old one
	visit := func(old uint32) uint32 {
		if renumbered[old] == 0 {
			kept = append(kept, old)
			renumbered[old] = uint32(len(kept)) //nolint:gosec // G115
		}
		return renumbered[old] - 1
	}
	for _, r := range roots {
		g.roots[strings.Clone(r)] = visit(e.ids[r])
	}
	var names strings.Builder
	for i := 0; i < len(kept); i++ {
		names.WriteString(e.names[kept[i]])
		g.ends = append(g.ends, uint32(names.Len()))    //nolint:gosec // G115
		g.first = append(g.first, uint32(len(g.draws))) //nolint:gosec // G115
		for _, d := range e.list[first[kept[i]]:first[kept[i]+1]] {
			g.draws = append(g.draws, visit(d.to))
		}
	}
	g.first = append(g.first, uint32(len(g.draws))) //nolint:gosec // G115
	g.names, g.ends, g.first, g.draws = strings.Clone(names.String()), slices.Clip(g.ends), slices.Clip(g.first), slices.Clip(g.draws)
	return g
}

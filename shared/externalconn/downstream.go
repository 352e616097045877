package externalconn

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"iter"
	"slices"
	"sort"
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
	for i, reached := range g.reached(name.Repo) {
		id := uint32(i) //nolint:gosec // G115: see names
		if reached && (kept == nil || !kept[id]) && string(g.name(id)) != name.Repo {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b uint32) int { return bytes.Compare(g.name(a), g.name(b)) })
	for _, id := range ids[:min(most, len(ids))] {
		first = append(first, Name{name.Owner, name.Domain, string(g.name(id))}.String())
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
	roots   map[string]uint32 // the numbers of the repositories that it was made for
	begin   []uint32          // by number: where its record begins
	records []byte            // for each: the length of the name and the name, and how many draw from it and which, each as the distance from the one before
}

// name returns the name of a repository.
func (g *graph) name(id uint32) []byte {
	name, _ := g.record(id)
	return name
}

// record returns a record's two parts.
func (g *graph) record(id uint32) (name, draws []byte) {
	record := g.records[g.begin[id]:]
	length, n := binary.Uvarint(record)
	record = record[n:]
	return record[:length], record[length:]
}

// all yields each upstream with each repository that draws from it.
func (g *graph) all() iter.Seq2[string, string] {
	return func(yield func(upstream, repo string) bool) {
		for id := range g.begin {
			for to := range g.draws(uint32(id)) { //nolint:gosec // G115: see names
				if !yield(string(g.name(uint32(id))), string(g.name(to))) { //nolint:gosec // G115: see names
					return
				}
			}
		}
	}
}

// draws yields those that draw from a repository.
func (g *graph) draws(of uint32) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		_, draws := g.record(of)
		count, n := binary.Uvarint(draws)
		for id := int64(of); count > 0; count-- {
			draws = draws[n:]
			var distance int64
			distance, n = binary.Varint(draws)
			id += distance
			if !yield(uint32(id)) { //nolint:gosec // G115: see names
				return
			}
		}
	}
}

// reached returns the repositories that draw from any of the given ones, directly
// or over others, and the given ones themselves. It knows roots only.
func (g *graph) reached(roots ...string) set {
	seen := make(set, len(g.begin))
	var queue []uint32
	visit := func(id uint32) {
		if !seen[id] {
			seen[id] = true
			queue = append(queue, id)
		}
	}
	for _, r := range roots {
		if id, known := g.roots[r]; known {
			visit(id)
		}
	}
	for ; len(queue) > 0; queue = queue[1:] {
		for id := range g.draws(queue[0]) {
			visit(id)
		}
	}
	return seen
}

// names numbers repositories of one domain in the order in which they came. It
// takes half of what a map and a slice would, and there is one for each domain
// that is being read.
type names struct {
	text  []byte   // one after the other
	ends  []uint32 // by number: where the name ends
	slots []uint32 // a hash table of numbers, each one higher than it is; zero is free
}

// seed makes the numbers' places in the tables unforeseeable to who chooses names.
var seed = maphash.MakeSeed() //nolint:gochecknoglobals // one for the process; it is never changed

func (n *names) len() int { return len(n.ends) }

func (n *names) at(id uint32) []byte {
	if id == 0 {
		return n.text[:n.ends[0]]
	}
	return n.text[n.ends[id-1]:n.ends[id]]
}

// number returns the number of a repository, which is a new one if it has none.
func (n *names) number(repo string) uint32 {
	if 4*n.len() >= 3*len(n.slots) {
		n.slots = make([]uint32, max(16, 2*len(n.slots)))
		for id := range n.ends {
			n.slots[n.slot(string(n.at(uint32(id))))] = uint32(id) + 1 //nolint:gosec // G115: see below
		}
	}
	slot := n.slot(repo)
	if n.slots[slot] == 0 {
		n.text = append(n.text, repo...)
		// A list has at most a thousand pages of a thousand entries of a hundred bytes.
		n.ends = append(n.ends, uint32(len(n.text))) //nolint:gosec // G115
		n.slots[slot] = uint32(n.len())              //nolint:gosec // G115
	}
	return n.slots[slot] - 1
}

// slot finds where the number of a repository is, or belongs.
func (n *names) slot(repo string) int {
	mask := uint64(len(n.slots)) - 1
	at := maphash.String(seed, repo) & mask
	for n.slots[at] != 0 && string(n.at(n.slots[at]-1)) != repo {
		at = (at + 1) & mask
	}
	return int(at) //nolint:gosec // G115: within the table
}

// edges are the upstreams of the repositories of one domain while they are read.
type edges struct {
	names
	list []edge
}

// edge is the way of the packages, from an upstream to the one that draws from it.
type edge struct{ from, to uint32 }

// add notes the upstreams of a repository. Upstreams are always of the same domain.
func (e *edges) add(repo string, upstreams []string) {
	for _, u := range upstreams {
		e.list = append(e.list, edge{e.number(u), e.number(repo)})
	}
}

// graph returns what draws from the given repositories, directly or over others.
// Nothing else of a domain is ever asked for.
func (e *edges) graph(roots []string) *graph {
	for _, r := range roots {
		e.number(r) // nothing may draw from it
	}
	slices.SortFunc(e.list, func(a, b edge) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	of := func(from uint32) []edge {
		begin := sort.Search(len(e.list), func(i int) bool { return e.list[i].from >= from })
		end := begin
		for end < len(e.list) && e.list[end].from == from {
			end++
		}
		return e.list[begin:end]
	}

	numbers := make([]uint32, e.len()) // by number here: the one in the graph, one higher than it is
	var kept []uint32                  // by number in the graph: the one here
	visit := func(id uint32) {
		if numbers[id] == 0 {
			kept = append(kept, id)
			numbers[id] = uint32(len(kept)) //nolint:gosec // G115: see names
		}
	}
	g := &graph{
		roots: make(map[string]uint32, len(roots)),
		// Room for the whole domain, so that it need not grow: most distances take a byte or two.
		begin: make([]uint32, 0, e.len()), records: make([]byte, 0, len(e.text)+2*e.len()+2*len(e.list)),
	}
	for _, r := range roots {
		visit(e.number(r))
		g.roots[r] = numbers[e.number(r)] - 1
	}
	for i := 0; i < len(kept); i++ { // it grows
		g.begin = append(g.begin, uint32(len(g.records))) //nolint:gosec // G115: see names
		name, draws := e.at(kept[i]), of(kept[i])
		g.records = append(binary.AppendUvarint(g.records, uint64(len(name))), name...)
		g.records = binary.AppendUvarint(g.records, uint64(len(draws)))
		before := int64(i)
		for _, d := range draws {
			visit(d.to)
			to := int64(numbers[d.to]) - 1
			g.records = binary.AppendVarint(g.records, to-before)
			before = to
		}
	}
	g.begin, g.records = exactly(g.begin), exactly(g.records)
	return g
}

// exactly returns a copy that has no room to grow.
func exactly[T any](s []T) []T {
	return append(make([]T, 0, len(s)), s...)
}

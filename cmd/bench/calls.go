package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// pageSize is how many entries CodeArtifact gives in one answer at most.
const pageSize = 1000

// pages is how many answers a list takes. One is needed to see that a list is
// empty.
func pages(n int) int { return max(1, (n+pageSize-1)/pageSize) }

// repositoryCalls counts what a sweep of external-connections asks for: the list of
// the domains, the list of each domain, the list of what the account administers,
// and each repository once.
func repositoryCalls(b *bench) ([]line, error) {
	var lines []line
	for _, shape := range [][]int{
		{0}, {1}, {999}, {1000}, {1001}, {1000, 1000, 1000}, {2500, 0, 1, 1500}, slices.Repeat([]int{1}, b.size(1001, 11)),
	} {
		want := map[string]int{"ListDomains": pages(len(shape)), "ListRepositoriesInDomain": 0, "DescribeRepository": 0, "PutEvents": 1}
		for _, size := range shape {
			want["ListRepositoriesInDomain"] += pages(size)
			want["DescribeRepository"] += size
		}
		want["ListRepositories"] = pages(want["DescribeRepository"])
		if want["DescribeRepository"] == 0 {
			delete(want, "DescribeRepository")
		}
		l, err := b.count("calls for repositories in domains of "+shapeOf(shape), connections, want, func(s *stage) int {
			for i, size := range shape {
				s.fill(home, fmt.Sprintf("domain-%04d", i), size, false)
			}
			return want["DescribeRepository"]
		})
		if err != nil {
			return nil, err
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// groupCalls counts what a sweep of package-groups asks for: the list of the
// domains, the list of each domain's groups, which tells all that is needed to keep
// most of them, and for each of the others, the candidates, its tags and its
// packages. Where there are candidates in a domain, the packages that the policy
// names are resolved there first; the policy of this benchmark names one, in a
// domain called corp.
func groupCalls(b *bench) ([]line, error) {
	var lines []line
	for _, shape := range []struct{ groups, candidates int }{
		{1, 0}, {1000, 0}, {1001, 10}, {b.size(5000, 1500), 10}, {b.size(5000, 1500), 200},
	} {
		want := map[string]int{
			"ListDomains": 1, "ListPackageGroups": pages(shape.groups), "PutEvents": 1 + (2*shape.candidates+9)/10, // a finding and an outcome each
			"ListTagsForResource": shape.candidates, "ListAssociatedPackages": shape.candidates,
			"GetAssociatedPackageGroup": min(1, shape.candidates),
		}
		maps.DeleteFunc(want, func(_ string, n int) bool { return n == 0 })
		l, err := b.count(fmt.Sprintf("calls for %d package groups, %d of them candidates", shape.groups, shape.candidates), groups, want, func(s *stage) int {
			corp := s.artifacts.AddDomain(home, region, "corp") // with the group /*
			for i := range shape.candidates {
				corp.PackageGroup(fmt.Sprintf("/npm/dead-%05d", i)).Add()
			}
			s.world.Advance(30 * 24 * time.Hour)
			for i := range shape.groups - shape.candidates - 1 {
				corp.PackageGroup(fmt.Sprintf("/npm/young-%05d", i)).Add()
			}
			return shape.groups
		})
		if err != nil {
			return nil, err
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// count has a control sweep what fill makes, and holds the calls against those that
// are needed. Beside them stands what was reported, ten events in a call.
func (b *bench) count(name, function string, want map[string]int, fill func(*stage) int) (line, error) {
	s, err := b.newStage()
	if err != nil {
		return line{}, err
	}
	defer s.world.Close()
	looked := fill(s)
	f, err := s.deploy(function, "monitor", 1)
	if err != nil {
		return line{}, err
	}
	if _, err := s.sweepAll(f, looked); err != nil {
		return line{}, err
	}
	got, calls, wanted := map[string]int{}, 0, 0
	for _, operation := range s.operations(0) {
		got[operation]++
		calls++
	}
	for _, n := range want {
		wanted += n
	}
	l := exactly(name, calls-got["PutEvents"], wanted-want["PutEvents"], tally(got))
	l.short = l.short || !maps.Equal(got, want)
	return l, nil
}

func tally(counts map[string]int) string {
	var list []string
	for _, operation := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, fmt.Sprintf("%d %s", counts[operation], operation))
	}
	return strings.Join(list, ", ")
}

func shapeOf(sizes []int) string {
	if len(sizes) > 10 {
		return fmt.Sprintf("1, %d times", len(sizes))
	}
	return strings.Trim(fmt.Sprint(sizes), "[]")
}

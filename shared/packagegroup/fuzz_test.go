package packagegroup

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// FuzzMark: whatever a tag says, a group is ripe only if the tag is what String
// writes, for this creation of the group, and its time lies from grace to grace and
// seven days back.
func FuzzMark(f *testing.F) {
	for _, age := range []time.Duration{-time.Second, 0, 47 * time.Hour, 48 * time.Hour, 9 * 24 * time.Hour, 10 * 24 * time.Hour, 1 << 62} {
		f.Add(Mark{Since: noon.Add(-age), Created: longAgo}.String(), longAgo.UnixMilli(), int64(48*time.Hour))
	}
	f.Add("2026-11-20T12:00:00Z/-1", int64(-1), int64(1))
	f.Add("0001-01-01T00:00:00Z/0", int64(0), int64(1))
	f.Add("9999-12-31T23:59:59Z/9223372036854775807", int64(1), int64(1))
	f.Add("2026-11-18T12:00:00+00:00/1", int64(1), int64(1))
	f.Fuzz(func(t *testing.T, value string, created, grace int64) {
		if grace < 0 || grace > int64(10_000*24*time.Hour) { // what the policy admits
			return
		}
		made := time.UnixMilli(created).UTC()
		if s, _ := judgeMark(value, false, made, noon, time.Duration(grace)); s != unmarked {
			t.Errorf("a group without a mark is %s", s)
		}
		s, why := judgeMark(value, true, made, noon, time.Duration(grace))
		if (why != "") != (s == void) {
			t.Errorf("%q is %s: %q", value, s, why)
		}
		m, err := ParseMark(value)
		if err != nil {
			if m != (Mark{}) || s != void {
				t.Errorf("%q is %s, and read as %v", value, s, m)
			}
			return
		}
		if m.String() != value {
			t.Errorf("%q was read as %s", value, m)
		}
		age := noon.Sub(m.Since)
		good := m.Created.UnixMilli() == created && age >= time.Duration(grace) && age <= time.Duration(grace)+7*24*time.Hour
		if good != (s == ripe) {
			t.Errorf("%q is %s after %s, with a grace of %s", value, s, age, time.Duration(grace))
		}
	})
}

// FuzzParseARN: what is read as the ARN of a group names a domain and a pattern, and
// the ARN that AWS makes of these is read as the same again.
func FuzzParseARN(f *testing.F) {
	for _, arn := range []string{
		"arn:aws:codeartifact:eu-west-1:111122223333:package-group/corp/%2a",
		"arn:aws:codeartifact:eu-west-1:111122223333:package-group/corp/nuget//alpha%24",
		"arn:aws:codeartifact:eu-west-1:111122223333:package-group/corp/generic/a+b/50%25",
		"arn:aws:codeartifact:eu-west-1:1:package-group/corp/%zz", "arn:aws:codeartifact:eu-west-1:1:package-group//x", "a:b:codeartifact:::package-group/a/%00",
	} {
		f.Add(arn)
	}
	encode := strings.NewReplacer("%", "%25", "*", "%2a", "$", "%24")
	f.Fuzz(func(t *testing.T, arn string) {
		d, pattern, err := ParseARN(arn)
		if err != nil {
			if d != (Domain{}) || pattern != "" {
				t.Errorf("%q: %v %q beside error %v", arn, d, pattern, err)
			}
			return
		}
		if d.Name == "" || strings.Contains(d.Name, "/") || len(pattern) < 2 || pattern[0] != '/' || strings.Contains(d.Owner, ":") {
			t.Errorf("%q is %v %q", arn, d, pattern)
		}
		again, same, err := ParseARN("arn:aws:codeartifact:eu-west-1:" + d.Owner + ":package-group/" + d.Name + encode.Replace(pattern))
		if err != nil || again != d || same != pattern {
			t.Errorf("%q is %v %q, then %v %q (%v)", arn, d, pattern, again, same, err)
		}
	})
}

// FuzzPattern: whatever a pattern is, levelling does not lose the look-alikes that
// CodeArtifact documents, and what cannot be told is taken for one. The groups of
// other formats do not become look-alikes by what a pattern leaves out.
// https://docs.aws.amazon.com/codeartifact/latest/ug/package-group-definition-syntax-matching-behavior.html
func FuzzPattern(f *testing.F) {
	for _, pattern := range []string{"/*", "/npm/*", "/npm/acme/*", "/npm/acme/ui$", "/maven/com.acme~", "/pypi//Acme_Core$", "/nuget//a.-_b*", "/npm/0O1lI|rnm", "/npm/é", "\xff", ""} {
		f.Add(pattern, uint64(1))
	}
	f.Fuzz(func(t *testing.T, pattern string, seed uint64) {
		if !lookOf(pattern).resembles(lookOf(pattern)) {
			t.Errorf("%q does not resemble itself", pattern)
		}
		if other := vary(pattern, rand.New(rand.NewPCG(seed, 0))); !lookOf(pattern).resembles(lookOf(other)) || !lookOf(other).resembles(lookOf(pattern)) {
			t.Errorf("%q does not resemble %q", pattern, other)
		}
		if folded, exact := fold(pattern); exact {
			if again, _ := fold(folded); again != folded && !strings.HasPrefix(folded, again) {
				t.Errorf("%q becomes %q, then %q", pattern, folded, again)
			}
		}
		namespace, name := parts(pattern)
		if strings.Contains(namespace, "/") || strings.HasSuffix(name, "*") {
			t.Errorf("%q has namespace %q and name %q", pattern, namespace, name)
		}
	})
}

// vary writes a pattern as somebody may who wants it to be taken for the other.
func vary(pattern string, r *rand.Rand) string {
	bare := strings.TrimRight(pattern, "*~$")
	var b strings.Builder
	separated := false
	for _, c := range bare {
		if strings.ContainsRune("-._", c) {
			if !separated {
				b.WriteString([]string{"-", ".", "_", "--", "._-"}[r.IntN(5)])
			}
			separated = true
			continue
		}
		separated = false
		like := map[rune]string{'o': "0O", '0': "oO", 'l': "1iI|", '1': "lI", 'i': "l1", 'I': "l1"}[c]
		switch {
		case like != "" && r.IntN(2) == 0:
			b.WriteByte(like[r.IntN(len(like))])
		case r.IntN(2) == 0:
			b.WriteString(strings.ToUpper(string(c)))
		default:
			b.WriteRune(c)
		}
	}
	return b.String() + pattern[len(bare):]
}

// FuzzTree: a saved tree that is read holds together, so that the decisions, which
// walk along its parents, find each of them and come to an end.
func FuzzTree(f *testing.F) {
	for _, tree := range []string{
		`{"domain":{"owner":"111122223333","name":"corp"},"groups":{"/*":{"pattern":"/*"},"/npm/*":{"pattern":"/npm/*","parent":"/*"}}}`,
		`{"groups":{"/*":{"pattern":"/*"},"a":{"pattern":"a","parent":"b"},"b":{"pattern":"b","parent":"a"}}}`,
		`{"groups":{"/*":{"pattern":"/*","parent":"/*"}}}`, `{"groups":{}}`, `null`, `{"groups":{"/*":{"pattern":"/*"},"":{"pattern":"","parent":"/*"}}}`,
	} {
		f.Add([]byte(tree))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var tree Tree
		if err := json.Unmarshal(data, &tree); err != nil {
			return
		}
		if string(data) == "null" {
			return // which is read as nothing at all; a saved domain is never that
		}
		children := 0
		for pattern, g := range tree.Groups {
			if _, there := tree.Groups[g.Parent]; g.Pattern != pattern || pattern != Root && !there {
				t.Errorf("group %q has pattern %q and parent %q", pattern, g.Pattern, g.Parent)
			}
			if pattern != Root && !slices.Contains(tree.Children[g.Parent], pattern) {
				t.Errorf("%q is no child of %q", pattern, g.Parent)
			}
			tree.ancestor("nowhere", pattern) // ends
			children += len(tree.Children[pattern])
		}
		if _, there := tree.Groups[Root]; !there || children != len(tree.Groups)-1 {
			t.Errorf("%d groups are children, of %d", children, len(tree.Groups))
		}
	})
}

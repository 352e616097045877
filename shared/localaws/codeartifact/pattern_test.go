package codeartifact

import (
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"
)

func TestAPatternThatAWSTakes(t *testing.T) {
	for _, text := range []string{
		"/*", "/npm/*", "/cargo/*", "/maven/com.anycompany~", "/npm/space/*", "/npm/space/anycompany-ui~",
		"/maven/org.apache.logging.log4j/log4j-core$", "/npm//react$", "/npm//*", "/pypi//requests~",
		"/npm//acme-*", "/npm/acme_*", "/maven/com.*", // after any character that is not of a word
		"/npm/@acme/*",                        // never holds anything, as a scope has no @
		"/nuget//Newtonsoft.Json$",            // not normalized
		"/generic/a/b~c~", "/generic/100%/$$", // what has a meaning at the end has none elsewhere
		"/npm/stra\u00dfe~", "/npm/cafe\u0301~", "/npm/v2~", "/npm/-\u0301*", // letters, marks and numbers are of a word
	} {
		p, err := parsePattern(text)
		if err != nil || p.String() != text {
			t.Errorf("%s: got %s, %v", text, p, err)
		}
	}
}

func TestAPatternThatAWSRefuses(t *testing.T) {
	for text, why := range map[string]string{
		"":                       "does not end in $, ~ or *",
		"/":                      "does not end in $, ~ or *",
		"/npm/space/name":        "does not end in $, ~ or *",
		"*":                      "is not /*, /FORMAT/NAMESPACE or /FORMAT/NAMESPACE/NAME",
		"npm/space/*":            "is not /*, /FORMAT/NAMESPACE or /FORMAT/NAMESPACE/NAME",
		"/npm*":                  "is not /*, /FORMAT/NAMESPACE or /FORMAT/NAMESPACE/NAME",
		"/npm~":                  "is not /*, /FORMAT/NAMESPACE or /FORMAT/NAMESPACE/NAME",
		"/npm/space/name/*":      "is not /*, /FORMAT/NAMESPACE or /FORMAT/NAMESPACE/NAME",
		"/python//requests$":     `has no package format "python"`,
		"/NPM/*":                 `has no package format "NPM"`,
		"//*":                    `has no package format ""`,
		"/pypi/space/*":          "has a namespace, which pypi packages do not have",
		"/nuget/space~":          "has a namespace, which nuget packages do not have",
		"/cargo/space/name$":     "has a namespace, which cargo packages do not have",
		"/maven//name$":          "has no namespace, which maven packages have",
		"/swift//*":              "has no namespace, which swift packages have",
		"/npm/a#b/*":             "has a #, which no package has",
		"/npm/space$":            "ends in $ but has no name",
		"/npm/space/$":           "ends in $ but has no name",
		"/npm/~":                 "has ~ after what is not a word",
		"/npm/space/acme-~":      "has ~ after what is not a word",
		"/npm/space/-\u0301~":    "has ~ after what is not a word", // a mark makes no word
		"/npm/space*":            "has * after a word",
		"/npm/space/cafe\u0301*": "has * after a word",
	} {
		p, err := parsePattern(text)
		if want := "package group " + `"` + text + `" ` + why; err == nil || err.Error() != want {
			t.Errorf("%s: got %v", text, err)
		}
		if p.holds(text) || p.String() != text {
			t.Errorf("%s is %s, and holds something", text, p)
		}
	}
}

func TestVariations(t *testing.T) {
	for _, test := range []struct{ name, a, b string }{
		{"case", "/npm//Foo", "/npm//fOO"},
		{"case outside ASCII", "/npm//\u00c9T\u00c9", "/npm//\u00e9t\u00e9"},
		{"three cases of one letter", "/npm//\u212aelvin", "/npm//kelvin"},
		{"separators", "/npm/a-b/c_._d", "/npm/a.b/c-d"},
		{"separators at the end", "/npm//acme-", "/npm//acme__"},
		{"a letter of another alphabet", "/npm//\u0440\u0430\u0443", "/npm//pay"},
		{"all letters of other alphabets", "\u03b1\u0430\u03f2\u0441\u0501\u0435\u0581\u04bb\u0570\u03b9\u0456\u03f3\u0458\u0578" +
			"\u03bf\u03c3\u043e\u0585\u03c1\u0440\u051b\u0566\u0433\u0455\u03c5\u057d\u03bd\u0475\u051d\u0461\u0445\u03b3\u0443",
			"aaccdeghhiijjnooooppqqrsuuvvwwxyy"},
		{"a capital letter of another alphabet", "/npm//\u0420\u0410\u0423", "/npm//pay"},
	} {
		if a, b := variation(test.a), variation(test.b); a != b {
			t.Errorf("%s: %s is %s and %s is %s", test.name, test.a, a, test.b, b)
		}
	}
	for _, test := range []struct{ name, a, b string }{
		{"a missing separator", "/npm//foo-bar", "/npm//foobar"},
		{"another place of a slash", "/npm/a/b-c", "/npm/a-b/c"},
		{"digits are no letters", "/npm//l0g", "/npm//log"},
		{"an accent", "/npm//caf\u00e9", "/npm//cafe"},
	} {
		if variation(test.a) == variation(test.b) {
			t.Errorf("%s: %s and %s are variations", test.name, test.a, test.b)
		}
	}
}

func TestLettersThatUnicodeFoldsAreVariations(t *testing.T) {
	for r := range unicode.MaxRune + 1 {
		if other := unicode.SimpleFold(r); other != r && variation(string(other)) != variation(string(r)) {
			t.Errorf("%U is %U, and %U is %U", r, []rune(variation(string(r))), other, []rune(variation(string(other))))
		}
	}
}

// The tree finds by the beginnings of a path what is defined over all groups; here it is taken as it is defined.
func TestTheTreeFindsWhatASearchOverAllGroupsFinds(t *testing.T) {
	parts := rapid.StringMatching(`([abA\x{0430}]{1,2}[-._]{0,2}){1,3}`)
	paths := rapid.Custom(func(t *rapid.T) coordinate {
		return coordinate{"npm", rapid.SampledFrom([]string{"", "a", "A-b"}).Draw(t, "namespace"), parts.Draw(t, "name")}
	})
	rapid.Check(t, func(t *rapid.T) {
		groups := newTree()
		groups.add(newGroup(nil, rootPattern(), time.Time{}))
		for _, c := range rapid.SliceOfN(paths, 0, 12).Draw(t, "groups") {
			path := []rune(c.path())
			length := rapid.IntRange(len("/npm"), len(path)).Draw(t, "length")
			p, err := parsePattern(string(path[:length]) + rapid.SampledFrom([]string{"$", "~", "*"}).Draw(t, "suffix"))
			if err == nil && groups.groups[p] == nil {
				groups.add(newGroup(nil, p, time.Time{}))
			}
		}
		all := groups.list.items

		c := paths.Draw(t, "package")
		want, strong := search(all, c.path())
		if got, s := groups.associated(c); got != want || s != strong {
			t.Fatalf("%s is in %s (%t), and not in %s (%t)", c.path(), got.key(), s, want.key(), strong)
		}
		for _, g := range all[1:] {
			if got, want := groups.parent(g), closest(all, g); got != want {
				t.Fatalf("the parent of %s is %s, and not %s", g.key(), got.key(), want.key())
			}
		}

		gone := rapid.SampledFrom(all).Draw(t, "gone")
		if gone.pattern != rootPattern() {
			groups.remove(gone)
			want, strong = search(groups.list.items, c.path())
			if got, s := groups.associated(c); got != want || s != strong {
				t.Fatalf("without %s, %s is in %s (%t)", gone.key(), c.path(), got.key(), s)
			}
		}
	})
}

// search takes the longest of all groups of which a variation holds the path.
func search(all []*group, path string) (found *group, strong bool) {
	for _, g := range all {
		if !g.variation().holds(variation(path)) {
			continue
		}
		holds := g.pattern.holds(path)
		if found == nil || rank(g.variation()) > rank(found.variation()) ||
			rank(g.variation()) == rank(found.variation()) && holds && !strong {
			found, strong = g, holds
		}
	}
	return found, strong
}

// closest takes the smallest group that holds whatever g holds: its literal, and what may follow it.
func closest(all []*group, g *group) *group {
	var parent *group
	for _, p := range all {
		within := p != g && p.pattern.suffix != '$' && p.pattern.holds(g.pattern.literal)
		if within && (parent == nil || rank(p.pattern) > rank(parent.pattern)) {
			parent = p
		}
	}
	return parent
}

// rank is higher the more specific a pattern is, among those that hold the same path.
func rank(p pattern) int {
	rank := 2 * len(p.literal)
	if p.suffix == '$' {
		rank++
	}
	return rank
}

package pattern_test

import (
	"strings"
	"testing"

	"portcullis/shared/localaws/pattern"
)

func TestMatch(t *testing.T) {
	tests := []struct {
		name, pattern, event string
		want                 bool
	}{
		{"matches one of several strings", `{"a":["x","y"]}`, `{"a":"y","b":1}`, true},
		{"tells upper from lower case", `{"a":["x"]}`, `{"a":"X"}`, false},
		{"needs the field", `{"a":["x"]}`, `{"b":"x"}`, false},
		{"needs every field", `{"a":["x"],"b":["y"]}`, `{"a":"x","b":"z"}`, false},
		{"looks into objects", `{"a":{"b":{"c":["x"]}}}`, `{"a":{"b":{"c":"x"}}}`, true},
		{"does not take an object for a value", `{"a":["x"]}`, `{"a":{"a":"x"}}`, false},
		{"takes 1.0 for 1", `{"a":[1]}`, `{"a":1.0}`, true},
		{"tells the string 1 from the number", `{"a":["1"]}`, `{"a":1}`, false},
		{"matches a boolean", `{"a":[true]}`, `{"a":true}`, true},
		{"tells true from the string", `{"a":[true]}`, `{"a":"true"}`, false},
		{"matches null", `{"a":[null]}`, `{"a":null}`, true},
		{"tells null from absent", `{"a":[null]}`, `{}`, false},
		{"matches any element of a list", `{"a":["y"]}`, `{"a":["x","y"]}`, true},
		{"matches no element of an empty list", `{"a":["y"]}`, `{"a":[]}`, false},

		{"matches a prefix", `{"a":[{"prefix":"List"}]}`, `{"a":"ListDomains"}`, true},
		{"does not match what lacks the prefix", `{"a":[{"prefix":"List"}]}`, `{"a":"DeListed"}`, false},
		{"asks a prefix of strings only", `{"a":[{"prefix":"1"}]}`, `{"a":12}`, false},
		{"takes an operator or a value", `{"a":[{"prefix":"x"},7]}`, `{"a":7}`, true},

		{"exists: true needs a value", `{"a":[{"exists":true}]}`, `{"a":null}`, true},
		{"exists: true is not satisfied by nothing", `{"a":[{"exists":true}]}`, `{}`, false},
		{"exists: true is not satisfied by an object", `{"a":[{"exists":true}]}`, `{"a":{"b":1}}`, false},
		{"exists: false needs the field to be missing", `{"a":[{"exists":false}]}`, `{"a":null}`, false},
		{"exists: false holds for a missing field", `{"a":[{"exists":false}]}`, `{"b":1}`, true},
		{"exists: false holds under a missing object", `{"a":{"b":[{"exists":false}]}}`, `{}`, true},
		{"exists: false holds for an object", `{"a":[{"exists":false}]}`, `{"a":{"b":1}}`, true},
		{"exists: false holds for an empty list", `{"a":[{"exists":false}]}`, `{"a":[]}`, true},
		{"exists: false or a value", `{"a":[{"exists":false},"x"]}`, `{"a":"x"}`, true},

		{"takes all values from one element of a list", `{"a":{"b":[1],"c":[2]}}`, `{"a":[{"b":1,"c":2},{}]}`, true},
		{"does not mix elements of a list", `{"a":{"b":[1],"c":[2]}}`, `{"a":[{"b":1,"c":9},{"b":9,"c":2}]}`, false},
		{"tries a later element where an earlier fails", `{"a":{"b":[1],"c":[2]}}`, `{"a":[{"b":1,"c":9},{"b":1,"c":2}]}`, true},
		{"does not mix elements of nested lists", `{"a":{"b":{"c":[1],"d":[2]}}}`, `{"a":[{"b":[{"c":1},{"d":2}]}]}`, false},
		{"lets two lists each give an element", `{"a":{"x":[1]},"b":{"x":[2]}}`, `{"a":[{},{"x":1}],"b":[{"x":2}]}`, true},
		{"looks for what is missing in the chosen element", `{"a":{"b":[1],"c":[{"exists":false}]}}`, `{"a":[{"b":1},{"b":2,"c":3}]}`, true},
		{"finds in any element what should be missing", `{"a":{"c":[{"exists":false}]}}`, `{"a":[{"b":1},{"c":3}]}`, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := pattern.Compile([]byte(test.pattern))
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Match([]byte(test.event))
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("pattern %s, event %s: got %v, want %v", test.pattern, test.event, got, test.want)
			}
		})
	}
}

func TestCompileRefuses(t *testing.T) {
	tests := []struct{ name, pattern, want string }{
		{"what is no JSON", `{"a":`, "unexpected end"},
		{"what is no object", `["a"]`, "cannot unmarshal"},
		{"null", `null`, "is empty"},
		{"an empty pattern", `{}`, "is empty"},
		{"an empty object", `{"a":{}}`, `"a" is empty`},
		{"an empty list", `{"a":{"b":[]}}`, `the list of "a.b" is empty`},
		{"a bare value", `{"a":"x"}`, `"a" is neither an object nor a list`},
		{"a list within a list", `{"a":[["x"]]}`, "a list within"},
		{"an operator that AWS has and this package does not", `{"a":[{"anything-but":["x"]}]}`, "operator map[anything-but:[x]]"},
		{"an operator that nobody has", `{"a":[{"exist":false}]}`, "operator map[exist:false]"},
		{"an argument of the wrong type", `{"a":[{"exists":"false"}]}`, "operator map[exists:false]"},
		{"two operators in one object", `{"a":[{"exists":true,"prefix":"x"}]}`, "operator map[exists:true prefix:x]"},
		{"an alternative of fields", `{"$or":[{"a":["x"]},{"b":["y"]}]}`, `operator "$or"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := pattern.Compile([]byte(test.pattern))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestMatchRefusesWhatIsNoEvent(t *testing.T) {
	p, err := pattern.Compile([]byte(`{"a":[{"exists":false}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, event := range []string{"", "null", `"a"`, "[]", "{", strings.Repeat(`{"a":`, 200_000)} {
		if got, err := p.Match([]byte(event)); got || err == nil {
			t.Errorf("event %.20s: got %v and error %v, want an error", event, got, err)
		}
	}
}

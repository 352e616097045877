package doctor

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzStatements: a policy is refused and leaves nothing, or every element of every
// statement in it is taken, and taken the same each time: nothing is held for well
// because it was passed over. Neither the policy of a role nor that of the bus is
// called well beside a statement that is not the template's.
func FuzzStatements(f *testing.F) {
	facts := healthy()
	for _, document := range []string{
		facts.Bus.Value.Policy, facts.Roles["ExternalConnectionsRole"].Value.Document, policy(members(`{"AWS":["arn:aws:iam::222222222222:root"]}`, "o-a1b2c3d4e5")),
		`{"Version":"2012-10-17","Id":"x","Statement":{"Sid":"","Effect":"Allow","NotAction":["s3:*"],"NotResource":"*","NotPrincipal":{"Service":"x"}}}`,
		`{"Statement":[{"Effect":"Deny","Action":["a:B?","c:*"],"Resource":["arn:aws:s3:::x","x","x"],"Condition":{"Bool":{"x":true},"NumericEquals":{"y":[1,"2"]}}}]}`,
		`{"Statement":[{"Effect":"Allow","Condition":{"Null":{"x":"true"},"null":{"X":"false"}}}]}`, `{"statement":[]}`, `{"Statement":null}`,
		`{"Statement":[{"effect":"Allow"}]}`, `{"Statement":[{"Effect":"Allow","Action":{"a":1}}]}`, "[", "null", "",
	} {
		f.Add(document)
	}
	reporter := parts()[0].roles[0]
	f.Fuzz(func(t *testing.T, document string) {
		list, err := statements(document)
		again, errAgain := statements(document)
		if (err == nil) != (errAgain == nil) || !cmp.Equal(list, again, cmp.AllowUnexported(statement{})) {
			t.Fatalf("%+v (%v), and then %+v (%v)", list, err, again, errAgain)
		}
		role := Role{Document: document}.judge(facts, reporter, false)
		bus := Bus{document}.judge(facts)
		if err != nil {
			if list != nil || document != "" && (role.state != Unknown || bus.state != Unknown) {
				t.Errorf("%+v beside error %v; the role is %+v and the bus %+v", list, err, role, bus)
			}
			return
		}
		written := decoded(t, document)
		if len(written) != len(list) {
			t.Fatalf("%d statements are %+v", len(written), list)
		}
		for i, w := range written {
			s := list[i]
			if s.denies != (w["Effect"] == "Deny") || s.exception != (w["NotResource"] != nil || w["NotPrincipal"] != nil) {
				t.Errorf("%v is %+v", w, s)
			}
			for _, action := range leaves(w["Action"]) {
				if !slices.Contains(s.actions, action) || !s.covers(strings.NewReplacer("*", "x", "?", "y").Replace(action)) || !strings.ContainsAny(action, "*?") && !s.names(action) {
					t.Errorf("action %q of %+v", action, s)
				}
			}
			if w["NotAction"] != nil && w["Action"] == nil && !s.covers("any:Thing") {
				t.Errorf("all but %v is %+v", w["NotAction"], s)
			}
			if len(leaves(w["Resource"])) < len(s.resources) || len(s.resources) == 0 && len(leaves(w["Resource"])) > 0 {
				t.Errorf("resources %v are %v", w["Resource"], s.resources)
			}
			if who := leaves(w["Principal"]); len(who) > 0 && len(s.principals) == 0 || slices.Contains(who, "*") && s.principals == nil {
				t.Errorf("principals %v are %v", who, s.principals)
			}
			conditions := 0
			operators, _ := w["Condition"].(map[string]any)
			for operator, keys := range operators {
				for key, values := range keys.(map[string]any) {
					conditions++
					got := s.conditions[strings.ToLower(operator+" "+key)]
					for _, v := range leaves(values) {
						if !slices.Contains(got, v) {
							t.Errorf("condition %s of %s is %q", key, operator, got)
						}
					}
				}
			}
			if conditions != len(s.conditions) {
				t.Errorf("%d conditions are %+v", conditions, s.conditions)
			}
			// A statement that grants what the template grants nobody is never well.
			if !s.denies && s.covers("iam:CreateUser") && (role.state == OK || bus.state == OK) {
				t.Errorf("%+v, and the role is %+v, the bus %+v", s, role, bus)
			}
		}
	})
}

// decoded reads the statements in a way of its own.
func decoded(t *testing.T, document string) []map[string]any {
	t.Helper()
	var d map[string]any
	if err := json.Unmarshal([]byte(document), &d); err != nil {
		t.Fatalf("what is accepted is no JSON: %v", err)
	}
	var list []map[string]any
	switch is := d["Statement"].(type) {
	case map[string]any:
		list = append(list, is)
	case []any:
		for _, one := range is {
			list = append(list, one.(map[string]any))
		}
	}
	return list
}

// leaves are all texts in a value, wherever they stand.
func leaves(v any) []string {
	switch is := v.(type) {
	case string:
		return []string{is}
	case []any:
		var list []string
		for _, one := range is {
			list = append(list, leaves(one)...)
		}
		return list
	case map[string]any:
		var list []string
		for one := range maps.Values(is) {
			list = append(list, leaves(one)...)
		}
		return list
	default:
		return nil
	}
}

package doctor

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// A statement is one of a policy of IAM or of a bus.
type statement struct {
	sid        string
	denies     bool
	actions    []string // as they are written; * where only those are named that it is not about
	principals []string
	resources  []string            // without arn:PARTITION:
	exception  bool                // it says which resources or principals it is not about
	conditions map[string][]string // values by operator and key, in lower case
}

// statements reads a policy. What it does not understand is an error, so that nothing
// is held for well because it was passed over.
func statements(document string) ([]statement, error) {
	// Neither a struct nor one map of texts: both would take a key in other letters, or
	// with another kind of value, for what AWS does not take it for.
	var d map[string]json.RawMessage
	if err := json.Unmarshal([]byte(document), &d); err != nil {
		return nil, err
	}
	for key := range d {
		if !slices.Contains([]string{"Version", "Id", "Statement"}, key) {
			return nil, fmt.Errorf("it has %.40q in it", key)
		}
	}
	var written []map[string]any
	if json.Unmarshal(d["Statement"], &written) != nil {
		var one map[string]any // AWS takes one without a list as well
		if err := json.Unmarshal(d["Statement"], &one); err != nil {
			return nil, err
		}
		written = []map[string]any{one}
	}
	if written == nil { // an empty list gives no rights, and one that is not there is not understood
		return nil, errors.New("it has no statement")
	}
	var list []statement
	for _, w := range written {
		s, err := readStatement(w)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// elements are what a statement may have.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
var elements = []string{"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}

func readStatement(w map[string]any) (statement, error) {
	s := statement{denies: w["Effect"] == "Deny", exception: w["NotResource"] != nil || w["NotPrincipal"] != nil, conditions: map[string][]string{}}
	if !s.denies && w["Effect"] != "Allow" {
		return s, errors.New("a statement neither allows nor denies")
	}
	for key, value := range w {
		if !slices.Contains(elements, key) || value == nil {
			return s, fmt.Errorf("a statement has %.40q in it, or nothing there", key)
		}
	}
	var err error
	if w["Sid"] != nil {
		var is bool
		if s.sid, is = w["Sid"].(string); !is {
			return s, errors.New("a Sid is no text")
		}
	}
	if s.actions, err = texts(w["Action"]); err != nil {
		return s, err
	}
	if w["Action"] == nil {
		s.actions = []string{"*"}
	}
	if s.principals, err = principals(w["Principal"]); err != nil {
		return s, err
	}
	if s.resources, err = texts(w["Resource"]); err != nil {
		return s, err
	}
	for i, arn := range s.resources {
		if parts := strings.SplitN(arn, ":", 3); len(parts) == 3 && parts[0] == "arn" {
			s.resources[i] = parts[2]
		}
	}
	conditions, _ := w["Condition"].(map[string]any)
	if w["Condition"] != nil && conditions == nil {
		return s, errors.New("a condition is none")
	}
	for operator, keys := range conditions {
		byKey, ok := keys.(map[string]any)
		if !ok {
			return s, errors.New("a condition has no keys")
		}
		for key, values := range byKey {
			name := strings.ToLower(operator + " " + key)
			if _, twice := s.conditions[name]; twice {
				return s, errors.New("a condition is there twice")
			}
			if s.conditions[name], err = texts(values); err != nil {
				return s, err
			}
		}
	}
	return s, nil
}

// texts are the values of what may be one or a list, sorted and each once.
func texts(v any) ([]string, error) {
	written, many := v.([]any)
	if !many && v != nil {
		written = []any{v}
	}
	var list []string
	for _, one := range written {
		switch one.(type) {
		case string, bool, float64: // AWS takes true and 1 without quotes in a condition
			list = append(list, fmt.Sprint(one))
		default:
			return nil, errors.New("a value is neither a text nor a list of texts")
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// principals are those of a statement: * for everybody, an account by its id, and the
// rest with its kind, such as Service:events.amazonaws.com.
func principals(v any) ([]string, error) {
	byKind, ok := v.(map[string]any)
	if !ok {
		return texts(v)
	}
	var list []string
	for kind, values := range byKind {
		named, err := texts(values)
		if err != nil {
			return nil, err
		}
		for _, p := range named {
			if account := accountRoot.FindStringSubmatch(p); kind == "AWS" && account != nil {
				p = account[1]
			}
			if kind != "AWS" {
				p = kind + ":" + p
			}
			list = append(list, p)
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

var accountRoot = regexp.MustCompile(`^arn:[a-z-]+:iam::([0-9]{12}):root$`)

// covers tells whether an action is among those of the statement. AWS does not tell
// upper case from lower, and has two wildcards.
func (s statement) covers(action string) bool {
	return slices.ContainsFunc(s.actions, func(pattern string) bool {
		quoted := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
		return regexp.MustCompile(`^(?is:` + quoted + `)$`).MatchString(action)
	})
}

// names tells whether the statement has the action by its name, and not by wildcards.
func (s statement) names(action string) bool {
	return slices.ContainsFunc(s.actions, func(a string) bool { return strings.EqualFold(a, action) })
}

// given are the actions that the template gives a role in this deployment, each with
// the resources it is for.
func (r role) given(f Facts, enforce bool) map[string][]string {
	given := map[string][]string{}
	for _, g := range r.grants {
		if g.enforced && !enforce || g.members && !f.Stack.Value.hasMembers() || g.organization && f.Stack.Value.Parameters["OrganizationId"] == "" {
			continue
		}
		for _, a := range g.actions {
			given[a] = append(given[a], f.fill(g.on))
			slices.Sort(given[a])
		}
	}
	return given
}

// enforces tells whether the role has rights in mode enforce that it has in no other.
func (r role) enforces() bool {
	return slices.ContainsFunc(r.grants, func(g grant) bool { return g.enforced })
}

// keeps tells whether a statement is one by which the template itself denies the role
// something. Such a one is about one action, and has an exception or a condition:
// without that it would take the right away.
func (r role) keeps(s statement) bool {
	return s.denies && len(s.actions) == 1 && strings.EqualFold(s.actions[0], r.kept[s.sid]) && (s.exception || len(s.conditions) > 0)
}

var logicalID = regexp.MustCompile(`<\w+>`)

// fill puts the names of this deployment into a resource of parts. A name that is not
// known stays as it is, and so is no resource of any statement.
func (f Facts) fill(on string) string {
	on = strings.NewReplacer("REGION", f.Region, "ACCOUNT", f.Account, "STACK", f.Name).Replace(on)
	return logicalID.ReplaceAllStringFunc(on, func(id string) string {
		r, there := f.Resources.Value[strings.Trim(id, "<>")]
		switch {
		case !there:
			return id
		case strings.HasPrefix(r.ID, "https:"): // a queue, by its URL
			return r.ID[strings.LastIndex(r.ID, "/")+1:]
		default:
			return r.ID
		}
	})
}

// judge holds the policy of a role against what the template gives it: the actions,
// the resources of each, and what is denied. Whether something beside its policies
// denies it more, such as a service control policy, shows only in what the functions
// report.
func (r Role) judge(f Facts, want role, enforce bool) finding {
	if r.Document == "" {
		return failed(changed, "it does not have its policy %s", want.policy)
	}
	list, err := statements(r.Document)
	if err != nil {
		return finding{Unknown, "its policy cannot be understood: " + err.Error(), ""}
	}
	given := want.given(f, enforce)
	actions := slices.Sorted(maps.Keys(given))
	var more, missing, elsewhere, denied, lost []string
	writes := false
	for _, s := range list {
		if s.denies {
			continue
		}
		for _, a := range s.actions {
			one := statement{actions: []string{a}}
			if !slices.ContainsFunc(actions, one.names) {
				more = append(more, a)
				writes = writes || !enforce && slices.ContainsFunc(want.grants, func(g grant) bool { return g.enforced && slices.ContainsFunc(g.actions, one.covers) })
			}
		}
	}
	for _, a := range actions {
		var on []string
		allowed := false
		for _, s := range list {
			switch {
			case s.denies && s.covers(a) && !want.keeps(s):
				denied = append(denied, a)
			case !s.denies && s.covers(a):
				allowed = true
				on = append(on, s.resources...)
			}
		}
		for i := range on {
			if strings.HasPrefix(on[i], "logs:") {
				on[i] = strings.TrimSuffix(on[i], ":*") // AWS writes the ARN of a log in both ways
			}
		}
		slices.Sort(on)
		switch {
		case !allowed:
			missing = append(missing, a)
		case !slices.Equal(slices.Compact(on), given[a]):
			elsewhere = append(elsewhere, a)
		}
	}
	for _, sid := range slices.Sorted(maps.Keys(want.kept)) {
		if !slices.ContainsFunc(list, func(s statement) bool { return s.sid == sid && want.keeps(s) }) {
			lost = append(lost, sid)
		}
	}
	switch {
	case writes:
		return failed(changed, "it may write, although its control does not enforce: %s", strings.Join(more, ", "))
	case more != nil:
		return failed(changed, "it may do more than the template gives it: %s", strings.Join(more, ", "))
	case missing != nil:
		return failed(changed, "it may not do what it must: %s", strings.Join(missing, ", "))
	case lost != nil:
		return failed(changed, "its policy does not have what keeps something from it: %s", strings.Join(lost, ", "))
	case r.Others != nil:
		return failed("take them off, unless you know better", "it has policies that the template does not give it: %s", strings.Join(r.Others, ", "))
	case denied != nil:
		return finding{Unknown, "its policy allows and also denies it, in some cases or in all: " + strings.Join(slices.Compact(denied), ", "), changed}
	case elsewhere != nil:
		return finding{Unknown, "its policy allows it on other resources than the template: " + strings.Join(elsewhere, ", "), changed}
	case enforce && want.enforces():
		return well("its policy has the actions and the resources of the template, with the writes that its control enforces")
	default:
		return well("its policy has the actions and the resources of the template, and no write of what is looked at")
	}
}

// put is how an event comes onto a bus.
const put = "events:PutEvents"

// judge holds the policy of the bus against that of the template: who of outside may
// put events on it, and who may say that they are of Portcullis.
func (b Bus) judge(f Facts) finding {
	name := f.Resources.Value[busID].ID
	var list []statement
	if b.Policy != "" {
		var err error
		if list, err = statements(b.Policy); err != nil {
			return finding{Unknown, "its policy cannot be understood: " + err.Error(), ""}
		}
	}
	own := []string{f.fill(onBus)}
	organization := f.Stack.Value.Parameters["OrganizationId"]
	members := strings.FieldsFunc(f.Stack.Value.Parameters["MemberAccounts"], func(r rune) bool { return r == ',' })
	if organization != "" {
		members = []string{"*"}
	}
	var outsiders, odd, let []string
	guarded := false
	for _, s := range list {
		named := s.sid
		if named == "" {
			named = "one without a Sid"
		}
		plain := slices.Equal(s.resources, own) && !s.exception && len(s.actions) == 1 && s.names(put)
		switch {
		case s.denies && plain && f.guards(s):
			guarded = true
		case s.denies:
			odd = append(odd, named)
		default:
			of := s.conditions["stringequals aws:principalorgid"]
			bounded := organization != "" && slices.Equal(of, []string{organization})
			var strangers []string
			for _, p := range s.principals {
				if !bounded && (p == "*" || !slices.Contains(members, p)) {
					strangers = append(strangers, p)
				}
			}
			outsiders = append(outsiders, strangers...)
			switch {
			case strangers != nil:
			case plain && f.admits(s):
				let = append(let, s.principals...)
			default:
				odd = append(odd, named)
			}
		}
	}
	var shut []string
	for _, m := range members {
		if !slices.Contains(let, m) {
			shut = append(shut, m)
		}
	}
	switch {
	case outsiders != nil:
		slices.Sort(outsiders)
		return failed(changed, "%s lets others than members put events on it: %s", name, strings.Join(slices.Compact(outsiders), ", "))
	case odd != nil:
		return finding{Unknown, "its policy has statements that are not as the template has them: " + strings.Join(odd, ", "), changed}
	case shut != nil && let == nil:
		return failed(changed, "%s lets no member hand over events, as its policy allows it nobody", name)
	case shut != nil:
		return failed(changed, "%s does not let %s hand over events", name, strings.Join(shut, ", "))
	case !guarded:
		return failed(changed, "%s lets whoever may put events say that they are of Portcullis: its policy does not deny it to all but the roles", name)
	case f.Stack.Value.hasMembers():
		return well("%s, which lets members hand over events, and only the roles report", name)
	default:
		return well("%s, which lets only the roles report", name)
	}
}

// admits tells whether members are let in under the conditions of the template.
func (f Facts) admits(s statement) bool {
	want := map[string][]string{
		"stringequals events:eventbusinvocation":  {"true"},
		"forallvalues:stringequals events:source": {"aws.codeartifact", "aws.proton"},
		"null events:source":                      {"false"},
	}
	if organization := f.Stack.Value.Parameters["OrganizationId"]; organization != "" {
		want["stringequals aws:principalorgid"] = []string{organization}
	}
	return maps.EqualFunc(s.conditions, want, slices.Equal)
}

// guards tells whether a statement denies everybody but the roles that report to say
// that an event is of Portcullis.
func (f Facts) guards(s statement) bool {
	var reporters []string
	for _, p := range parts() {
		for _, r := range p.roles {
			if r.reports {
				reporters = append(reporters, f.fill("iam::ACCOUNT:role/<"+r.id+">"))
			}
		}
	}
	slices.Sort(reporters)
	var but []string
	for _, arn := range s.conditions["arnnotequals aws:principalarn"] {
		_, rest, _ := strings.Cut(strings.TrimPrefix(arn, "arn:"), ":")
		but = append(but, rest)
	}
	slices.Sort(but)
	return len(s.conditions) == 2 && slices.Equal(s.principals, []string{"*"}) &&
		slices.Equal(s.conditions["foranyvalue:stringequals events:source"], []string{"portcullis"}) && slices.Equal(but, reporters)
}

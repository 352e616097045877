package policy_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"portcullis/shared/policy"
)

const schemaFile = "../../policy/policy.schema.json"

func TestTheSchemaInTheRepositoryIsThatOfTheCode(t *testing.T) {
	data, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, policy.Schema()) {
		t.Errorf("%s is not what the code says: go run ./cmd/portcullis policy schema > policy/policy.schema.json", schemaFile)
	}
}

var compiled *jsonschema.Schema

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	if compiled == nil {
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(policy.Schema()))
		if err != nil {
			t.Fatal(err)
		}
		c := jsonschema.NewCompiler()
		if err := c.AddResource("policy.schema.json", document); err != nil {
			t.Fatal(err)
		}
		if compiled, err = c.Compile("policy.schema.json"); err != nil {
			t.Fatal(err)
		}
	}
	return compiled
}

// shapeless are the refusals for what is wrong with one value by itself: an editor can know of them.
var shapeless = regexp.MustCompile(`unknown key| lacks "|is a number; |is a list; |is a mapping; |is text; |is a date; |is true or false; |has no value; |is an empty list; |is empty; |is not 12 digits`)

// parseAndHold parses a policy and holds the schema to what comes of it: what is accepted must validate, and what is refused
// for its shape must not. Nearly all policies in these tests go through it.
func parseAndHold(t *testing.T, text string) (*policy.Policy, error) {
	t.Helper()
	p, err := policy.Parse("policy.yaml", []byte(text))
	var problems policy.Problems
	errors.As(err, &problems)
	instance, ok := instance([]byte(text))
	switch invalid := schema(t).Validate(instance); {
	case err == nil && !ok:
		t.Error("what is accepted is not one YAML document")
	case err == nil && invalid != nil:
		t.Errorf("the policy is accepted, and the schema refuses it: %v", invalid)
	case err != nil && ok && invalid == nil && slices.ContainsFunc(problems, func(p policy.Problem) bool {
		// To JSON, 1.0 is the same number as 1.
		return p.What != "version is a number" && shapeless.MatchString(p.What+"; ")
	}):
		t.Errorf("the schema accepts what is refused for its shape: %v", err)
	}
	return p, err
}

// instance is what a YAML file looks like to a JSON Schema. It is false where there is no such thing.
func instance(data []byte) (any, bool) {
	var root yaml.Node
	if err := yaml.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), &root); err != nil || len(root.Content) != 1 {
		return nil, false
	}
	return jsonOf(root.Content[0])
}

func jsonOf(n *yaml.Node) (any, bool) {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for pair := range slices.Chunk(n.Content, 2) {
			v, ok := jsonOf(pair[1])
			if _, twice := m[pair[0].Value]; !ok || twice {
				return nil, false
			}
			m[pair[0].Value] = v
		}
		return m, true
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range n.Content {
			v, ok := jsonOf(item)
			if !ok {
				return nil, false
			}
			list = append(list, v)
		}
		return list, true
	case yaml.ScalarNode:
		if n.ShortTag() == "!!timestamp" || n.ShortTag() == "!!str" {
			return n.Value, true // JSON has no dates
		}
		var v any
		return v, n.Decode(&v) == nil
	default:
		return nil, false
	}
}

// everything is a policy with every key there is.
const everything = `version: 1
limits: {count: 10, share: 10%}
enforce_on: [{domains: ["dev-*"], accounts: ["111122223333"]}]
external_connections:
  allow: [{repositories: ["corp/npm"], connections: ["public:npmjs"], accounts: ["111122223333"], reason: r}]
  waivers: [{id: i, repositories: ["corp/x"], connections: ["public:npmjs"], accounts: ["111122223333"], reason: r, owner: o, expires: 2027-01-31}]
package_groups:
  min_age: 14d
  grace: 14d
  keep: [{groups: ["/npm/acme/*"], domains: [corp], reason: r}]
  keep_tag: owned
  children: prune
  lookalikes: ignore
package_origins:
  guard: [{package: "pkg:npm/%40acme/ui", domains: [corp], accounts: ["111122223333"], group: "/npm/acme/*", publish: block, external_upstream: [npm], internal_upstream: block, reason: r}]
proton_connections:
  approve: [{environment_accounts: ["222222222222"], management_accounts: ["111111111111"], environments: [prod], roles: ["arn:aws:iam::222222222222:role/a"], codebuild_roles: ["arn:aws:iam::222222222222:role/a"], reason: r}]
  waivers: [{id: i, environment_accounts: ["222222222222"], management_accounts: ["111111111111"], environments: [lab], roles: ["arn:aws:iam::222222222222:role/a"], codebuild_roles: ["arn:aws:iam::222222222222:role/a"], reason: r, owner: o, expires: 2027-01-31}]
  rejected_after: 7d
  pending_after: 30d
  connected: delete
`

// Every mapping of the policy is taken in turn. Its keys in the schema must be those that the reader knows and those of
// the policy above, and the schema must ask for the keys that the reader asks for.
func TestTheSchemaHasTheKeysThatTheReaderHas(t *testing.T) {
	parse(t, everything)
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(everything), &root); err != nil {
		t.Fatal(err)
	}
	mappings := 0
	var walk func(n *yaml.Node, s *jsonschema.Schema, place string)
	walk = func(n *yaml.Node, s *jsonschema.Schema, place string) {
		for _, item := range n.Content {
			if n.Kind == yaml.SequenceNode && item.Kind == yaml.MappingNode {
				walk(item, s.Items2020, place+"[]")
			}
		}
		if n.Kind != yaml.MappingNode {
			return
		}
		mappings++
		here := []string{}
		for pair := range slices.Chunk(n.Content, 2) {
			here = append(here, pair[0].Value)
		}
		slices.Sort(here)
		if diff := cmp.Diff(here, slices.Sorted(maps.Keys(s.Properties))); diff != "" {
			t.Errorf("%s: keys of the policy in this test, and of the schema (-want +got):\n%s", place, diff)
		}
		whole := n.Content
		problem := func(content []*yaml.Node) string {
			n.Content = content
			defer func() { n.Content = whole }()
			text, err := yaml.Marshal(&root)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := policy.Parse("policy.yaml", text); err != nil {
				return err.Error()
			}
			return ""
		}
		word := func(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

		_, names, _ := strings.Cut(problem(append(slices.Clone(whole), word("zzzzzzzzzzzz"), word("x"))), "the names here are ")
		names, _, _ = strings.Cut(names, "\n")
		known := strings.Split(strings.ReplaceAll(names, `"`, ""), ", ")
		slices.Sort(known)
		if diff := cmp.Diff(known, here); diff != "" {
			t.Errorf("%s: keys that the reader knows, and of the schema (-want +got):\n%s", place, diff)
		}
		for i := 0; i < len(whole); i += 2 {
			key := whole[i].Value
			lacks := strings.Contains(problem(slices.Delete(slices.Clone(whole), i, i+2)), fmt.Sprintf("lacks %q", key))
			if asked := slices.Contains(s.Required, key); lacks != asked {
				t.Errorf("%s.%s: the reader asks for it: %v; the schema: %v", place, key, lacks, asked)
			}
			walk(whole[i+1], s.Properties[key], place+"."+key)
		}
	}
	walk(root.Content[0], schema(t), "policy")
	if mappings != 13 {
		t.Errorf("%d mappings were looked at, want 13", mappings)
	}
}

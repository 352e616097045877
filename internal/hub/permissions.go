package hub

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"portcullis/shared/localaws"
)

// limit lets a role do what the role with a logical id may do in a template, where
// these conditions are true.
func limit(role localaws.Role, template []byte, id string, conditions map[string]bool) error {
	var t struct {
		Resources map[string]yaml.Node `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(template, &t); err != nil {
		return fmt.Errorf("reading the template: %w", err)
	}
	resource := t.Resources[id]
	policies := child(child(&resource, "Properties"), "Policies")
	if policies == nil {
		return fmt.Errorf("reading the template: %s is no role with policies of its own", id)
	}
	var actions []string
	var events []string
	for _, p := range policies.Content {
		for _, s := range child(child(p, "PolicyDocument"), "Statement").Content {
			s = chosen(s, conditions)
			if s == nil || child(s, "Effect").Value != "Allow" {
				continue
			}
			if types := child(child(child(s, "Condition"), "ForAllValues:StringEquals"), "events:detail-type"); types != nil {
				events = append(events, texts(types)...)
				continue
			}
			actions = append(actions, texts(child(s, "Action"))...)
		}
	}
	role.Limit(actions...)
	if events != nil {
		role.AllowEvents(events...)
	}
	return nil
}

// chosen is what an !If comes to; nil where it comes to no value.
func chosen(n *yaml.Node, conditions map[string]bool) *yaml.Node {
	if n.Tag != "!If" {
		return n
	}
	if conditions[n.Content[0].Value] {
		return n.Content[1]
	}
	if n.Content[2].Tag == "!Ref" {
		return nil
	}
	return n.Content[2]
}

// child returns the value of a key of a mapping, or nil.
func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// texts are the values of a list, or the one that stands in its place.
func texts(n *yaml.Node) []string {
	if n.Kind == yaml.ScalarNode {
		return []string{n.Value}
	}
	var list []string
	for _, c := range n.Content {
		list = append(list, c.Value)
	}
	return list
}

package eventbridge

import (
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// PatternIn returns the pattern of the AWS::Events::Rule that has this logical id in a CloudFormation template in YAML, so
// that what is played here is what is deployed. A pattern that is not the same in every deployment, because a part of it
// is a function such as !Ref, is an error.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-events-rule.html
func PatternIn(template []byte, logicalID string) ([]byte, error) {
	var t struct {
		Resources map[string]struct {
			Type       string `yaml:"Type"`
			Properties struct {
				EventPattern yaml.Node `yaml:"EventPattern"`
			} `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(template, &t); err != nil {
		return nil, fmt.Errorf("reading template: %w", err)
	}
	r := t.Resources[logicalID]
	if r.Type != "AWS::Events::Rule" {
		return nil, fmt.Errorf("reading template: there is no AWS::Events::Rule %q", logicalID)
	}
	node := r.Properties.EventPattern
	if node.IsZero() {
		return nil, fmt.Errorf("reading template: %s has no pattern", logicalID)
	}
	var pattern map[string]any
	err := written(&node)
	if err == nil {
		err = node.Decode(&pattern)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the pattern of %s: %w", logicalID, err)
	}
	return json.Marshal(pattern)
}

// written refuses a node that has a function of CloudFormation in it, which in YAML is a tag of its own.
func written(n *yaml.Node) error {
	if tag := n.ShortTag(); !strings.HasPrefix(tag, "!!") {
		return fmt.Errorf("line %d: %s is known only when it is deployed", n.Line, tag)
	}
	for _, child := range n.Content {
		if err := written(child); err != nil {
			return err
		}
	}
	return nil
}

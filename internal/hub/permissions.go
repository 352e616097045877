package hub

import (
	"fmt"

	"portcullis/internal/cloudformation"
	"portcullis/shared/localaws"
)

// limit lets a role do what the role with a logical id may do in a template that is
// deployed with these parameters.
func limit(role localaws.Role, template cloudformation.Template, id string, parameters map[string]string) error {
	stack, err := template.Deploy(parameters)
	if err != nil {
		return fmt.Errorf("setting up the hub: %w", err)
	}
	policies, _ := stack.Get(id, "Policies").([]any)
	var actions, events []string
	for _, p := range policies {
		statements, _ := cloudformation.At(p, "PolicyDocument", "Statement").([]any)
		for _, s := range statements {
			types := cloudformation.At(s, "Condition", "ForAllValues:StringEquals", "events:detail-type")
			switch {
			case cloudformation.At(s, "Effect") != "Allow":
			case types != nil:
				events = append(events, cloudformation.Strings(types)...)
			default:
				actions = append(actions, cloudformation.Strings(cloudformation.At(s, "Action"))...)
			}
		}
	}
	if actions == nil {
		return fmt.Errorf("setting up the hub: %s is no role that may do anything", id)
	}
	role.Limit(actions...)
	if events != nil {
		role.AllowEvents(events...)
	}
	return nil
}

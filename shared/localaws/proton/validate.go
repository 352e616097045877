package proton

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// patterns are the constraints of the API's model on its strings, and those on the items of its lists.
// https://docs.aws.amazon.com/proton/latest/APIReference/API_Operations.html
//
// Every World has the same, and some tests make thousands.
var patterns = sync.OnceValue(func() map[string]*regexp.Regexp {
	const role = `arn:(aws|aws-cn|aws-us-gov):iam::[0-9]{12}:role/([\w+=,.@-]{1,512}[/:])*[\w+=,.@-]{1,64}`
	compiled := map[string]*regexp.Regexp{}
	for name, pattern := range map[string]string{ //nolint:gosec // G101: patterns of names, and no secrets
		"id":                  `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`,
		"resourceArn":         `arn:(aws|aws-cn|aws-us-gov):[a-zA-Z0-9-]+:[a-zA-Z0-9-]*:[0-9]{12}:([\w+=,.@-]+[/:])*[\w+=,.@-]+`,
		"environmentName":     `[0-9A-Za-z][0-9A-Za-z_-]{0,99}`,
		"managementAccountId": `[0-9]{12}`,
		"roleArn":             role,
		"componentRoleArn":    role,
		"codebuildRoleArn":    role,
		"requestedBy":         `MANAGEMENT_ACCOUNT|ENVIRONMENT_ACCOUNT`,
		"nextToken":           `[A-Za-z0-9+=/]+`,
		"clientToken":         `[!-~]{0,64}`,
		"status":              `PENDING|CONNECTED|REJECTED`,
		"tag key":             `(?s).{1,128}`,
		"tag value":           `(?s).{0,256}`,
	} {
		compiled[name] = regexp.MustCompile(`\A(?:` + pattern + `)\z`)
	}
	return compiled
})

const (
	maxARN    = 200  // of a resource
	maxString = 2048 // the ARN of a role; no other string may be as long
	maxTags   = 50
)

// validate checks what the model says about an input, before anything is looked up.
func (s *Service) validate(o operation, input map[string]any, rq request) error {
	members := map[string]bool{}
	for _, name := range strings.Fields(o.members) {
		member, required := strings.CutSuffix(name, "!")
		members[member] = true
		if required && input[member] == nil {
			return invalid("%s is required", member)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(input)) {
		if !members[name] {
			return invalid("%s has no member %q", o.name, name)
		}
		value, isString := input[name].(string)
		if isString && !s.patterns[name].MatchString(value) {
			return invalid("%s %q does not match %s", name, value, s.patterns[name])
		}
		if len(value) > maxString || name == "resourceArn" && len(value) > maxARN {
			return invalid("%s is too long", name)
		}
	}
	if rq.MaxResults != nil && (*rq.MaxResults < 1 || *rq.MaxResults > 100) {
		return invalid("maxResults %d is not from 1 to 100", *rq.MaxResults)
	}
	for _, status := range rq.Statuses {
		if !s.patterns["status"].MatchString(string(status)) {
			return invalid("there is no status %q", status)
		}
	}
	if len(rq.Tags) > maxTags || len(rq.TagKeys) > maxTags {
		return invalid("there are more than %d tags", maxTags)
	}
	for _, t := range rq.Tags {
		if !s.patterns["tag key"].MatchString(t.Key) || !s.patterns["tag value"].MatchString(t.Value) {
			return invalid("tag %q is not valid", t.Key)
		}
	}
	for _, key := range rq.TagKeys {
		if !s.patterns["tag key"].MatchString(key) {
			return invalid("tag key %q is not valid", key)
		}
	}
	return nil
}

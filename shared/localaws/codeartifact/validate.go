package codeartifact

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// patterns are the constraints of the API's model on its strings.
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_Operations.html
//
// Every World has the same, and some tests make thousands.
var patterns = sync.OnceValue(func() map[string]*regexp.Regexp {
	compiled := map[string]*regexp.Regexp{}
	for name, pattern := range map[string]string{ //nolint:gosec // G101: patterns of names, and no secrets
		"domain":                `[a-z][a-z0-9\-]{0,48}[a-z0-9]`,
		"domainOwner":           `[0-9]{12}`,
		"administratorAccount":  `[0-9]{12}`,
		"repository":            `[A-Za-z0-9][A-Za-z0-9._\-]{1,99}`,
		"repositoryPrefix":      `[A-Za-z0-9][A-Za-z0-9._\-]{1,99}`,
		"externalConnection":    `[A-Za-z0-9][A-Za-z0-9._\-:]{1,99}`,
		"resourceArn":           `\S{1,1000}\S{0,11}`, // Go counts to 1,000 in one repetition
		"encryptionKey":         `\S{1,1000}\S{0,11}`,
		"description":           `\P{C}{0,1000}`,
		"nextToken":             `\S{1,1000}\S{0,1000}`,
		"packageGroup":          `[^\p{C}\p{Z}\s]{2,520}`,
		"prefix":                `\P{C}{0,520}`,
		"contactInfo":           `\P{C}{0,1000}`,
		"format":                `cargo|generic|maven|npm|nuget|pypi|ruby|swift`,
		"namespace":             `[^#/\s]{1,255}`,
		"package":               `[^#/\s]{1,255}`,
		"packagePrefix":         `[^#/\s]{1,255}`,
		"packageVersion":        `[^#/\s]{1,255}`,
		"assetName":             `\P{C}{1,255}`,
		"assetSHA256":           `[0-9a-f]{64}`,
		"expectedStatus":        `Archived|Deleted|Disposed|Published|Unfinished|Unlisted`,
		"publish":               `ALLOW|BLOCK`,
		"upstream":              `ALLOW|BLOCK`,
		"originRestrictionType": `EXTERNAL_UPSTREAM|INTERNAL_UPSTREAM|PUBLISH`,
		"mode":                  `ALLOW|ALLOW_SPECIFIC_REPOSITORIES|BLOCK|INHERIT`,
		"tag key":               `\P{C}{1,128}`,
		"tag value":             `\P{C}{0,256}`,
	} {
		compiled[name] = regexp.MustCompile(`\A(?:` + pattern + `)\z`)
	}
	return compiled
})

// validate checks what the model says about an input, before anything is looked up.
func (s *Service) validate(o operation, input map[string]any, rq request) error {
	for _, name := range strings.Fields(o.query + " " + o.body) {
		if required, found := strings.CutSuffix(name, "!"); found && input[member(required)] == nil {
			return invalid("FIELD_VALIDATION_FAILED", "%s is required", member(required))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(input)) {
		if value, ok := input[name].(string); ok && !s.matches(name, value) {
			return invalid("FIELD_VALIDATION_FAILED", "%s %q does not match %s", name, value, s.patterns[name])
		}
	}
	if rq.MaxResults != nil && (*rq.MaxResults < 1 || *rq.MaxResults > 1000) {
		return invalid("FIELD_VALIDATION_FAILED", "maxResults %d is not from 1 to 1000", *rq.MaxResults)
	}
	for _, u := range rq.Upstreams {
		if !s.matches("repository", u.RepositoryName) {
			return invalid("FIELD_VALIDATION_FAILED", "upstream %q is not the name of a repository", u.RepositoryName)
		}
	}
	for _, a := range slices.Concat(rq.AddAllowedRepositories, rq.RemoveAllowedRepositories) {
		if !s.matches("originRestrictionType", string(a.OriginRestrictionType)) || !s.matches("repository", a.RepositoryName) {
			return invalid("FIELD_VALIDATION_FAILED", "%q is no restriction, or %q not the name of a repository",
				a.OriginRestrictionType, a.RepositoryName)
		}
	}
	for _, t := range rq.Tags {
		if !s.matches("tag key", t.Key) || !s.matches("tag value", t.Value) {
			return invalid("FIELD_VALIDATION_FAILED", "tag %q is not valid", t.Key)
		}
	}
	return nil
}

func (s *Service) matches(name, value string) bool {
	p := s.patterns[name]
	return p == nil || p.MatchString(value)
}

package codeartifact

import (
	"maps"
	"slices"
	"strings"
)

// maxTags is the model's bound on a list of tags.
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_TagResource.html
const maxTags = 200

func (s *Service) listTagsForResource(rq request) (any, bool, error) {
	tags, _, err := s.tagsOf(rq, Read)
	if err != nil {
		return nil, false, err
	}
	out := struct {
		Tags []tag `json:"tags"`
	}{[]tag{}}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		out.Tags = append(out.Tags, tag{key, tags[key]})
	}
	return out, false, nil
}

func (s *Service) tagResource(rq request) (any, bool, error) {
	tags, resourceType, err := s.tagsOf(rq, Write)
	if err != nil {
		return nil, false, err
	}
	after := maps.Clone(tags)
	setTags(after, rq.Tags)
	if len(after) > maxTags {
		return nil, false, overQuota(resourceType, rq.ResourceARN, "too many tags")
	}
	changed := !maps.Equal(tags, after)
	maps.Copy(tags, after)
	return struct{}{}, changed, nil
}

func (s *Service) untagResource(rq request) (any, bool, error) {
	tags, _, err := s.tagsOf(rq, Write)
	if err != nil {
		return nil, false, err
	}
	before := len(tags)
	for _, key := range rq.TagKeys {
		delete(tags, key)
	}
	return struct{}{}, len(tags) < before, nil
}

// tagsOf finds the tags of the resource that an ARN names: arn:aws:codeartifact:REGION:OWNER:TYPE/NAMES.
func (s *Service) tagsOf(rq request, need Access) (tags map[string]string, resourceType string, err error) {
	parts := strings.SplitN(rq.ResourceARN, ":", 6)
	if len(parts) != 6 || parts[2] != "codeartifact" || parts[3] != rq.Region {
		return nil, "", invalid("FIELD_VALIDATION_FAILED", "%q is no CodeArtifact ARN of %s", rq.ResourceARN, rq.Region)
	}
	rq.DomainOwner = parts[4]
	names := strings.Split(parts[5], "/")
	switch {
	case names[0] == "domain" && len(names) == 2:
		rq.Domain = names[1]
		d, err := s.domain(rq, need)
		if err != nil {
			return nil, "", err
		}
		return d.tags, "domain", nil
	case names[0] == "repository" && len(names) == 3:
		rq.Domain, rq.Repository = names[1], names[2]
		r, err := s.repository(rq, need)
		if err != nil {
			return nil, "", err
		}
		return r.tags, "repository", nil
	case names[0] == "package-group" && len(names) > 2:
		rq.Domain = names[1]
		rq.PackageGroup, err = decodePattern(strings.TrimPrefix(parts[5], "package-group/"+rq.Domain))
		if err != nil {
			return nil, "", err
		}
		_, g, err := s.group(rq, need)
		if err != nil {
			return nil, "", err
		}
		return g.tags, "", nil
	}
	return nil, "", invalid("FIELD_VALIDATION_FAILED", "%q names no resource that has tags", rq.ResourceARN)
}

func setTags(to map[string]string, tags []tag) {
	for _, t := range tags {
		to[t.Key] = t.Value
	}
}

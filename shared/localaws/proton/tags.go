package proton

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

func (t tag) key() string { return t.Key }

// listTagsForResource has pages, unlike that of other services.
// https://docs.aws.amazon.com/proton/latest/APIReference/API_ListTagsForResource.html
func (s *Service) listTagsForResource(rq request) (any, bool, error) {
	tags, err := s.tagsOf(rq)
	if err != nil {
		return nil, false, err
	}
	all := []tag{} // an empty list is sent as [], not left out
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		all = append(all, tag{key, tags[key]})
	}
	all, next, err := page(s, rq, all)
	if err != nil {
		return nil, false, err
	}
	return struct {
		Tags      []tag   `json:"tags"`
		NextToken *string `json:"nextToken,omitempty"`
	}{all, next}, false, nil
}

func (s *Service) tagResource(rq request) (any, bool, error) {
	tags, err := s.tagsOf(rq)
	if err != nil {
		return nil, false, err
	}
	before := maps.Clone(tags)
	setTags(tags, rq.Tags)
	return struct{}{}, !maps.Equal(before, tags), nil
}

func (s *Service) untagResource(rq request) (any, bool, error) {
	tags, err := s.tagsOf(rq)
	if err != nil {
		return nil, false, err
	}
	before := len(tags)
	for _, key := range rq.TagKeys {
		delete(tags, key)
	}
	return struct{}{}, len(tags) < before, nil
}

// tagsOf finds the tags of the connection that an ARN names. They are the environment account's own: it sets them, and
// nobody else sees them.
// https://docs.aws.amazon.com/proton/latest/userguide/ag-env-account-connections.html
func (s *Service) tagsOf(rq request) (map[string]string, error) {
	own := fmt.Sprintf("arn:aws:proton:%s:%s:environment-account-connection/", rq.Region, rq.Account)
	id, found := strings.CutPrefix(rq.ResourceARN, own)
	if !found {
		return nil, clientError("AccessDeniedException",
			"User: arn:aws:iam::%s:root is not authorized to perform: proton:%s on resource: %s", rq.Account, rq.operation, rq.ResourceARN)
	}
	c := s.find(rq.Region, id)
	if c == nil {
		return nil, notFound(id)
	}
	return c.tags, nil
}

func setTags(to map[string]string, tags []tag) {
	for _, t := range tags {
		to[t.Key] = t.Value
	}
}

package codeartifact

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

// page returns the next items that the request asks for among those that keep wants, and the token of the page after
// them, if there are more. A token names the last item and the list it belongs to, so a page is right also when items
// came or went in between, and the token of another list is refused.
func page[T interface{ key() string }](
	s *Service, rq request, list *sorted[T], keep func(T) bool,
) (items []T, next *string, err error) {
	size := s.pageSize
	if rq.MaxResults != nil {
		size = *rq.MaxResults
	}
	if s.pageLimit > 0 {
		size = min(size, s.pageLimit)
	}
	name := rq.list()
	start := 0
	if rq.NextToken != nil {
		decoded, err := base64.RawURLEncoding.DecodeString(*rq.NextToken)
		last, found := strings.CutPrefix(string(decoded), name+"\n")
		if err != nil || !found {
			return nil, nil, invalid("FIELD_VALIDATION_FAILED", "nextToken is not one of this list")
		}
		start, found = list.search(last)
		if found {
			start++
		}
	}
	items = []T{} // an empty list is sent as [], not left out
	for _, item := range list.items[start:] {
		if !keep(item) {
			continue
		}
		if len(items) == size {
			token := base64.RawURLEncoding.EncodeToString([]byte(name + "\n" + items[size-1].key()))
			return items, &token, nil
		}
		items = append(items, item)
	}
	return items, nil, nil
}

// list names the list that a request reads, whichever page of it.
func (rq request) list() string {
	rq.DomainOwner, rq.MaxResults, rq.NextToken = rq.owner(), nil, nil
	members, _ := json.Marshal(rq) // what came as JSON goes as JSON
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(members, "%s %s %s", rq.operation, rq.Account, rq.Region)))
}

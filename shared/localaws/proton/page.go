package proton

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// page returns those of the items, in the order of their keys, that the request asks for, and the token of the page after
// them, if there are more. A token names the last item and the list it belongs to, so a page is right also when items
// came or went in between, and the token of another list is refused.
func page[T interface{ key() string }](s *Service, rq request, items []T) (page []T, next *string, err error) {
	size := s.pageSize
	if rq.MaxResults != nil {
		size = *rq.MaxResults
	}
	if s.pageLimit > 0 {
		size = min(size, s.pageLimit)
	}
	name := rq.list()
	if rq.NextToken != nil {
		decoded, err := base64.StdEncoding.DecodeString(*rq.NextToken)
		last, found := strings.CutPrefix(string(decoded), name+"\n")
		if err != nil || !found {
			return nil, nil, invalid("nextToken is not one of this list")
		}
		start := slices.IndexFunc(items, func(item T) bool { return item.key() > last })
		if start < 0 {
			start = len(items)
		}
		items = items[start:]
	}
	if len(items) <= size {
		return items, nil, nil
	}
	token := base64.StdEncoding.EncodeToString([]byte(name + "\n" + items[size-1].key()))
	return items[:size], &token, nil
}

// list names the list that a request reads, whichever page of it.
func (rq request) list() string {
	rq.MaxResults, rq.NextToken = nil, nil
	return rq.digest()
}

// digest tells requests with different input or callers apart.
func (rq request) digest() string {
	members, _ := json.Marshal(rq) //nolint:gosec // G117: a client token is no secret; and what came as JSON goes as JSON
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(members, "%s %s %s", rq.operation, rq.Account, rq.Region)))
}

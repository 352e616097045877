package proton

import (
	"fmt"
	"regexp"
	"sync"
	"time"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/eventbridge"
)

// A Service is the Proton of every account and Region of a World.
type Service struct {
	world      *localaws.World
	bridge     *eventbridge.Service
	operations []operation
	patterns   map[string]*regexp.Regexp // by member name
	quota      int
	pageSize   int
	pageLimit  int // 0 is none
	unknowns   Unknowns

	connections  []*connection // in the order of their ids, which is that of their requests
	environments []*environment
	creations    map[token]creation
	ids          int

	telling sync.Mutex // held while events are put, so that none is on its way when a call is answered
	untold  []eventbridge.Event
	deliver func([]eventbridge.Event) []eventbridge.Event
}

// New adds Proton to a World, empty. Its events go to the default buses of bridge.
func New(w *localaws.World, bridge *eventbridge.Service) *Service {
	s := &Service{
		world:      w,
		bridge:     bridge,
		operations: operations(),
		patterns:   patterns(),
		quota:      5,
		pageSize:   100,
		creations:  map[token]creation{},
	}
	w.Serve("proton", localaws.JSON10, s.route)
	w.OnCall(s.tell)
	return s
}

// SetQuota sets how many connections an environment account may have in one Region. AWS's default is 5. It binds the API,
// not the setup.
// https://docs.aws.amazon.com/proton/latest/userguide/ag-limits.html
func (s *Service) SetQuota(n int) {
	s.world.Hold(func(time.Time) { s.quota = n })
}

// SetPageSize sets how many items a page holds when the request does not say. AWS does not document its number; it is
// 100 here until set.
func (s *Service) SetPageSize(n int) {
	s.world.Hold(func(time.Time) { s.pageSize = n })
}

// SetPageLimit sets how many items a page holds at most, also if the request asks for more: AWS may always send fewer. There
// is no limit until set, and none at 0.
func (s *Service) SetPageLimit(n int) {
	s.world.Hold(func(time.Time) { s.pageLimit = n })
}

// newID returns ids that ascend, so that the order of ids is that of creation.
func (s *Service) newID() string {
	s.ids++
	return fmt.Sprintf("00000000-0000-4000-9000-%012x", s.ids)
}

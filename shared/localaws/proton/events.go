package proton

import (
	"encoding/json"
	"time"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/eventbridge"
)

// became keeps the events of a status change until the call is over. AWS documents their detail, and prints no sample that
// is whole: the envelope is made up after those of other services.
// https://docs.aws.amazon.com/proton/latest/userguide/event-bridge.html
func (s *Service) became(rq request, c *connection, status, before Status) {
	detail := map[string]string{"id": c.id, "status": string(status)}
	if s.unknowns.PreviousStatus == OrEmpty || s.unknowns.PreviousStatus == IfAny && before != "" {
		detail["previousStatus"] = string(before)
	}
	encoded, _ := json.Marshal(detail) // strings always encode
	for _, account := range s.told(c) {
		s.untold = append(s.untold, eventbridge.Event{
			ID: s.newID(), Account: account, Region: c.region, Bus: "default", Source: "aws.proton",
			DetailType: "AWS Proton Environment Account Connection Status Change", Detail: encoded,
			Resources: []string{c.arn()}, Time: rq.Now,
		})
	}
}

func (s *Service) told(c *connection) []string {
	switch s.unknowns.EventsTo {
	case ManagementAccount:
		return []string{c.managementAccount}
	case BothAccounts:
		return []string{c.environmentAccount, c.managementAccount}
	}
	return []string{c.environmentAccount}
}

// tell puts what has happened on the buses, before the call is answered.
func (s *Service) tell(localaws.Call) {
	s.telling.Lock()
	defer s.telling.Unlock()
	var events []eventbridge.Event
	var deliver func([]eventbridge.Event) []eventbridge.Event
	s.world.Hold(func(time.Time) {
		events, s.untold = s.untold, nil
		deliver = s.deliver
	})
	if len(events) == 0 {
		return
	}
	if deliver != nil {
		events = deliver(events)
	}
	s.bridge.Put(events...)
}

// Deliver has f decide what becomes of the events of a status change: what it returns is delivered, in that order. So it
// can drop events and double them, and hold them back for a later [eventbridge.Service.Put], late or in another order. It
// is called for one call at a time and must make none itself. nil delivers everything. AWS promises no more than its best
// effort: https://docs.aws.amazon.com/proton/latest/userguide/event-bridge.html.
func (s *Service) Deliver(f func([]eventbridge.Event) []eventbridge.Event) {
	s.world.Hold(func(time.Time) { s.deliver = f })
}

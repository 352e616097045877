package proton

import "time"

// Unknowns are questions that AWS's documentation leaves open. Whoever calls Proton has to be ready for each answer; the
// zero value holds the ones that seem likeliest. What CloudTrail leaves open is set at the trail.
type Unknowns struct {
	// WrongStateIsInvalid answers with ValidationException, and not with ConflictException, where a connection is not in
	// a state that can be accepted or rejected.
	WrongStateIsInvalid bool
	// RejectedAreFree leaves rejected connections out of the quota.
	RejectedAreFree bool
	// RejectionIsDated has a rejection move lastModifiedAt. In AWS's one sample it does not.
	RejectionIsDated bool
	// EventsTo says on whose default bus the event of a status change arrives.
	EventsTo Side
	// PreviousStatus says which events tell what the status was before.
	PreviousStatus PreviousStatus
}

// A Side is one of the two accounts of a connection, or both.
type Side int

// The sides. The ARN of a connection has the environment account in it, which is why it comes first.
const (
	EnvironmentAccount Side = iota
	ManagementAccount
	BothAccounts
)

// PreviousStatus is how an event tells of the status before.
type PreviousStatus int

const (
	// IfAny leaves previousStatus out when a connection is new.
	IfAny PreviousStatus = iota
	// OrEmpty has it empty then.
	OrEmpty
	// Never leaves it out always.
	Never
)

// Assume sets the answers from now on.
func (s *Service) Assume(u Unknowns) {
	s.world.Hold(func(time.Time) { s.unknowns = u })
}

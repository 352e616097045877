// Package round has all accounts swept at once, and says what became of it. A
// round is one sweep of every control in every account that the deployment looks
// at. The planner function asks for the sweeps of a round on the stack's own bus,
// and puts together what the sweeps of earlier rounds reported.
//
// It sweeps nothing itself, decides nothing about any resource and writes nothing
// but events. What it knows of earlier rounds it reads from the log of those
// events, so it keeps no state of its own; a round whose events cannot be read is
// not called complete.
//
// round.go has the words and the pure part, plan.go and gather.go the two halves
// of a run, handler.go puts them in order.
package round

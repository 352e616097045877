package control

import (
	"context"
	"fmt"
	"time"
)

// Margin is the time that is kept free before the deadline of a run. It is
// enough for the write under way (seven seconds at most) and the look after it
// (eight); what is left is for the report, which writes down what it has no time
// to send.
const Margin = 20 * time.Second

const (
	recheckTime = 15 * time.Second // for the second reading before a write
	writeTime   = 7 * time.Second  // for the write: its one attempt, and what it waits for before, such as its turn
	verifyTime  = 8 * time.Second  // for the look after it, and a second one, which are made inside the margin
	lookPause   = 2 * time.Second  // between these two
)

// Phases divides the time of a run. Reading ends with look. New work may be begun
// until begin ends, which is [Margin] before the deadline of ctx; a quarter of the
// time until then is kept from the reading, so that a part of AWS that answers
// badly does not leave everything that was found undone. What was begun is
// finished and recorded in ctx itself.
func Phases(ctx context.Context) (look, begin context.Context, cancel context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		begin, cancel = context.WithCancel(ctx)
		return begin, begin, cancel
	}
	begin, endBegin := context.WithDeadline(ctx, deadline.Add(-Margin))
	left := time.Until(deadline.Add(-Margin))
	look, endLook := context.WithTimeout(begin, left-left/4)
	return look, begin, func() { endLook(); endBegin() }
}

// Answer is how much AWS's answer to a write says about its effect.
type Answer int

// The answers.
const (
	Lost     Answer = iota // no usable answer: the write may or may not have happened
	Refused                // AWS turned the request away, and did nothing
	Objected               // AWS said that the state is not one in which it can be done: gone, in conflict or not valid
	Accepted               // AWS said that it did it
)

// Actor is what a control supplies for carrying out its actions. Nothing but
// Write changes anything.
type Actor interface {
	// Recheck reads the resource of the action afresh and decides again. The plan
	// is about that one resource; a resource that is gone gives an empty plan, one
	// that cannot be read a plan with an Undetermined finding.
	Recheck(ctx context.Context, a Action) Plan

	// Write makes the one call of the action, in one attempt. The error is nil if
	// and only if the answer is Accepted.
	Write(ctx context.Context, a Action) (Answer, error)

	// Verify looks whether the effect of the action is there, whoever brought it
	// about. An error says that it could not see that; a Restore counts even so.
	Verify(ctx context.Context, a Action) (Look, error)
}

// Look is what the look after a write found.
type Look struct {
	Done bool // the effect is there

	// Restore says what was lost with the write that nobody decided on, because
	// somebody changed the resource in the last moment. Empty is nothing.
	Restore string

	// Undo takes the place of the action's undo where Restore is not empty.
	Undo []Call

	Remark string // what a person should know beside that
}

// Recorder keeps what was about to be done and what became of it.
type Recorder interface {
	// Intent must have handed the record on when it returns nil. After an error
	// the write is not made.
	Intent(ctx context.Context, a Action) error

	Outcome(ctx context.Context, o Outcome)
}

// Apply carries out actions that passed the gate, one after the other, and
// returns one outcome for each, in order. For every action it
//
//  1. reads and decides again, and goes on only if the fresh plan still has the
//     action;
//  2. records the intent, with the state just read and the undo;
//  3. makes the one write;
//  4. looks again, whatever the answer was;
//  5. records the outcome.
//
// Steps 1 and 2 are done in begin, the rest in ctx, so that a run which is told
// to stop finishes what it began. A failed action does not stop the others.
func Apply(ctx, begin context.Context, actions []Action, actor Actor, rec Recorder) []Outcome {
	outcomes := make([]Outcome, 0, len(actions))
	for _, a := range actions {
		o := apply(ctx, begin, a, actor, rec)
		rec.Outcome(ctx, o)
		outcomes = append(outcomes, o)
	}
	return outcomes
}

func apply(ctx, begin context.Context, a Action, actor Actor, rec Recorder) Outcome {
	tooLate := Outcome{Action: a, Status: Withheld, Code: "deadline", Detail: "the run had to stop before this action; the next sweep looks again"}
	if begin.Err() != nil {
		return tooLate
	}

	again, cancel := context.WithTimeout(begin, recheckTime)
	fresh, verdict := recheck(again, a, actor)
	cancel()
	if begin.Err() != nil {
		return tooLate // also where the reading was cut off by it
	}
	if verdict != nil {
		return *verdict
	}

	if err := rec.Intent(begin, fresh); err != nil {
		return Outcome{Action: fresh, Status: Withheld, Code: "not-recorded",
			Detail: fmt.Sprintf("the intent could not be recorded, so nothing was written: %v", err)}
	}

	writing, cancel := context.WithTimeout(ctx, writeTime)
	answer, err := actor.Write(writing, fresh)
	cancel()
	looking, cancel := context.WithTimeout(ctx, verifyTime)
	look, unseen := actor.Verify(looking, fresh)
	if unseen == nil && !look.Done && look.Restore == "" && (answer == Accepted || answer == Lost) {
		look = lookAgain(looking, actor, fresh, look)
	}
	cancel()

	o := Outcome{Action: fresh}
	if look.Restore != "" {
		o.Status, o.Code, o.Detail, o.Undo = RestoreNeeded, "changed-meanwhile", look.Restore, look.Undo
		return o
	}
	o.Status, o.Code, o.Detail = judge(answer, err, look.Done, unseen)
	if look.Remark != "" {
		o.Detail += "; " + look.Remark
	}
	return o
}

// lookAgain looks a second time, a moment after the first look found nothing of what
// may have been done, as AWS may show a change only then.
func lookAgain(ctx context.Context, actor Actor, a Action, first Look) Look {
	select {
	case <-time.After(lookPause):
	case <-ctx.Done():
		return first
	}
	if second, err := actor.Verify(ctx, a); err == nil {
		return second
	}
	return first
}

// recheck reads and decides again. It returns the action as the fresh plan has
// it, or the outcome that ends it here.
func recheck(ctx context.Context, a Action, actor Actor) (Action, *Outcome) {
	plan := actor.Recheck(ctx, a)
	for _, f := range plan.Findings {
		if f.Verdict == Undetermined {
			return a, &Outcome{Action: a, Status: Withheld, Code: "undetermined",
				Detail: "the second reading did not settle it: " + f.Reason}
		}
	}
	for _, fresh := range plan.Actions {
		if fresh.ID == a.ID && fresh.Call.Operation == a.Call.Operation && plan.violations()[a.ID] {
			return fresh, nil
		}
	}
	for _, f := range plan.Findings {
		if f.ID == a.ID {
			return a, &Outcome{Action: a, Status: Withheld, Code: "no-longer-asked",
				Detail: "the second reading does not ask for it: " + f.Reason}
		}
	}
	return a, &Outcome{Action: a, Status: AlreadyDone, Code: "gone",
		Detail: "the second reading did not find it any more"}
}

// judge concludes from the answer to a write and from the look after it.
//
//	answer   | the look: done             | not done              | could not look
//	---------+----------------------------+-----------------------+------------------------
//	accepted | applied, verified          | failed, unverified    | applied, unverified
//	refused  | already-done, gone         | failed, refused       | failed, refused
//	objected | already-done, refused      | failed, refused       | failed, unverified
//	lost     | applied, answer-lost       | failed, answer-lost   | failed, unverified
//
// The look comes right after the write, and AWS may show a change only later. So it is
// made twice where the first one does not find what was accepted, or has no answer; and
// that may still have been done although the second one does not find it, either. See
// [Outcome.Done].
//
// AWS objects as well to a request that comes twice, by whatever stands between
// here and its data, although it was carried out the first time. So an objection
// does not settle who did it.
func judge(answer Answer, err error, done bool, unseen error) (Status, string, string) {
	switch {
	case answer == Accepted && unseen != nil:
		return Applied, "unverified", fmt.Sprintf("AWS accepted the call, but the look after it failed: %v", unseen)
	case answer == Accepted && done:
		return Applied, "verified", "AWS accepted the call, and a look after it confirmed the effect"
	case answer == Accepted:
		return Failed, "unverified", "AWS accepted the call, but a look after it did not find the effect; it may show later"
	case answer == Refused && unseen == nil && done:
		return AlreadyDone, "gone", fmt.Sprintf("somebody else was first: %v", err)
	case answer == Objected && unseen == nil && done:
		return AlreadyDone, "refused", fmt.Sprintf("AWS refused the call, and a look after it found the effect: somebody else was first, or the call was carried out all the same: %v", err)
	case answer == Objected && unseen != nil:
		return Failed, "unverified", fmt.Sprintf("AWS refused the call (%v), but the look after it failed (%v), so it is not certain that nothing was changed", err, unseen)
	case answer == Refused || answer == Objected:
		return Failed, "refused", fmt.Sprintf("the call was refused and nothing was changed: %v", err)
	case unseen != nil:
		return Failed, "unverified", fmt.Sprintf("the call may have taken effect: its answer was lost (%v), and so was the look after it (%v)", err, unseen)
	case done:
		return Applied, "answer-lost", fmt.Sprintf("the answer was lost (%v), but a look after it found the effect", err)
	default:
		return Failed, "answer-lost", fmt.Sprintf("the answer was lost (%v), and a look after it did not find the effect; it may show later", err)
	}
}

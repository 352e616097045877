// Package doctor examines a deployment of template.yaml: whether what it needs is
// there, is turned on, and may do what it should. It reads and cannot write.
//
// What was read is kept apart from what is made of it. read.go asks AWS and notes
// the answers as [Facts]; judge.go and trail.go turn these into checks and call
// nobody; parts.go says what a deployment consists of.
//
// What could not be read is unknown, and never well. And what is well here is no
// proof that a sweep works: that alone shows in the summaries of the rounds, which
// are among what is examined.
package doctor

import "time"

// State is what a check comes to.
type State string

// The states.
const (
	OK        State = "ok"
	Failed    State = "failed"
	Unknown   State = "unknown"    // it could not be read, or it is too early to tell
	NotNeeded State = "not needed" // nothing in this deployment asks for it
)

// States returns all of them, in the order in which they ask for something.
func States() []State { return []State{Failed, Unknown, OK, NotNeeded} }

// Check is one thing that was looked at.
type Check struct {
	Name    string // what kind of thing it is, such as rule
	Subject string // which one; empty where there is one only
	State   State
	Found   string // what there is, or why it is not known
	Do      string // what to do about it; empty where there is nothing to do
}

// Worst is the state of everything: what failed goes before what is unknown, and
// that before what is well.
func Worst(checks []Check) State {
	worst := OK
	for _, c := range checks {
		switch c.State {
		case Failed:
			return Failed
		case Unknown:
			worst = Unknown
		}
	}
	return worst
}

// Fact is something that was to be read: it was, or it is not there, or it could not
// be read.
type Fact[T any] struct {
	Value  T
	Absent string // AWS's answer that it does not exist
	Unread string // why it could not be read, and what to do about that
}

// Facts are what was read of one deployment.
type Facts struct {
	Account, Region string
	Caller          string // ARN of whoever looks
	Name            string // of the stack

	Stack     Fact[Stack]
	Resources Fact[map[string]Resource] // by logical id
	Trails    Fact[[]Trail]
	Domains   Fact[struct{}] // that CodeArtifact answers
	Proton    Fact[string]   // why it is taken for gone; empty where it answers

	// These are by logical id, of what the stack says that it deployed.
	Bus       Fact[Bus]
	Rules     map[string]Fact[Rule]
	Schedules map[string]Fact[Schedule]
	Queues    map[string]Fact[Queue]
	Batches   map[string]Fact[Batches]
	Functions map[string]Fact[Function]
	Roles     map[string]Fact[Role]

	Now    time.Time // by AWS's clock
	Rounds Fact[Rounds]
}

// Stack is what CloudFormation says of the stack.
type Stack struct {
	Status     string
	Parameters map[string]string
}

// Resource is one that the stack deployed.
type Resource struct{ ID, Type string }

// Bus is the stack's event bus.
type Bus struct{ Policy string }

// Rule is a rule of a bus.
type Rule struct {
	State   string
	Targets []string // ARNs
}

// Schedule is one of the scheduler.
type Schedule struct{ State, Target string }

// Queue is one of SQS.
type Queue struct{ Messages int }

// Batches are how a function is given what is in a queue.
type Batches struct{ State string }

// Function is one of Lambda.
type Function struct {
	State, Reason string
	LastUpdate    string
	Environment   map[string]string // nil where it could not be read
	Layers        []string
	Reserved      *int // concurrency
}

// Role is one of IAM.
type Role struct {
	Document string   // of the one policy that the template gives it, as JSON
	Others   []string // policies that it does not
}

// Rounds are what the log tells of rounds since some time.
type Rounds struct {
	Since   time.Time
	Planned *time.Time // when the last one was asked for
	Over    *Round     // the last one that is over
}

// Round is what became of a round.
type Round struct {
	ID       string
	At       time.Time
	Unknown  string // why there may be more accounts than were asked for
	Controls []Swept
}

// Swept is what became of the sweeps of one control.
type Swept struct {
	Control             string
	Expected, Gone      int
	Missing, Incomplete []string // accounts
}

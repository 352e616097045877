package control

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Scope is the account and Region that a run looks at. Account is the 12-digit
// account number as a string, Region a name such as "eu-west-1".
type Scope struct {
	Account string `json:"account"`
	Region  string `json:"region"`
}

// Mode is how far a control may go. It is a setting of the deployment, one for
// each control, so that the IAM role and the program are narrowed together.
type Mode string

// The modes.
const (
	Off     Mode = "off"     // do not even look
	Monitor Mode = "monitor" // look, decide and report, never write
	Enforce Mode = "enforce" // carry out what the policy asks for
)

// ParseMode reads a mode. The empty string is Monitor, so that a deployment that
// says nothing writes nothing.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case "":
		return Monitor, nil
	case Off, Monitor, Enforce:
		return m, nil
	default:
		return "", fmt.Errorf("mode %q is none of off, monitor and enforce", s)
	}
}

// Verdict is what was concluded about one resource.
type Verdict string

// The verdicts.
const (
	Compliant Verdict = "compliant" // the policy allows what is there
	Violation Verdict = "violation" // the policy does not allow what is there
	Waived    Verdict = "waived"    // not allowed, but a waiver is in force

	// Undetermined means that something was unreadable, partial or ambiguous. It
	// never leads to an action and never counts as compliant.
	Undetermined Verdict = "undetermined"
)

// Finding is one conclusion of one control about one resource.
type Finding struct {
	ID       string  `json:"id"` // the same in every run, see [FindingID]
	Control  string  `json:"control"`
	Account  string  `json:"account"`  // account that the run looked at
	Region   string  `json:"region"`   // Region that the run looked at
	Resource string  `json:"resource"` // ARN
	Subject  string  `json:"subject"`  // what about the resource, such as a connection name; may be empty
	Verdict  Verdict `json:"verdict"`
	Code     string  `json:"code"`   // the reason as a stable word, for machines
	Reason   string  `json:"reason"` // the reason as a sentence, for people

	// Effect says what would change if the violation were removed. Empty unless
	// the verdict is Violation.
	Effect string `json:"effect,omitempty"`

	// Waiver names the waiver that is in force, or that ran out.
	Waiver string `json:"waiver,omitempty"`

	// Notes are remarks that do not change the verdict, such as a waiver that
	// ends soon.
	Notes []string `json:"notes,omitempty"`

	// Details holds what is particular to the control. It must marshal to a JSON
	// object.
	Details any `json:"details,omitempty"`
}

// FindingID returns the identity of a finding: equal for the same control,
// resource and subject in every run, wherever the run was made from.
func FindingID(control, resource, subject string) string {
	sum := sha256.Sum256([]byte(control + "\x00" + resource + "\x00" + subject))
	return hex.EncodeToString(sum[:8])
}

// Call is one call to AWS as data: never a shell line, so that foreign names in
// it cannot become commands.
type Call struct {
	Service   string `json:"service"`   // as the AWS CLI names it, such as "codeartifact"
	Operation string `json:"operation"` // the API's name, such as "AssociateExternalConnection"
	Input     any    `json:"input"`     // what the AWS CLI takes with --cli-input-json
}

// Action is one change that would end one violation.
type Action struct {
	ID       string `json:"id"` // the ID of its finding
	Control  string `json:"control"`
	Account  string `json:"account"`
	Region   string `json:"region"`
	Resource string `json:"resource"`
	Subject  string `json:"subject"`
	Owner    string `json:"owner"`  // account that owns the resource: the one in its ARN
	Domain   string `json:"domain"` // CodeArtifact domain; empty for other services
	Reason   string `json:"reason"`
	Call     Call   `json:"call"`   // the write
	Before   any    `json:"before"` // the whole state that the decision was made on
	Undo     []Call `json:"undo"`   // what restores it, in order; empty if nothing can
}

// Plan is what a control concluded from one observation: a value that can be
// printed, compared and thrown away. It holds no functions and nothing in it has
// been done.
type Plan struct {
	// Looked is how many resources were read completely, whatever the verdict; a
	// control may leave out what it could not judge. The limit's share is a share of
	// this.
	Looked int

	// Findings are all conclusions but the trivial one: a resource about which
	// there is nothing to say is counted in Looked and has no finding.
	Findings []Finding

	// Actions are the changes that the policy asks for, before the gate.
	Actions []Action
}

// violations tells, for every finding's ID, whether all findings of that ID are
// violations. Only those may lead to a write.
func (p Plan) violations() map[string]bool {
	ids := make(map[string]bool, len(p.Findings))
	for _, f := range p.Findings {
		was, seen := ids[f.ID]
		ids[f.ID] = f.Verdict == Violation && (was || !seen)
	}
	return ids
}

// Status is what became of an action.
type Status string

// The statuses.
const (
	Applied     Status = "applied"      // written by this run
	Withheld    Status = "withheld"     // not written, on purpose
	AlreadyDone Status = "already-done" // done, and by somebody else as far as AWS says
	Failed      Status = "failed"       // tried, and not seen to be done

	// RestoreNeeded means that it was done, and that something went with it which
	// nobody decided on. The undo of the outcome puts it back.
	RestoreNeeded Status = "restore-needed"
)

// Outcome is an action and what became of it.
type Outcome struct {
	Action
	Status Status `json:"status"`
	Code   string `json:"code"`   // why, as a stable word
	Detail string `json:"detail"` // why, as a sentence
}

// Done tells whether the write of an outcome was made, or may have been, and what of
// the latter is not known. Whatever was, or may have been, counts as a change and can
// be undone.
func (o Outcome) Done() (done bool, unsure string) {
	switch {
	case o.Status == Applied, o.Status == RestoreNeeded:
		return true, ""
	case o.Status == AlreadyDone && o.Code == "refused":
		return true, "AWS refused it and yet it was done, most likely by somebody else"
	case o.Status == Failed && (o.Code == "unverified" || o.Code == "answer-lost"):
		return true, "it is not known whether it was done"
	default:
		return false, ""
	}
}

package present

import (
	"encoding/json"
	"io"
	"time"

	"portcullis/shared/control"
)

const (
	planFormat  = "portcullis-plan"
	planVersion = 1
)

// document is a result as JSON. Its shape is documented in docs/cli.md: keys are
// added to it, and none is taken away or changes its meaning within a version.
type document struct {
	Format  string                  `json:"format"`
	Version int                     `json:"version"`
	Account string                  `json:"account"`
	Policy  documentPolicy          `json:"policy"`
	Verdict control.Verdict         `json:"verdict"` // about everything
	Counts  map[control.Verdict]int `json:"verdicts"`
	Parts   []documentPart          `json:"parts"`
}

type documentPolicy struct {
	File string `json:"file"`
	Hash string `json:"hash"`
}

type documentPart struct {
	control.Scope
	Control       string            `json:"control"`
	At            *time.Time        `json:"at"` // by AWS's clock; null where it is not known
	Complete      bool              `json:"complete"`
	Gone          bool              `json:"gone"`
	Looked        int               `json:"looked"`
	NotAskedFor   int               `json:"notAskedFor"`
	Wanted        int               `json:"wanted"`
	Allowed       int               `json:"allowed"`
	LimitExceeded bool              `json:"limitExceeded"`
	Findings      []documentFinding `json:"findings"`
}

type documentFinding struct {
	control.Finding
	Action *documentAction `json:"action,omitempty"`
}

type documentAction struct {
	Call     control.Call   `json:"call"`
	Undo     []control.Call `json:"undo"`
	Withheld string         `json:"withheld,omitempty"` // why enforcement would not do it
}

// JSON writes a result for a program. It holds every finding that was asked for.
func (r Result) JSON(w io.Writer) error {
	d := document{
		Format: planFormat, Version: planVersion, Account: r.Account, Policy: documentPolicy{r.PolicyFile, r.PolicyHash},
		Verdict: r.Worst(), Counts: map[control.Verdict]int{}, Parts: []documentPart{},
	}
	for _, v := range order() {
		d.Counts[v] = r.Verdicts()[v]
	}
	for _, p := range r.Parts {
		out := documentPart{
			Scope: p.Scope, Control: p.Control, Complete: p.Seen.Complete(), Gone: p.IsGone(), Looked: p.Looked, NotAskedFor: p.Left,
			Wanted: p.Gate.Wanted, Allowed: p.Gate.Allowed, LimitExceeded: p.Gate.Exceeded, Findings: []documentFinding{},
		}
		if !p.At.IsZero() {
			out.At = &p.At
		}
		for _, f := range p.Shown {
			out.Findings = append(out.Findings, documented(f))
		}
		d.Parts = append(d.Parts, out)
	}
	return encode(w, d)
}

func documented(f Finding) documentFinding {
	out := documentFinding{Finding: f.Finding}
	if f.Action != nil {
		out.Action = &documentAction{Call: f.Action.Call, Undo: f.Action.Undo, Withheld: f.Withheld}
	}
	return out
}

// encode writes a document as every command does.
func encode(w io.Writer, document any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(document)
}

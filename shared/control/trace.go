package control

// Result is what came of a trial.
type Result string

// The results.
const (
	Matched    Result = "matches"        // the rule speaks of the resource
	NotMatched Result = "does-not-match" // it does not, and Why says which field
	RanOut     Result = "ran-out"        // it matches, and does not hold any more
	Holds      Result = "holds"          // the condition is met
	Fails      Result = "does-not-hold"  // the condition is not met
	Unknown    Result = "unknown"        // what it depends on is not known
	NotTried   Result = "not-tried"      // something before it has settled the matter
)

// Trial is one rule of the policy, or one condition of a control, on the way to a
// conclusion.
type Trial struct {
	Rule    string  `json:"rule"` // where it stands in the policy, or the condition in words
	Result  Result  `json:"result"`
	Why     string  `json:"why"`               // may be empty
	Settles Verdict `json:"settles,omitempty"` // the verdict that it leads to; empty where the next one is tried
}

// Trace takes down the trials of one conclusion while it is drawn. A nil Trace takes
// down nothing, so that who only wants the conclusion pays for nothing else.
type Trace struct{ Trials []Trial }

// Add takes down a trial. Why is called only if somebody wants to know, and may be
// nil.
func (t *Trace) Add(rule string, result Result, settles Verdict, why func() string) {
	if t == nil {
		return
	}
	trial := Trial{Rule: rule, Result: result, Settles: settles}
	if why != nil {
		trial.Why = why()
	}
	t.Trials = append(t.Trials, trial)
}

// Rest takes down those of the given rules that were not tried.
func (t *Trace) Rest(rules ...string) {
	if t == nil {
		return
	}
	tried := map[string]bool{}
	for _, trial := range t.Trials {
		tried[trial.Rule] = true
	}
	for _, rule := range rules {
		if !tried[rule] {
			t.Add(rule, NotTried, "", nil)
		}
	}
}

// Explained is a finding, and how it came about. Nothing was tried for a finding
// that something could not be read.
type Explained struct {
	Finding
	Trials []Trial
}

package present

import (
	"fmt"
	"io"
	"strings"

	"portcullis/internal/doctor"
	"portcullis/shared/control"
)

// Examination is what was found of the deployments of one account.
type Examination struct {
	Account string
	Stack   string
	Regions []RegionChecks
}

// RegionChecks are the checks of a deployment in one Region.
type RegionChecks struct {
	Region string
	Checks []doctor.Check
}

// Worst is the state of everything that was looked at.
func (e Examination) Worst() doctor.State {
	var all []doctor.Check
	for _, r := range e.Regions {
		all = append(all, r.Checks...)
	}
	return doctor.Worst(all)
}

func (e Examination) states() map[doctor.State]int {
	n := map[doctor.State]int{}
	for _, r := range e.Regions {
		for _, c := range r.Checks {
			n[c.State]++
		}
	}
	return n
}

// paints are the verdicts whose colours the states have.
var paints = map[doctor.State]control.Verdict{
	doctor.OK: control.Compliant, doctor.Failed: control.Violation, doctor.Unknown: control.Undetermined,
}

// Text writes what was found for a person: a line for each check, and below it what
// to do, where there is something.
func (e Examination) Text(w io.Writer, colour bool) error {
	var b strings.Builder
	for _, r := range e.Regions {
		fmt.Fprintf(&b, "%s in account %s, %s\n", Plain(e.Stack), e.Account, r.Region)
		for _, c := range r.Checks {
			what := c.Name
			if c.Subject != "" {
				what += " " + c.Subject
			}
			fmt.Fprintf(&b, "  %s  %s: %s\n", paint(colour, paints[c.State], fmt.Sprintf("%-10s", c.State)), what, Plain(c.Found))
			if c.Do != "" {
				fmt.Fprintf(&b, "              to do: %s\n", Plain(c.Do))
			}
		}
		b.WriteString("\n")
	}
	var parts []string
	for _, s := range doctor.States() {
		if n := e.states()[s]; n > 0 || s == doctor.Failed {
			parts = append(parts, paint(colour && n > 0, paints[s], fmt.Sprintf("%d %s", n, s)))
		}
	}
	b.WriteString(strings.Join(parts, ", ") + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// JSON writes what was found for a program. As with a plan, keys are added within a
// version, and none is taken away or changes its meaning.
func (e Examination) JSON(w io.Writer) error {
	type check struct {
		Name    string       `json:"check"`
		Subject string       `json:"subject,omitempty"`
		State   doctor.State `json:"state"`
		Found   string       `json:"found"`
		Do      string       `json:"do,omitempty"`
	}
	type region struct {
		Region string  `json:"region"`
		Checks []check `json:"checks"`
	}
	d := struct {
		Format  string               `json:"format"` // "portcullis-doctor"
		Version int                  `json:"version"`
		Account string               `json:"account"`
		Stack   string               `json:"stack"`
		State   doctor.State         `json:"state"` // of everything
		States  map[doctor.State]int `json:"states"`
		Regions []region             `json:"regions"`
	}{"portcullis-doctor", 1, e.Account, e.Stack, e.Worst(), map[doctor.State]int{}, []region{}}
	for _, s := range doctor.States() {
		d.States[s] = e.states()[s]
	}
	for _, r := range e.Regions {
		out := region{Region: r.Region, Checks: []check{}}
		for _, c := range r.Checks {
			out.Checks = append(out.Checks, check(c))
		}
		d.Regions = append(d.Regions, out)
	}
	return encode(w, d)
}

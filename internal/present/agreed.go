package present

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"portcullis/shared/control"
)

// Agreed is a plan as JSON that somebody has read and agreed to.
type Agreed struct {
	account string
	parts   []string                   // the controls and the Regions that it is of
	calls   map[string]documentFinding // what enforcement would end, by ID
	about   map[string]bool            // the resources of these
}

// ReadAgreed reads what [Result.JSON] wrote. A part of it would look like a plan that
// asks for less.
func ReadAgreed(data []byte) (Agreed, error) {
	const anew = "`portcullis plan --output json` prints one"
	var d document
	if !json.Valid(data) {
		return Agreed{}, errors.New("it is not a plan as JSON, or not the whole of one; " + anew)
	}
	if err := json.Unmarshal(data, &d); err != nil || d.Format != planFormat || d.Version != planVersion || len(d.Parts) == 0 {
		return Agreed{}, errors.New("it is not a plan that this program reads; " + anew)
	}
	a := Agreed{account: d.Account, calls: map[string]documentFinding{}, about: map[string]bool{}}
	for _, p := range d.Parts {
		if p.Findings == nil {
			return Agreed{}, fmt.Errorf("what %s found is not in it; %s", p.Control, anew)
		}
		a.parts = append(a.parts, p.Control+" in "+p.Region)
		for _, f := range p.Findings {
			if f.Action == nil || f.Action.Withheld != "" {
				continue
			}
			if f.ID != control.FindingID(f.Control, f.Resource, f.Subject) || f.Action.Call.Operation == "" {
				return Agreed{}, fmt.Errorf("finding %.40q in it is not as a plan has it; %s", f.ID, anew)
			}
			a.calls[f.ID], a.about[f.Resource] = f, true
		}
	}
	slices.Sort(a.parts)
	return a, nil
}

// Empty tells whether there is no call that enforcement would make.
func (a Agreed) Empty() bool { return len(a.calls) == 0 }

// Asks tells whether enforcement would end a finding, or could not say it of its resource.
func (a Agreed) Asks(f control.Finding) bool {
	_, has := a.calls[f.ID]
	return has || f.Verdict == control.Undetermined && a.about[f.Resource]
}

// Fits is an error where the plan is not one of what is to be looked at.
func (a Agreed) Fits(account string, regions, controls []string) error {
	if account != a.account {
		return fmt.Errorf("it is of account %s, and these credentials are of %s; name a profile of that account with --profile", a.account, account)
	}
	var parts []string
	for _, region := range regions {
		for _, name := range controls {
			parts = append(parts, name+" in "+region)
		}
	}
	if slices.Sort(parts); !slices.Equal(a.parts, parts) {
		return fmt.Errorf("it is of %s, and this is about %s; name the same controls, and the same Regions with --region", strings.Join(a.parts, ", "), strings.Join(parts, ", "))
	}
	return nil
}

// Stands is an error where enforcement would not do now all that was agreed to.
func (a Agreed) Stands(parts []Part) error {
	now, unread := map[string]Finding{}, map[string]string{}
	for _, p := range parts {
		for _, f := range p.Shown {
			now[f.ID] = f
			if f.Verdict == control.Undetermined {
				unread[f.Resource] = f.Reason
			}
			if aboutMany(f.Finding) {
				unread[f.Control+f.Region] = f.Reason
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(a.calls)) {
		then := a.calls[id]
		if why := then.changed(now, cmp.Or(unread[then.Resource], unread[then.Control+then.Region])); why != "" {
			what := About(control.Action{Account: then.Account, Resource: then.Resource, Subject: then.Subject})
			return fmt.Errorf("it has %s called for %s, and now %s", then.Action.Call.Operation, what, why)
		}
	}
	return nil
}

// changed says what enforcement would do now in place of what it would have done then;
// "" where that is the same. The same call may have another effect, such as where a
// request was granted meanwhile.
func (then documentFinding) changed(now map[string]Finding, unread string) string {
	f, found := now[then.ID]
	switch {
	case f.Verdict == control.Undetermined:
		return "it is undetermined: " + f.Reason
	case !found && unread != "":
		return "it is undetermined: " + unread
	case !found:
		return "there is nothing to judge about it"
	case f.Action == nil:
		return "the policy asks for no call about it: " + f.Reason
	case f.Action.Call.Operation != then.Action.Call.Operation:
		return "the policy asks for " + f.Action.Call.Operation + ": " + f.Reason
	case f.Withheld != "":
		return "enforcement would not make it: " + f.Withheld
	case f.Effect != then.Effect:
		return fmt.Sprintf("its effect would be another one: %s; it was: %s", f.Effect, then.Effect)
	default:
		return ""
	}
}

package doctor

import (
	"fmt"
	"slices"
	"strings"
)

// Trail is one of CloudTrail.
type Trail struct {
	Name, HomeRegion          string
	MultiRegion, Organization bool
	Logging                   Fact[bool]
	Selectors                 Fact[Selectors]
}

// Selectors say what a trail logs. It has selectors of one kind or of the other.
type Selectors struct {
	Basic    []Basic
	Advanced [][]Field // each takes an event that meets all of its fields
}

// Basic is a basic event selector.
type Basic struct {
	ReadWrite  string // All, ReadOnly or WriteOnly
	Management bool
	Excluded   []string // sources of management events
}

// Field is a condition of an advanced event selector. Of each operator that is used,
// one value must hold, or none of those that are not to.
type Field struct {
	Name                      string
	Equals, NotEquals         []string
	StartsWith, NotStartsWith []string
	EndsWith, NotEndsWith     []string
}

// covers tells whether the trail logs what happens in a Region.
func (t Trail) covers(region string) bool { return t.MultiRegion || t.HomeRegion == region }

// logs tells whether write management events of a source are logged. The second is
// false where that cannot be told from the selectors.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html
func (s Selectors) logs(source string) (yes, known bool) {
	for _, b := range s.Basic {
		if b.Management && (b.ReadWrite == "All" || b.ReadWrite == "WriteOnly") && !slices.Contains(b.Excluded, source) {
			return true, true
		}
	}
	known = true
	for _, fields := range s.Advanced {
		takes, sure := true, true
		for _, f := range fields {
			value, about := map[string]string{"eventCategory": "Management", "readOnly": "false", "eventSource": source}[f.Name]
			switch {
			case !about:
				sure = false // it asks for something that not all calls have in common
			case !f.holds(value):
				takes = false
			}
		}
		switch {
		case takes && sure:
			return true, true
		case takes:
			known = false
		}
	}
	return false, known
}

func (f Field) holds(value string) bool {
	is := func(other string) bool { return value == other }
	begins := func(other string) bool { return strings.HasPrefix(value, other) }
	ends := func(other string) bool { return strings.HasSuffix(value, other) }
	for _, c := range []struct {
		values []string
		match  func(string) bool
		want   bool
	}{
		{f.Equals, is, true},
		{f.NotEquals, is, false},
		{f.StartsWith, begins, true},
		{f.NotStartsWith, begins, false},
		{f.EndsWith, ends, true},
		{f.NotEndsWith, ends, false},
	} {
		if c.values != nil && slices.ContainsFunc(c.values, c.match) != c.want {
			return false
		}
	}
	return true
}

// judgeTrails says whether calls of all these sources come to EventBridge as events.
// AWS sends them only where a trail logs them; one such trail is enough.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
func judgeTrails(f Fact[[]Trail], region string, s Stack) Check {
	sources := s.sources()
	if len(sources) == 0 {
		return Check{Name: "trail", State: NotNeeded, Found: "no control that is on listens to calls of AWS"}
	}
	const next = "have a trail log all write management events in this Region; until then events wake no control, and the sweeps alone find things"
	return examine("trail", "", f, "", func(trails []Trail) finding {
		var against []string
		unknown := false
		for _, t := range trails {
			if !t.covers(region) {
				against = append(against, fmt.Sprintf("%s logs %s only", t.Name, t.HomeRegion))
				continue
			}
			why, known := t.against(sources)
			if why == "" {
				return well("%s logs write management events%s", t.Name, t.reach(s.hasMembers()))
			}
			unknown = unknown || !known
			against = append(against, why)
		}
		switch {
		case unknown:
			return finding{Unknown, strings.Join(against, "; "), "ask whoever owns the trail, or " + next}
		case against == nil:
			return failed(next, "there is no trail")
		default:
			return failed(next, "no trail logs write management events: %s", strings.Join(against, "; "))
		}
	})
}

// reach says whose events the trail logs, where there are members: each of them needs
// a trail for its own.
func (t Trail) reach(members bool) string {
	switch {
	case !members:
		return ""
	case t.Organization:
		return ", of the whole organization"
	default:
		return ", of this account; each member needs a trail as well, which cannot be seen from here"
	}
}

// against says why a trail that covers the Region does not do; empty where it does.
func (t Trail) against(sources []string) (why string, known bool) {
	switch {
	case t.Logging.unread() != "":
		return t.Logging.unread(), false
	case !t.Logging.Value:
		return t.Name + " is not logging", true
	case t.Selectors.unread() != "":
		return t.Selectors.unread(), false
	}
	for _, source := range sources {
		switch yes, known := t.Selectors.Value.logs(source); {
		case !known:
			return fmt.Sprintf("%s has selectors of which it cannot be told whether they take all writes of %s", t.Name, source), false
		case !yes:
			return fmt.Sprintf("%s does not take the writes of %s", t.Name, source), true
		}
	}
	return "", true
}

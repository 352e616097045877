package packagegroup

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The tags of this control. The mark is the whole memory of it: no store is
// needed, and the owners of a group see it.
const (
	MarkTag = "portcullis:empty-since" // set by us: the group was seen to be dead
	KeepTag = "portcullis:keep"        // set by people: the group is kept, whatever the value
)

// validity is how long a mark is good after the grace period is over. An older
// one says nothing about the time since.
const validity = 7 * 24 * time.Hour

// Mark says when a group was first seen to be dead, and which creation of it, as
// a group of the same pattern may have been made anew.
type Mark struct{ Since, Created time.Time }

// String is the value of the tag: a time to the second, a slash, and the group's
// creation in milliseconds since 1970.
func (m Mark) String() string {
	return m.Since.UTC().Format(time.RFC3339) + "/" + strconv.FormatInt(m.Created.UnixMilli(), 10)
}

// ParseMark reads the value of a tag. It takes what String writes, and nothing
// else.
func ParseMark(value string) (Mark, error) {
	since, created, _ := strings.Cut(value, "/")
	at, err := time.Parse(time.RFC3339, since)
	ms, err2 := strconv.ParseInt(created, 10, 64)
	m := Mark{Since: at, Created: time.UnixMilli(ms).UTC()}
	if err != nil || err2 != nil || m.String() != value {
		return Mark{}, fmt.Errorf("%q is not a time, a slash and a number of milliseconds", value)
	}
	return m, nil
}

// state is what a mark is worth.
type state string

const (
	unmarked state = "unmarked" // there is none
	waiting  state = "waiting"  // good, and the grace period is not over
	ripe     state = "ripe"     // good, and the grace period is over
	void     state = "void"     // too old, from the future, unreadable, or of another creation
)

// judgeMark says what the mark among a group's tags is worth, and why where it is
// void.
func judgeMark(value string, present bool, created, now time.Time, grace time.Duration) (state, string) {
	if !present {
		return unmarked, ""
	}
	m, err := ParseMark(value)
	switch age := now.Sub(m.Since); {
	case err != nil:
		return void, "the mark cannot be read: " + err.Error()
	case m.Created.UnixMilli() != created.UnixMilli():
		return void, "the mark was set on an earlier group of this pattern"
	case age < 0:
		return void, "the mark is from the future"
	case age < grace:
		return waiting, ""
	case age > grace+validity:
		return void, fmt.Sprintf("the mark is of %s, which is too long ago to say anything of the time since", m.Since.Format(time.DateOnly))
	default:
		return ripe, ""
	}
}

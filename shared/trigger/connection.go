package trigger

import (
	"encoding/json"
	"fmt"
	"regexp"
	"sync"
)

// connection is made when it is first asked for: the functions that know nothing of
// Proton do not pay for it.
var connection = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
})

// ParseConnectionChange reads the payload of an invocation that is about Proton's
// environment account connections. These are known:
//
//   - Proton's own event of a status change, to PENDING or CONNECTED;
//   - CloudTrail's Create-, Update- and AcceptEnvironmentAccountConnection;
//   - the sweeps that [Parse] knows.
//
// A change to REJECTED or DELETED, and the calls that bring it about, are ignored:
// they are what this program itself does.
// https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-proton.html
func ParseConnectionChange(payload []byte) (Trigger, error) {
	return parse(payload, sweep, func(e envelope) (Trigger, bool, error) {
		switch {
		case e.Source != "aws.proton":
			return Trigger{}, false, nil
		case e.DetailType == "AWS Proton Environment Account Connection Status Change":
			t, err := parseStatusChange(e)
			return t, true, err
		case e.DetailType == "AWS API Call via CloudTrail":
			t, err := parseConnectionCall(e)
			return t, true, err
		}
		return Trigger{}, false, nil
	})
}

func parseStatusChange(e envelope) (Trigger, error) {
	var detail struct{ ID, Status string }
	if err := decode(e, &detail); err != nil {
		return Trigger{}, err
	}
	switch detail.Status {
	case "REJECTED", "DELETED":
		return ignore(e, "the connection is "+detail.Status), nil
	}
	t := Trigger{Cause: Event, ID: brief(e.ID), Account: e.Account, Region: e.Region, Connection: detail.ID}
	if err := t.named(); err != nil {
		return t, err
	}
	return t, t.placed("")
}

func parseConnectionCall(e envelope) (Trigger, error) {
	t, c, err := parseCall(e, "proton.amazonaws.com", []string{
		"CreateEnvironmentAccountConnection", "UpdateEnvironmentAccountConnection", "AcceptEnvironmentAccountConnection",
	})
	if err != nil || t.Cause == None {
		return t, err
	}
	// A request to create names no id; the answer to it does.
	t.Connection = c.parameter("id")
	var made struct{ ID json.RawMessage }
	if t.Connection == "" && json.Unmarshal(c.Elements["environmentAccountConnection"], &made) == nil {
		_ = json.Unmarshal(made.ID, &t.Connection) // what is no text names nothing
	}
	return t, t.named()
}

// named says whether the trigger names a connection.
func (t Trigger) named() error {
	if !connection().MatchString(t.Connection) {
		return fmt.Errorf("%w: %q is not the id of an environment account connection", ErrUnreadable, brief(t.Connection))
	}
	return nil
}

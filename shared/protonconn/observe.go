package protonconn

import (
	"context"
	"fmt"
	"strings"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
)

// Observation is what one run read.
type Observation struct {
	Scope control.Scope `json:"scope"`

	// Sides holds the connections of each side that was listed to the end.
	Sides map[Side][]Connection `json:"sides"`

	// Users are the names of the environments that use a connection, by its id. Nil
	// means that they were not read.
	Users map[string][]string `json:"users"`

	Unread []Unread `json:"unread"`         // what could not be read; the observation is complete only if it is empty
	Gone   *Unread  `json:"gone,omitempty"` // Proton is not there any more, and nothing was read

	Only string `json:"only,omitempty"` // restricts what is decided to one connection, by its id
}

// Unread is a part of the scope that nothing is known about.
type Unread struct {
	Resource string `json:"resource"`
	Side     Side   `json:"side"`
	Code     string `json:"code"`
	Reason   string `json:"reason"`
}

// Observe reads the connections of an account, on the given sides. Which
// environments use them is read only if one that is looked at is connected.
//
// Get is documented for the environment account only, and lists have no filter for
// an id, so a single connection is found in the list as well.
func Observe(ctx context.Context, api Reader, scope control.Scope, only string, sides ...Side) Observation {
	o := Observation{Scope: scope, Only: only, Sides: map[Side][]Connection{}}
	for i, side := range sides {
		list, err := api.ListEnvironmentAccountConnections(ctx, side)
		if err == nil {
			o.Sides[side] = list.Items()
			continue
		}
		class, reason := awsio.Failure(ctx, fmt.Sprintf("the connections of the %s side could not be listed", side), err)
		u := Unread{Resource: arn(scope, "environment-account-connection/*"), Side: side, Code: string(class), Reason: reason}
		if code, is := gone(err); i == 0 && is && ctx.Err() == nil {
			u.Code, u.Reason = code, whyGone(code, err)
			o.Gone = &u
			return o
		}
		o.Unread = append(o.Unread, u)
	}

	for _, c := range o.Sides[Management] {
		if c.Status == connected && (only == "" || only == c.ID) {
			o.users(ctx, api)
			break
		}
	}
	return o
}

// Reach asks Proton for a list, and returns no error where it answered. A reason says
// that Proton is not there any more, and how that is known.
func Reach(ctx context.Context, s *awsio.Session) (reason string, err error) {
	_, err = newClient(s.Reads).ListEnvironmentAccountConnections(ctx, Management)
	if code, is := gone(err); is && ctx.Err() == nil {
		return whyGone(code, err), nil
	}
	return "", err
}

func whyGone(code string, err error) string {
	return awsio.Explain(fmt.Sprintf("AWS Proton is %s; AWS ended it on 2026-10-07", strings.TrimPrefix(code, "service-")), err, "")
}

// users reads which environments use which connections.
func (o *Observation) users(ctx context.Context, api Reader) {
	list, err := api.ListEnvironments(ctx)
	if err != nil {
		class, reason := awsio.Failure(ctx, "which environments use which connections could not be read", err)
		o.Unread = append(o.Unread, Unread{Resource: arn(o.Scope, "environment/*"), Side: Management, Code: string(class), Reason: reason})
		return
	}
	o.Users = map[string][]string{}
	for _, u := range list.Items() {
		o.Users[u.Connection] = append(o.Users[u.Connection], u.Environment)
	}
}

func arn(scope control.Scope, path string) string {
	return fmt.Sprintf("arn:aws:proton:%s:%s:%s", scope.Region, scope.Account, path)
}

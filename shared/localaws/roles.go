package localaws

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// A Role is an IAM role. Two are equal if they are one and the same: a role that was removed is not the one that was made
// later under its name.
type Role struct {
	world *World
	role  *role
}

type role struct {
	account, name string
	limited       bool
	allowed       []permission
	sessions      map[string]Credentials // by name, those that were set up
}

// A permission lets a role do one action, if all values that a request has for the condition key are among those here.
type permission struct {
	action string // as IAM writes it; a "*" at the end stands for anything
	key    string // empty for no condition
	values []string
}

func roleARN(account, name string) string { return "arn:aws:iam::" + account + ":role/" + name }

func (r *role) arn() string { return roleARN(r.account, r.name) }

// Role returns the role of an account that has this name, which exists from now on. It may do everything until it is
// limited.
func (w *World) Role(account, name string) Role {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.roles[roleARN(account, name)]
	if r == nil {
		r = &role{account: account, name: name, sessions: map[string]Credentials{}}
		w.roles[r.arn()] = r
	}
	return Role{w, r}
}

// ARN is that of the role itself, and not of a session.
func (r Role) ARN() string { return r.role.arn() }

// Limit has the role do only these actions, written as in IAM: "codeartifact:ListDomains", "codeartifact:List*". Without
// any it may do nothing. It replaces an earlier limit, also for the sessions that there are. The resource of an action is
// not looked at.
func (r Role) Limit(actions ...string) Role {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	r.role.limited, r.role.allowed = true, nil
	for _, action := range actions {
		r.role.allowed = append(r.role.allowed, permission{action: action})
	}
	return r
}

// AllowEvents lets a role that is limited put events of these detail-types on a bus, as a statement for events:PutEvents
// with the condition key events:detail-type does. A request that has another one among its entries is denied as a whole.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html
func (r Role) AllowEvents(detailTypes ...string) Role {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	r.role.allowed = append(r.role.allowed, permission{"events:PutEvents", "events:detail-type", slices.Clone(detailTypes)})
	return r
}

// Unlimit lets the role do everything again.
func (r Role) Unlimit() Role {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	r.role.limited, r.role.allowed = false, nil
	return r
}

// Remove deletes the role. Its credentials are those of nobody from now on.
func (r Role) Remove() {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	if r.world.roles[r.role.arn()] == r.role {
		delete(r.world.roles, r.role.arn())
	}
	maps.DeleteFunc(r.world.keys, func(_ string, i identity) bool { return i.role == r.role })
}

// Session returns the credentials that act as the role in a session of this name: the same ones for the same name. It is
// what a service of AWS has that the role is given to, such as Lambda. Those of a role that was removed act as nobody.
func (r Role) Session(name string) Credentials {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	c, found := r.role.sessions[name]
	if !found {
		c = r.world.newSession(r.role, name)
		r.role.sessions[name] = c
	}
	if r.world.roles[r.role.arn()] != r.role {
		delete(r.world.keys, c.AccessKeyID)
	}
	return c
}

// Environment is [World.Environment] for the role, in a session of this name.
func (r Role) Environment(region, session string) []string {
	return r.world.environment(r.Session(session), region)
}

// FindRole finds a role by its ARN. It is for an operation that runs.
func (c Caller) FindRole(arn string) (Role, bool) {
	r := c.world.roles[arn]
	return Role{c.world, r}, r != nil
}

// NewSession returns new credentials that act as a role. It is for an operation that runs.
func (c Caller) NewSession(r Role, name string) Credentials { return c.world.newSession(r.role, name) }

// ARN is the caller as AWS names it: the root of an account, or a session of a role.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
func (c Caller) ARN() string {
	if c.Principal == "" {
		return "arn:aws:iam::" + c.Account + ":root"
	}
	return assumedRoleARN(c.Principal, c.Session)
}

// assumedRoleARN turns the ARN of a role into that of a session of it, which has no path of the role in it.
func assumedRoleARN(role, session string) string {
	arn := strings.SplitN(role, ":", 6)
	name := arn[5][strings.LastIndex(arn[5], "/")+1:]
	return fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", arn[4], name, session)
}

// may says whether the role may do what the operation does. It runs under the lock.
func (r *role) may(service string, op Operation) bool {
	if r == nil || !r.limited || op.Open {
		return true
	}
	action := service + ":" + op.Name
	return slices.ContainsFunc(r.allowed, func(p permission) bool {
		prefix, wild := strings.CutSuffix(p.action, "*")
		if p.action != action && (!wild || !strings.HasPrefix(action, prefix)) {
			return false
		}
		return p.key == "" || !slices.ContainsFunc(op.Conditions[p.key], func(value string) bool {
			return !slices.Contains(p.values, value)
		})
	})
}

// denied is what AWS says to a role that may not do something.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func denied(call *Call, p Protocol, op Operation) error {
	message := fmt.Sprintf("User: %s is not authorized to perform: %s:%s", assumedRoleARN(call.Principal, call.Session), call.Service, op.Name)
	if op.Resource != "" {
		message += " on resource: " + op.Resource
	}
	return &Error{Status: p.clientError(http.StatusForbidden), Code: p.code("AccessDeniedException", "AccessDenied"), Message: message}
}

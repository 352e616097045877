package proton

import (
	"maps"
	"slices"
	"time"
)

// A Request is what an environment account asks a management account for.
type Request struct {
	EnvironmentAccount, Region, ManagementAccount string
	EnvironmentName                               string
	Roles                                         Roles
}

// A Connection names a connection for setup, whether or not it exists. Its methods do nothing, and return nothing, for one
// that does not.
type Connection struct {
	service    *Service
	Region, ID string
}

// AddConnection makes a connection, pending, as if its environment account had just requested it.
func (s *Service) AddConnection(r Request) Connection {
	c := Connection{service: s, Region: r.Region}
	s.world.Hold(func(now time.Time) { c.ID = s.add(r, now).id })
	return c
}

// Connection names a connection.
func (s *Service) Connection(region, id string) Connection { return Connection{s, region, id} }

// Connections returns the connections that an environment account has requested in a Region, in that order.
func (s *Service) Connections(environmentAccount, region string) []Connection {
	var found []Connection
	s.world.Hold(func(time.Time) {
		for _, c := range s.connections {
			if c.environmentAccount == environmentAccount && c.region == region {
				found = append(found, s.Connection(region, c.id))
			}
		}
	})
	return found
}

// hold runs f on the connection's state, if there is one.
func (c Connection) hold(f func(*connection)) {
	c.service.world.Hold(func(time.Time) {
		if it := c.service.find(c.Region, c.ID); it != nil {
			f(it)
		}
	})
}

// ARN is the connection's ARN, with the environment account in it.
func (c Connection) ARN() string {
	arn := ""
	c.hold(func(it *connection) { arn = it.arn() })
	return arn
}

// Status is the connection's status, and empty if there is no connection.
func (c Connection) Status() Status {
	var status Status
	c.hold(func(it *connection) { status = it.status })
	return status
}

// SetStatus sets the status, also to one that AWS does not have.
func (c Connection) SetStatus(status Status) { c.hold(func(it *connection) { it.status = status }) }

// Roles are the connection's roles.
func (c Connection) Roles() Roles {
	var roles Roles
	c.hold(func(it *connection) { roles = it.roles })
	return roles
}

// SetRoles sets the roles.
func (c Connection) SetRoles(r Roles) { c.hold(func(it *connection) { it.roles = r }) }

// Backdate makes the connection older, its last change included.
func (c Connection) Backdate(d time.Duration) {
	c.hold(func(it *connection) { it.requested, it.modified = it.requested.Add(-d), it.modified.Add(-d) })
}

// Tag sets one tag.
func (c Connection) Tag(key, value string) { c.hold(func(it *connection) { it.tags[key] = value }) }

// Tags are the connection's tags.
func (c Connection) Tags() map[string]string {
	var tags map[string]string
	c.hold(func(it *connection) { tags = maps.Clone(it.tags) })
	return tags
}

// Remove takes the connection away, as if its environment account had deleted it.
func (c Connection) Remove() { c.hold(c.service.remove) }

// An Environment names an environment for setup, whether or not it exists. Its methods do nothing for one that does not.
type Environment struct {
	service               *Service
	Account, Region, Name string
}

// AddEnvironment makes an environment in a management account, unless it exists. It is provisioned there until it is
// connected.
func (s *Service) AddEnvironment(account, region, name string) Environment {
	e := Environment{s, account, region, name}
	s.world.Hold(func(now time.Time) {
		if e.find() == nil {
			s.environments = append(s.environments, &environment{account: account, region: region, name: name, created: now})
		}
	})
	return e
}

func (e Environment) is(other *environment) bool {
	return other.account == e.Account && other.region == e.Region && other.name == e.Name
}

func (e Environment) find() *environment {
	i := slices.IndexFunc(e.service.environments, e.is)
	if i < 0 {
		return nil
	}
	return e.service.environments[i]
}

// Connect has the environment use a connection, whatever that is for.
func (e Environment) Connect(c Connection) {
	c.hold(func(it *connection) {
		if environment := e.find(); environment != nil {
			environment.connectionID, environment.environmentAccount = it.id, it.environmentAccount
		}
	})
}

// Remove takes the environment away, as if its account had deleted it.
func (e Environment) Remove() {
	e.service.world.Hold(func(time.Time) { e.service.environments = slices.DeleteFunc(e.service.environments, e.is) })
}

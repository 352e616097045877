package proton

import (
	"slices"
	"strings"
	"time"
)

// tokenLife is how long a client token is good.
// https://docs.aws.amazon.com/proton/latest/APIReference/Welcome.html
const tokenLife = 8 * time.Hour

// A token is a client token of one account and Region.
type token struct{ account, region, value string }

// A creation is what was made for a token.
type creation struct {
	digest string // of the request
	id     string
	at     time.Time
}

type connectionOutput struct {
	Connection record `json:"environmentAccountConnection"`
}

// own finds the connection of a request that the environment account alone may make.
func (s *Service) own(rq request) (*connection, error) {
	c := s.find(rq.Region, rq.ID)
	if c == nil || c.environmentAccount != rq.Account {
		return nil, notFound(rq.ID)
	}
	return c, nil
}

// received finds the connection of a request that the management account alone may make. For any other account there is
// no such connection [assumed]; that it may neither accept nor reject is documented.
func (s *Service) received(rq request) (*connection, error) {
	c := s.find(rq.Region, rq.ID)
	if c == nil || c.managementAccount != rq.Account {
		return nil, notFound(rq.ID)
	}
	return c, nil
}

func notFound(id string) error {
	return clientError("ResourceNotFoundException", "there is no environment account connection %s", id)
}

// listConnections lists what the caller has requested, or what it was asked for.
// https://docs.aws.amazon.com/proton/latest/APIReference/API_ListEnvironmentAccountConnections.html
func (s *Service) listConnections(rq request) (any, bool, error) {
	var found []*connection
	for _, c := range s.connections {
		account := c.environmentAccount
		if rq.RequestedBy == "MANAGEMENT_ACCOUNT" {
			account = c.managementAccount
		}
		if account == rq.Account && c.region == rq.Region &&
			(rq.EnvironmentName == "" || rq.EnvironmentName == c.environmentName) &&
			(len(rq.Statuses) == 0 || slices.Contains(rq.Statuses, c.status)) {
			found = append(found, c)
		}
	}
	found, next, err := page(s, rq, found)
	if err != nil {
		return nil, false, err
	}
	out := struct {
		Connections []summary `json:"environmentAccountConnections"`
		NextToken   *string   `json:"nextToken,omitempty"`
	}{[]summary{}, next} // an empty list is sent as [], not left out
	for _, c := range found {
		out.Connections = append(out.Connections, c.summary())
	}
	return out, false, nil
}

// getConnection is for the environment account: that it does not answer the management account is read from the page's
// "In an environment account" [assumed].
// https://docs.aws.amazon.com/proton/latest/APIReference/API_GetEnvironmentAccountConnection.html
func (s *Service) getConnection(rq request) (any, bool, error) {
	c, err := s.own(rq)
	if err != nil {
		return nil, false, err
	}
	return connectionOutput{c.record()}, false, nil
}

// createConnection takes any number of requests for the same environment within the quota [assumed].
// https://docs.aws.amazon.com/proton/latest/APIReference/API_CreateEnvironmentAccountConnection.html
func (s *Service) createConnection(rq request) (any, bool, error) {
	t := token{rq.Account, rq.Region, rq.ClientToken}
	if before, used := s.creations[t]; used && rq.Now.Sub(before.at) < tokenLife {
		if before.digest != rq.digest() {
			return nil, false, invalid("IdempotentParameterMismatch: the client token was used with other parameters")
		}
		if c := s.find(rq.Region, before.id); c != nil {
			return connectionOutput{c.record()}, false, nil
		}
	}
	if s.counted(rq) >= s.quota {
		return nil, false, clientError("ServiceQuotaExceededException", "the account has %d environment account connections", s.quota)
	}
	c := s.add(Request{
		EnvironmentAccount: rq.Account, Region: rq.Region, ManagementAccount: rq.ManagementAccountID,
		EnvironmentName: rq.EnvironmentName, Roles: rq.roles(Roles{}),
	}, rq.Now)
	setTags(c.tags, rq.Tags)
	if rq.ClientToken != "" {
		s.creations[t] = creation{rq.digest(), c.id, rq.Now}
	}
	s.became(rq, c, c.status, "")
	return connectionOutput{c.record()}, true, nil
}

// counted is how much of the quota is used up.
func (s *Service) counted(rq request) int {
	n := 0
	for _, c := range s.connections {
		if c.environmentAccount == rq.Account && c.region == rq.Region &&
			(c.status != Rejected || !s.unknowns.RejectedAreFree) {
			n++
		}
	}
	return n
}

// roles are those before, with what the request sends in their place.
func (rq request) roles(before Roles) Roles {
	replace := func(role, sent *string) {
		if sent != nil {
			*role = *sent
		}
	}
	replace(&before.Role, rq.RoleARN)
	replace(&before.Component, rq.ComponentRoleARN)
	replace(&before.CodeBuild, rq.CodebuildRoleARN)
	return before
}

// updateConnection changes the roles, whatever the status, and leaves the status alone: nobody approves again [assumed].
// https://docs.aws.amazon.com/proton/latest/APIReference/API_UpdateEnvironmentAccountConnection.html
func (s *Service) updateConnection(rq request) (any, bool, error) {
	c, err := s.own(rq)
	if err != nil {
		return nil, false, err
	}
	c.roles, c.modified = rq.roles(c.roles), rq.Now
	return connectionOutput{c.record()}, true, nil
}

// https://docs.aws.amazon.com/proton/latest/APIReference/API_AcceptEnvironmentAccountConnection.html
func (s *Service) acceptConnection(rq request) (any, bool, error) {
	c, err := s.received(rq)
	if err != nil {
		return nil, false, err
	}
	if c.status != Pending {
		return nil, false, s.wrongState(c)
	}
	c.modified = rq.Now
	s.change(rq, c, Connected)
	return connectionOutput{c.record()}, true, nil
}

// rejectConnection also takes a connection that was accepted, as long as no environment uses it: the user guide refuses
// only what is in use, and says to delete the environment first. The code of that refusal is assumed.
// https://docs.aws.amazon.com/proton/latest/APIReference/API_RejectEnvironmentAccountConnection.html
func (s *Service) rejectConnection(rq request) (any, bool, error) {
	c, err := s.received(rq)
	if err != nil {
		return nil, false, err
	}
	if c.status == Rejected {
		return nil, false, s.wrongState(c)
	}
	if users := s.usersOf(c); len(users) > 0 {
		return nil, false, clientError("ConflictException",
			"environment account connection %s is used by %s; delete that first", c.id, strings.Join(users, ", "))
	}
	if s.unknowns.RejectionIsDated {
		c.modified = rq.Now
	}
	s.change(rq, c, Rejected)
	return connectionOutput{c.record()}, true, nil
}

func (s *Service) wrongState(c *connection) error {
	code := "ConflictException"
	if s.unknowns.WrongStateIsInvalid {
		code = "ValidationException"
	}
	return clientError(code, "environment account connection %s is %s", c.id, c.status)
}

// deleteConnection asks nobody whether the connection is in use. It answers with what was there, and for what is not there
// with an empty success. For a connection of another account it fails [assumed]; that it does not delete it is documented.
// https://docs.aws.amazon.com/proton/latest/APIReference/API_DeleteEnvironmentAccountConnection.html
func (s *Service) deleteConnection(rq request) (any, bool, error) {
	if s.find(rq.Region, rq.ID) == nil {
		return struct{}{}, false, nil
	}
	c, err := s.own(rq)
	if err != nil {
		return nil, false, err
	}
	out := connectionOutput{c.record()}
	s.remove(c)
	s.became(rq, c, Deleted, c.status)
	return out, true, nil
}

// change gives a connection another status, and tells of it.
func (s *Service) change(rq request, c *connection, status Status) {
	before := c.status
	c.status = status
	s.became(rq, c, status, before)
}

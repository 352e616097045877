package proton

import (
	"fmt"
	"slices"
	"time"
)

// A Status is what has become of a request for a connection.
// https://docs.aws.amazon.com/proton/latest/APIReference/API_EnvironmentAccountConnection.html
type Status string

// The statuses. Deleted is in events only: https://docs.aws.amazon.com/proton/latest/userguide/event-bridge.html.
const (
	Pending   Status = "PENDING"
	Connected Status = "CONNECTED"
	Rejected  Status = "REJECTED"
	Deleted   Status = "DELETED"
)

// Roles are the ARNs of the IAM roles that a connection lends to Proton, empty where there is none.
type Roles struct{ Role, Component, CodeBuild string }

type connection struct {
	id                                    string
	environmentAccount, managementAccount string
	region                                string
	environmentName                       string
	roles                                 Roles
	status                                Status
	requested, modified                   time.Time
	tags                                  map[string]string
}

func (c *connection) key() string { return c.id }

// arn has the environment account in it, on both sides.
// https://docs.aws.amazon.com/proton/latest/userguide/ag-env-account-connections.html
func (c *connection) arn() string {
	return fmt.Sprintf("arn:aws:proton:%s:%s:environment-account-connection/%s", c.region, c.environmentAccount, c.id)
}

func (s *Service) find(region, id string) *connection {
	i := slices.IndexFunc(s.connections, func(c *connection) bool { return c.region == region && c.id == id })
	if i < 0 {
		return nil
	}
	return s.connections[i]
}

func (s *Service) add(r Request, now time.Time) *connection {
	c := &connection{
		id: s.newID(), environmentAccount: r.EnvironmentAccount, managementAccount: r.ManagementAccount, region: r.Region,
		environmentName: r.EnvironmentName, roles: r.Roles, status: Pending, requested: now, modified: now,
		tags: map[string]string{},
	}
	s.connections = append(s.connections, c)
	return c
}

func (s *Service) remove(c *connection) {
	s.connections = slices.DeleteFunc(s.connections, func(other *connection) bool { return other == c })
}

// A record is a connection as the API shows it. Timestamps are numbers: seconds since 1970, with a fraction.
type record struct {
	summary
	CodebuildRoleARN string `json:"codebuildRoleArn,omitempty"`
}

// A summary is all that the list tells: it leaves out a role.
// https://docs.aws.amazon.com/proton/latest/APIReference/API_EnvironmentAccountConnectionSummary.html
type summary struct {
	ARN                  string  `json:"arn"`
	ComponentRoleARN     string  `json:"componentRoleArn,omitempty"`
	EnvironmentAccountID string  `json:"environmentAccountId"`
	EnvironmentName      string  `json:"environmentName"`
	ID                   string  `json:"id"`
	LastModifiedAt       float64 `json:"lastModifiedAt"`
	ManagementAccountID  string  `json:"managementAccountId"`
	RequestedAt          float64 `json:"requestedAt"`
	// RoleARN is required in the model, but the request may go without it; then it is left out here [assumed].
	RoleARN string `json:"roleArn,omitempty"`
	Status  Status `json:"status"`
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func (c *connection) summary() summary {
	return summary{
		ARN: c.arn(), ComponentRoleARN: c.roles.Component, EnvironmentAccountID: c.environmentAccount,
		EnvironmentName: c.environmentName, ID: c.id, LastModifiedAt: seconds(c.modified),
		ManagementAccountID: c.managementAccount, RequestedAt: seconds(c.requested), RoleARN: c.roles.Role, Status: c.status,
	}
}

func (c *connection) record() record { return record{c.summary(), c.roles.CodeBuild} }

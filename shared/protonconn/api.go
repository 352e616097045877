package protonconn

import (
	"context"
	"time"

	"portcullis/shared/awsio"
)

// Side says from which account a connection is looked at. Its values are those of
// the API's requestedBy. Proton's management account is whichever account a
// request names; it has nothing to do with AWS Organizations.
type Side string

// The sides.
const (
	Management  Side = "MANAGEMENT_ACCOUNT"
	Environment Side = "ENVIRONMENT_ACCOUNT"
)

// Connection is one environment account connection, as a list gave it. The role
// for CodeBuild is not in it: lists do not show that one.
type Connection struct {
	ID                 string    `json:"id"`
	ARN                string    `json:"arn"` // it carries the environment account, on both sides
	EnvironmentAccount string    `json:"environmentAccountId"`
	ManagementAccount  string    `json:"managementAccountId"`
	Name               string    `json:"environmentName"`
	Status             string    `json:"status"`
	Role               string    `json:"roleArn,omitempty"`
	ComponentRole      string    `json:"componentRoleArn,omitempty"`
	Requested          time.Time `json:"requestedAt"`
	Modified           time.Time `json:"lastModifiedAt"`
}

// Usage is an environment of the management account, and the connection that it
// uses.
type Usage struct{ Environment, Connection string }

// Reader is the part of Proton that this control reads with. Together with
// [Writer] its methods are exactly the IAM actions of the function in
// template.yaml; a test compares them. Each reads every page.
type Reader interface {
	ListEnvironmentAccountConnections(ctx context.Context, side Side) (awsio.Complete[Connection], error)
	ListEnvironments(ctx context.Context) (awsio.Complete[Usage], error)
}

// Writer is the writes of this control. An answer without content is no error,
// and proves nothing.
type Writer interface {
	RejectEnvironmentAccountConnection(ctx context.Context, id string) error
	DeleteEnvironmentAccountConnection(ctx context.Context, id string) error
}

package round

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
)

// Organization is the part of AWS Organizations that the planner reads with, where
// the members are those of an organization. AWS lets only the management account
// and delegated administrators call it.
type Organization interface {
	ListAccounts(context.Context, *organizations.ListAccountsInput, ...func(*organizations.Options)) (*organizations.ListAccountsOutput, error)
}

// Log is the part of CloudWatch Logs that the planner reads the stack's events
// with. Together with [Organization] its methods are exactly the IAM actions of
// the function in template.yaml, but for what every function may do.
type Log interface {
	FilterLogEvents(context.Context, *cloudwatchlogs.FilterLogEventsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error)
}

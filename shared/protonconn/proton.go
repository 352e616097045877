//nolint:staticcheck // SA1019: every operation is marked deprecated, because AWS ended Proton; this file alone calls them
package protonconn

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/proton"
	"github.com/aws/aws-sdk-go-v2/service/proton/types"

	"portcullis/shared/awsio"
)

// client is Proton by way of the SDK.
type client struct{ proton *proton.Client }

func newClient(cfg aws.Config) client { return client{proton.NewFromConfig(cfg)} }

// firstTime bounds the first page of the connections, with all its attempts. If
// Proton is not there any more, this is all that a run waits for.
const firstTime = 8 * time.Second

// unheard is the error of that page: nothing has been heard of the list yet.
type unheard struct{ error }

func (u unheard) Unwrap() error { return u.error }

func (c client) ListEnvironmentAccountConnections(ctx context.Context, side Side) (awsio.Complete[Connection], error) {
	return awsio.ReadAll(ctx, fmt.Sprintf("listing the connections of the %s side", side), func(ctx context.Context, token *string) ([]Connection, *string, error) {
		if token == nil {
			ctx = awsio.WithBudget(ctx, firstTime)
		}
		out, err := c.proton.ListEnvironmentAccountConnections(ctx, &proton.ListEnvironmentAccountConnectionsInput{
			RequestedBy: types.EnvironmentAccountConnectionRequesterAccountType(side), MaxResults: aws.Int32(100), NextToken: token,
		})
		if err == nil && out.EnvironmentAccountConnections == nil {
			err = awsio.ErrMalformed("the answer has no list in it")
		}
		if err != nil && token == nil {
			err = unheard{err}
		}
		if err != nil {
			return nil, nil, err
		}
		page := make([]Connection, 0, len(out.EnvironmentAccountConnections))
		for _, s := range out.EnvironmentAccountConnections {
			page = append(page, Connection{
				ID: aws.ToString(s.Id), ARN: aws.ToString(s.Arn), EnvironmentAccount: aws.ToString(s.EnvironmentAccountId),
				ManagementAccount: aws.ToString(s.ManagementAccountId), Name: aws.ToString(s.EnvironmentName), Status: string(s.Status),
				Role: aws.ToString(s.RoleArn), ComponentRole: aws.ToString(s.ComponentRoleArn),
				Requested: aws.ToTime(s.RequestedAt), Modified: aws.ToTime(s.LastModifiedAt),
			})
		}
		return page, out.NextToken, nil
	})
}

func (c client) ListEnvironments(ctx context.Context) (awsio.Complete[Usage], error) {
	return awsio.ReadAll(ctx, "listing environments", func(ctx context.Context, token *string) ([]Usage, *string, error) {
		out, err := c.proton.ListEnvironments(ctx, &proton.ListEnvironmentsInput{MaxResults: aws.Int32(100), NextToken: token})
		if err != nil || out.Environments == nil {
			return nil, nil, err // a list that is not there is no list, see ReadAll
		}
		page := make([]Usage, 0, len(out.Environments))
		for _, e := range out.Environments {
			page = append(page, Usage{Environment: aws.ToString(e.Name), Connection: aws.ToString(e.EnvironmentAccountConnectionId)})
		}
		return page, out.NextToken, nil
	})
}

func (c client) RejectEnvironmentAccountConnection(ctx context.Context, id string) error {
	_, err := c.proton.RejectEnvironmentAccountConnection(ctx, &proton.RejectEnvironmentAccountConnectionInput{Id: &id})
	return err
}

func (c client) DeleteEnvironmentAccountConnection(ctx context.Context, id string) error {
	_, err := c.proton.DeleteEnvironmentAccountConnection(ctx, &proton.DeleteEnvironmentAccountConnectionInput{Id: &id})
	return err
}

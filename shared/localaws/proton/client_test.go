//nolint:staticcheck // AWS has deprecated all operations of Proton; no other file calls them
package proton_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/proton"
	"github.com/aws/aws-sdk-go-v2/service/proton/types"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/proton"
)

// A party is an account with the real SDK client, which does not try again.
type party struct {
	ctx context.Context
	*sdk.Client
}

func newParty(t *testing.T, w *localaws.World, account, endpoint string) party {
	c := w.Account(account)
	return party{t.Context(), sdk.New(sdk.Options{
		Region:       region,
		BaseEndpoint: aws.String(endpoint),
		Retryer:      aws.NopRetryer{},
		HTTPClient:   w.Client(),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, nil
		}),
	})}
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (p party) create(in sdk.CreateEnvironmentAccountConnectionInput) (*types.EnvironmentAccountConnection, error) {
	out, err := p.CreateEnvironmentAccountConnection(p.ctx, &in)
	if err != nil {
		return nil, err
	}
	return out.EnvironmentAccountConnection, nil
}

func (p party) get(id string) (*types.EnvironmentAccountConnection, error) {
	out, err := p.GetEnvironmentAccountConnection(p.ctx, &sdk.GetEnvironmentAccountConnectionInput{Id: &id})
	if err != nil {
		return nil, err
	}
	return out.EnvironmentAccountConnection, nil
}

func (p party) update(id string, roles proton.Roles) (*types.EnvironmentAccountConnection, error) {
	out, err := p.UpdateEnvironmentAccountConnection(p.ctx, &sdk.UpdateEnvironmentAccountConnectionInput{Id: &id,
		RoleArn: optional(roles.Role), ComponentRoleArn: optional(roles.Component), CodebuildRoleArn: optional(roles.CodeBuild)})
	if err != nil {
		return nil, err
	}
	return out.EnvironmentAccountConnection, nil
}

func (p party) accept(id string) (*types.EnvironmentAccountConnection, error) {
	out, err := p.AcceptEnvironmentAccountConnection(p.ctx, &sdk.AcceptEnvironmentAccountConnectionInput{Id: &id})
	if err != nil {
		return nil, err
	}
	return out.EnvironmentAccountConnection, nil
}

func (p party) reject(id string) (*types.EnvironmentAccountConnection, error) {
	out, err := p.RejectEnvironmentAccountConnection(p.ctx, &sdk.RejectEnvironmentAccountConnectionInput{Id: &id})
	if err != nil {
		return nil, err
	}
	return out.EnvironmentAccountConnection, nil
}

func (p party) delete(id string) (*types.EnvironmentAccountConnection, error) {
	out, err := p.DeleteEnvironmentAccountConnection(p.ctx, &sdk.DeleteEnvironmentAccountConnectionInput{Id: &id})
	if err != nil {
		return nil, err
	}
	return out.EnvironmentAccountConnection, nil
}

func (p party) list(in sdk.ListEnvironmentAccountConnectionsInput) (*sdk.ListEnvironmentAccountConnectionsOutput, error) {
	return p.ListEnvironmentAccountConnections(p.ctx, &in)
}

func (p party) environments(in sdk.ListEnvironmentsInput) (*sdk.ListEnvironmentsOutput, error) {
	return p.ListEnvironments(p.ctx, &in)
}

func (p party) tags(in sdk.ListTagsForResourceInput) (*sdk.ListTagsForResourceOutput, error) {
	return p.ListTagsForResource(p.ctx, &in)
}

func (p party) tag(arn string, tags ...types.Tag) error {
	_, err := p.TagResource(p.ctx, &sdk.TagResourceInput{ResourceArn: &arn, Tags: tags})
	return err
}

func (p party) untag(arn string, keys ...string) error {
	_, err := p.UntagResource(p.ctx, &sdk.UntagResourceInput{ResourceArn: &arn, TagKeys: keys})
	return err
}

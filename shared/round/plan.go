package round

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"portcullis/shared/awsio"
)

// accounts returns the ids of all accounts that a round sweeps, sorted: the
// deployment's own, and its members. An error comes with those that are known.
func accounts(ctx context.Context, api Organization, home string, members awsio.Members) ([]string, error) {
	list, found := []string{home}, members.Listed
	var err error
	if members.Organization != "" {
		found, err = active(ctx, api)
	}
	for _, id := range found {
		if members.Admits(id) {
			list = append(list, id)
		}
	}
	slices.Sort(list)
	return slices.Compact(list), err
}

// active lists the accounts of the organization that are in use. One that is
// suspended or being closed answers nothing.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html
func active(ctx context.Context, api Organization) ([]string, error) {
	list, err := awsio.ReadAll(ctx, "listing the accounts of the organization", func(ctx context.Context, token *string) ([]types.Account, *string, error) {
		out, err := api.ListAccounts(ctx, &organizations.ListAccountsInput{NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		return out.Accounts, out.NextToken, nil
	})
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, a := range list.Items() {
		// AWS replaces Status by State, and sends both for a while.
		state := string(a.State)
		if state == "" {
			state = string(a.Status)
		}
		switch {
		case aws.ToString(a.Id) == "" || state == "":
			return nil, awsio.ErrMalformed(fmt.Sprintf("the organization has an account %q in state %q", aws.ToString(a.Id), state))
		case state == string(types.AccountStateActive):
			ids = append(ids, *a.Id)
		}
	}
	return ids, nil
}

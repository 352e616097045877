package organizations_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/internal/awscli"
	"portcullis/shared/localaws/organizations"
	"portcullis/shared/localaws/witness"
)

const (
	management = "111122223333"
	delegated  = "222233334444"
	member     = "333344445555"
	region     = "us-east-1"
)

func start() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }

func newWorld(t *testing.T) (*localaws.World, *organizations.Service) {
	t.Helper()
	w, err := localaws.New(start())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	witness.Watch(t, w)
	return w, organizations.New(w)
}

func client(w *localaws.World, c localaws.Credentials) *sdk.Client {
	return sdk.New(sdk.Options{
		Region: region, BaseEndpoint: aws.String(w.URL()), HTTPClient: w.Client(), Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, nil
		}),
	})
}

// list reads all pages, and says how many accounts each had.
func list(t *testing.T, c *sdk.Client, in *sdk.ListAccountsInput) (ids []string, pages []int) {
	t.Helper()
	for {
		out, err := c.ListAccounts(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, len(out.Accounts))
		for _, a := range out.Accounts {
			ids = append(ids, *a.Id)
		}
		if out.NextToken == nil {
			return ids, pages
		}
		in.NextToken = out.NextToken
	}
}

func code(t *testing.T, err error) string {
	t.Helper()
	var got smithy.APIError
	if !errors.As(err, &got) {
		t.Fatalf("got %v, not an error of AWS", err)
	}
	return got.ErrorCode()
}

func TestAnAccountIsListedAsTheAPIShowsIt(t *testing.T) {
	w, s := newWorld(t)
	o := s.AddOrganization("o-a1b2c3d4e5", management)
	w.Advance(time.Hour)
	o.Set(organizations.Account{ID: member, Name: "build", Email: "build@example.org", State: organizations.Suspended})
	out, err := client(w, w.Account(management)).ListAccounts(t.Context(), nil)
	if err != nil || len(out.Accounts) != 2 {
		t.Fatalf("got %+v, %v", out, err)
	}
	want := types.Account{
		Arn:   aws.String("arn:aws:organizations::111122223333:account/o-a1b2c3d4e5/333344445555"),
		Email: aws.String("build@example.org"), Id: aws.String(member), JoinedMethod: types.AccountJoinedMethodCreated,
		JoinedTimestamp: aws.Time(start().Add(time.Hour)), Name: aws.String("build"),
		State: types.AccountStateSuspended, Status: types.AccountStatusSuspended,
	}
	ignore := cmp.FilterPath(func(p cmp.Path) bool { return strings.HasSuffix(p.String(), "noSmithyDocumentSerde") }, cmp.Ignore())
	if diff := cmp.Diff(want, out.Accounts[1], ignore); diff != "" {
		t.Error(diff)
	}

	for state, status := range map[organizations.State]types.AccountStatus{
		organizations.PendingActivation: "", organizations.Active: types.AccountStatusActive,
		organizations.PendingClosure: types.AccountStatusPendingClosure, organizations.Closed: types.AccountStatusSuspended,
	} {
		o.Set(organizations.Account{ID: member, State: state})
		out, err := client(w, w.Account(management)).ListAccounts(t.Context(), nil)
		if err != nil || len(out.Accounts) != 2 || out.Accounts[1].State != types.AccountState(state) || out.Accounts[1].Status != status {
			t.Errorf("%s: got %+v, %v", state, out, err)
		}
	}
	o.Remove(member)
	if ids, _ := list(t, client(w, w.Account(management)), &sdk.ListAccountsInput{}); len(ids) != 1 {
		t.Errorf("it left, but there are %v", ids)
	}
}

func TestAListHasPages(t *testing.T) {
	w, s := newWorld(t)
	o := s.AddOrganization("o-a1b2c3d4e5", management)
	want := []string{management}
	for i := range 24 {
		id := fmt.Sprintf("9000000000%02d", i)
		o.Set(organizations.Account{ID: id})
		want = append(want, id)
	}
	c := client(w, w.Account(management))
	for _, test := range []struct {
		name        string
		size, empty int
		max         *int32
		pages       []int
	}{
		{"of AWS's own size", 20, 0, nil, []int{20, 5}},
		{"as asked for", 20, 0, aws.Int32(10), []int{10, 10, 5}},
		{"of less than what was asked for", 9, 0, aws.Int32(20), []int{9, 9, 7}},
		{"that may be empty", 20, 2, nil, []int{0, 0, 20, 0, 0, 5}},
		{"of which no empty one follows the last", 25, 1, nil, []int{0, 25}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.SetPageSize(test.size)
			s.SetEmptyPages(test.empty)
			ids, pages := list(t, c, &sdk.ListAccountsInput{MaxResults: test.max})
			if diff := cmp.Diff(want, ids); diff != "" {
				t.Errorf("accounts (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.pages, pages); diff != "" {
				t.Errorf("pages (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhoMayList(t *testing.T) {
	w, s := newWorld(t)
	o := s.AddOrganization("o-a1b2c3d4e5", management)
	o.Set(organizations.Account{ID: delegated})
	o.Set(organizations.Account{ID: member})
	o.Delegate(delegated)
	for _, test := range []struct {
		name        string
		credentials localaws.Credentials
		code        string
	}{
		{"the management account", w.Account(management), ""},
		{"a delegated administrator", w.Account(delegated), ""},
		{"a role there", w.Role(delegated, "planner").Limit("organizations:ListAccounts").Session("planner"), ""},
		{"not a role without the permission", w.Role(delegated, "control").Limit("codeartifact:*").Session("control"), "AccessDeniedException"},
		{"not another member", w.Account(member), "AccessDeniedException"},
		{"not somebody without an organization", w.Account("999999999999"), "AWSOrganizationsNotInUseException"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := client(w, test.credentials).ListAccounts(t.Context(), nil)
			if test.code == "" && err != nil {
				t.Error(err)
			}
			if test.code != "" && code(t, err) != test.code {
				t.Errorf("got %v", err)
			}
		})
	}
	o.Remove(delegated)
	if _, err := client(w, w.Account(delegated)).ListAccounts(t.Context(), nil); code(t, err) != "AWSOrganizationsNotInUseException" {
		t.Errorf("after it left: %v", err)
	}
}

func TestARequestIsValidated(t *testing.T) {
	w, s := newWorld(t)
	s.AddOrganization("o-a1b2c3d4e5", management)
	another := s.AddOrganization("o-zzzzzzzzzz", member)
	another.Set(organizations.Account{ID: delegated})
	s.SetPageSize(1)
	out, err := client(w, w.Account(member)).ListAccounts(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	c := client(w, w.Account(management))
	for name, in := range map[string]*sdk.ListAccountsInput{
		"no results":                      {MaxResults: aws.Int32(0)},
		"more than 20 results":            {MaxResults: aws.Int32(21)},
		"the token of another list":       {NextToken: out.NextToken},
		"what is no token of this or any": {NextToken: aws.String("?")},
	} {
		if _, err := c.ListAccounts(t.Context(), in); code(t, err) != "InvalidInputException" {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := c.ListRoots(t.Context(), nil); code(t, err) != "UnknownOperationException" {
		t.Errorf("another operation: got %v", err)
	}
}

func TestTheAWSCLIUnderstands(t *testing.T) {
	w, s := newWorld(t)
	s.AddOrganization("o-a1b2c3d4e5", management).Set(organizations.Account{ID: member})
	s.SetPageSize(1)
	cli := awscli.Require(t, w)
	want := []any{[]any{management, "ACTIVE"}, []any{member, "ACTIVE"}}
	if diff := cmp.Diff(any(want), cli.Run(t, management, region, "organizations", "list-accounts", "--query", "Accounts[].[Id,Status]")); diff != "" {
		t.Error(diff)
	}
}

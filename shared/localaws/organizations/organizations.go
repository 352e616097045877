// Package organizations is the AWS Organizations of a [localaws.World], as far as one reads from it which accounts there
// are. Organizations are set up in Go.
package organizations

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"portcullis/shared/localaws"
)

// A Service is the Organizations of a World. It is the same in every Region.
type Service struct {
	world         *localaws.World
	organizations []*organization
	pageSize      int
	emptyPages    int
}

type organization struct {
	id, management string
	delegated      []string
	accounts       []Account // in the order in which they joined
}

// An Account is a member of an organization, or its management account.
type Account struct {
	ID    string
	Name  string // the id if empty
	Email string // made up if empty
	State State  // Active if empty

	joined time.Time
}

// A State is where an account is in its life.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_accounts_account_state.html
type State string

// The states.
const (
	PendingActivation State = "PENDING_ACTIVATION"
	Active            State = "ACTIVE"
	Suspended         State = "SUSPENDED"
	PendingClosure    State = "PENDING_CLOSURE"
	Closed            State = "CLOSED"
)

// New adds Organizations to a World in which there is none. A page has 20 accounts until set, which is AWS's maximum.
func New(w *localaws.World) *Service {
	s := &Service{world: w, pageSize: maxResults}
	w.Serve("organizations", localaws.JSON11, s.route)
	return s
}

// SetPageSize sets how many accounts a page holds at most, also if the request asks for more.
func (s *Service) SetPageSize(n int) {
	s.world.Hold(func(time.Time) { s.pageSize = n })
}

// SetEmptyPages has so many pages without any account, but with a token, come before every page that has some. AWS says
// that it may do so.
func (s *Service) SetEmptyPages(n int) {
	s.world.Hold(func(time.Time) { s.emptyPages = n })
}

// An Organization is a handle on one of the World.
type Organization struct {
	service *Service
	of      *organization
}

// AddOrganization makes an organization, such as o-a1b2c3d4e5, which has only its management account.
func (s *Service) AddOrganization(id, management string) Organization {
	o := Organization{s, &organization{id: id, management: management}}
	s.world.Hold(func(time.Time) { s.organizations = append(s.organizations, o.of) })
	o.Set(Account{ID: management})
	return o
}

// Set has an account join, or changes one that is there.
func (o Organization) Set(a Account) {
	if a.Name == "" {
		a.Name = a.ID
	}
	if a.Email == "" {
		a.Email = a.ID + "@example.com"
	}
	if a.State == "" {
		a.State = Active
	}
	o.service.world.Hold(func(now time.Time) {
		if i := o.of.index(a.ID); i >= 0 {
			a.joined = o.of.accounts[i].joined
			o.of.accounts[i] = a
			return
		}
		a.joined = now
		o.of.accounts = append(o.of.accounts, a)
	})
}

// Remove has an account leave, which can then not be a delegated administrator either.
func (o Organization) Remove(id string) {
	o.service.world.Hold(func(time.Time) {
		if i := o.of.index(id); i >= 0 {
			o.of.accounts = slices.Delete(o.of.accounts, i, i+1)
		}
		o.of.delegated = slices.DeleteFunc(o.of.delegated, func(d string) bool { return d == id })
	})
}

// Delegate makes an account a delegated administrator.
func (o Organization) Delegate(id string) {
	o.service.world.Hold(func(time.Time) { o.of.delegated = append(o.of.delegated, id) })
}

func (o *organization) index(id string) int {
	return slices.IndexFunc(o.accounts, func(a Account) bool { return a.ID == id })
}

// maxResults is AWS's own maximum, and what it takes when a request does not say.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html
const maxResults = 20

type listAccountsInput struct {
	MaxResults *int
	NextToken  *string
}

type listAccountsOutput struct {
	Accounts  []record
	NextToken *string `json:",omitempty"`
}

type record struct {
	ARN             string `json:"Arn"`
	Email           string
	ID              string `json:"Id"`
	JoinedMethod    string
	JoinedTimestamp float64 // seconds since 1970
	Name            string
	State           State
	Status          string `json:",omitempty"`
}

func (s *Service) route(r *http.Request, body []byte) (localaws.Operation, error) {
	if target := r.Header.Get("X-Amz-Target"); target != "AWSOrganizationsV20161128.ListAccounts" {
		return localaws.Operation{}, failed("UnknownOperationException", "no operation %q", target)
	}
	op := localaws.Operation{Name: "ListAccounts"}
	var in listAccountsInput
	err := json.Unmarshal(body, &op.Input)
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	if err != nil {
		return op, failed("SerializationException", "%v", err)
	}
	op.Run = func(c localaws.Caller) (any, bool, error) { return s.listAccounts(c, in) }
	return op, nil
}

// listAccounts answers the management account and delegated administrators, and nobody else.
func (s *Service) listAccounts(c localaws.Caller, in listAccountsInput) (any, bool, error) {
	i := slices.IndexFunc(s.organizations, func(o *organization) bool { return o.index(c.Account) >= 0 })
	if i < 0 {
		return nil, false, failed("AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")
	}
	o := s.organizations[i]
	if c.Account != o.management && !slices.Contains(o.delegated, c.Account) {
		return nil, false, failed("AccessDeniedException", "You don't have permissions to access this resource.")
	}
	size := s.pageSize
	if in.MaxResults != nil {
		if *in.MaxResults < 1 || *in.MaxResults > maxResults {
			return nil, false, failed("InvalidInputException", "MaxResults %d is not from 1 to %d", *in.MaxResults, maxResults)
		}
		size = min(size, *in.MaxResults)
	}
	start, empty := 0, s.emptyPages
	if in.NextToken != nil {
		var ok bool
		if start, empty, ok = position(*in.NextToken, o.id); !ok || start > len(o.accounts) {
			return nil, false, failed("InvalidInputException", "NextToken is not one of this list")
		}
	}
	out := listAccountsOutput{Accounts: []record{}}
	if empty > 0 {
		out.NextToken = token(o.id, start, empty-1)
		return out, false, nil
	}
	end := min(len(o.accounts), start+size)
	for _, a := range o.accounts[start:end] {
		out.Accounts = append(out.Accounts, o.record(a))
	}
	if end < len(o.accounts) {
		out.NextToken = token(o.id, end, s.emptyPages)
	}
	return out, false, nil
}

// A token says of which organization it is, how many accounts were listed, and how many empty pages still come before the
// next ones.
func token(id string, listed, empty int) *string {
	text := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s/%d/%d", id, listed, empty))
	return &text
}

func position(token, id string) (listed, empty int, ok bool) {
	text, err := base64.RawURLEncoding.DecodeString(token)
	parts := strings.Split(string(text), "/")
	if err != nil || len(parts) != 3 || parts[0] != id {
		return 0, 0, false
	}
	listed, err = strconv.Atoi(parts[1])
	if err == nil {
		empty, err = strconv.Atoi(parts[2])
	}
	return listed, empty, err == nil
}

// record is an account as the API shows it. It has a status beside its state, which is older and knows less: an account
// that is closed is suspended by it, and one that is not yet active has none [assumed]. AWS has announced the end of the
// status for September 2026, but the model still has it.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_Account.html
func (o *organization) record(a Account) record {
	r := record{
		ARN:   fmt.Sprintf("arn:aws:organizations::%s:account/%s/%s", o.management, o.id, a.ID),
		Email: a.Email, ID: a.ID, JoinedMethod: "CREATED", JoinedTimestamp: float64(a.joined.Unix()),
		Name: a.Name, State: a.State, Status: string(a.State),
	}
	switch a.State {
	case PendingActivation:
		r.Status = ""
	case Closed:
		r.Status = string(Suspended)
	}
	return r
}

// The services that speak JSON 1.1 answer a mistake of the client with 400.
func failed(code, format string, args ...any) error {
	return &localaws.Error{Status: http.StatusBadRequest, Code: code, Message: fmt.Sprintf(format, args...)}
}

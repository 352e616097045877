package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"
	"github.com/aws/smithy-go"

	"portcullis/internal/signin"
	"portcullis/shared/awsio"
	"portcullis/shared/control"
)

// What this program makes. The tag tells its domain from one that somebody else gave the same name, and its value the run
// that made it.
const (
	domain = "portcullis-smoke"
	tagKey = "portcullis:smoke"
)

// Repositories and groups in the domain.
const (
	gateway = "gateway" // is connected
	team    = "team"

	connection = "public:npmjs"

	idle    = "/generic/smoke-idle/*"
	blocked = "/generic/smoke-blocked/*"
	listed  = "/generic/smoke-list/*"
	heir    = "/generic/smoke-list/child~" // inherits the list
	strong  = "/npm/smoke-ns~"
	weak    = "/npm/smoke.ns/*"
)

// A sandbox is the account and Region that is worked in.
type sandbox struct {
	mark    string // the tag's value of this run
	out     io.Writer
	login   *signin.Login
	scope   control.Scope
	watch   *awsio.Session // cannot write
	act     *awsio.Session
	reads   *codeartifact.Client
	writes  *codeartifact.Client
	record  *os.File
	patient time.Duration
	again   time.Duration
	pause   time.Duration
	shown   time.Duration // how long a new package group took to show
}

// enter signs in, and refuses any account but the one that is named.
func enter(ctx context.Context, o options, out io.Writer) (*sandbox, error) {
	login, err := signin.In(ctx, o.signin)
	if err != nil {
		return nil, err
	}
	if login.Account != o.sandbox {
		return nil, fmt.Errorf("the credentials are of account %s, and not of the sandbox %s; nothing was changed", login.Account, o.sandbox)
	}
	if len(login.Regions) != 1 {
		return nil, errors.New("name one Region")
	}
	s := &sandbox{
		mark: "run " + rand.Text(), out: out, login: login, scope: control.Scope{Account: login.Account, Region: login.Regions[0]},
		patient: o.patient, again: o.again, pause: o.pause,
	}
	if s.watch, err = login.AWS(s.scope.Region, control.Monitor).Session(s.scope); err != nil {
		return nil, err
	}
	if s.act, err = login.AWS(s.scope.Region, control.Enforce).Session(s.scope); err != nil {
		return nil, err
	}
	s.reads, s.writes = codeartifact.NewFromConfig(s.watch.Reads), codeartifact.NewFromConfig(s.act.Writes)
	s.say("account %s, Region %s; in other Regions it neither looks nor writes", s.scope.Account, s.scope.Region)
	return s, nil
}

func (s *sandbox) say(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

// guard refuses to begin where somebody keeps packages: where there is a domain that is not ours, or a repository that the
// account administers in the domain of another one, and where another run is at work or has left its domain.
//
// It looks into this Region only. A domain belongs to a Region, all that is written goes into our own domain there, and the
// quotas on requests are counted by Region, so a domain elsewhere cannot be harmed. To look for one everywhere would be to
// refuse most sandboxes: some Regions are disabled or denied there, and what could not be read would have to count.
func (s *sandbox) guard(ctx context.Context) error {
	domains, err := awsio.ReadAll(ctx, "domains", func(ctx context.Context, token *string) ([]types.DomainSummary, *string, error) {
		page, err := s.reads.ListDomains(ctx, &codeartifact.ListDomainsInput{NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		return page.Domains, page.NextToken, nil
	})
	if err != nil {
		return fmt.Errorf("listing domains: %w; nothing was changed", err)
	}
	for _, d := range domains.Items() {
		if aws.ToString(d.Name) != domain {
			return fmt.Errorf("there is a domain %s in Region %s, which this program did not make: this is no sandbox; nothing was changed",
				aws.ToString(d.Name), s.scope.Region)
		}
	}
	repositories, err := awsio.ReadAll(ctx, "repositories", func(ctx context.Context, token *string) ([]types.RepositorySummary, *string, error) {
		page, err := s.reads.ListRepositories(ctx, &codeartifact.ListRepositoriesInput{NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		return page.Repositories, page.NextToken, nil
	})
	if err != nil {
		return fmt.Errorf("listing repositories: %w; nothing was changed", err)
	}
	for _, r := range repositories.Items() {
		if aws.ToString(r.DomainName) != domain || aws.ToString(r.DomainOwner) != s.scope.Account {
			return fmt.Errorf("the account administers the repository %s/%s of account %s: this is no sandbox; nothing was changed",
				aws.ToString(r.DomainName), aws.ToString(r.Name), aws.ToString(r.DomainOwner))
		}
	}
	there, err := s.find(ctx, anyRun)
	if err != nil {
		return fmt.Errorf("%w; nothing was changed", err)
	}
	if there {
		return fmt.Errorf("the domain %s is there already, left by another run, or used by one that is not over; nothing was changed; if it is over, %s",
			domain, s.remedy())
	}
	return nil
}

// open makes the file in which everything is written down before it is made.
func (s *sandbox) open(path string) (err error) {
	s.record, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the one who runs the command chooses the file
	if err != nil {
		return fmt.Errorf("the record cannot be written: %w; nothing was changed", err)
	}
	s.say("what is made and done is written to %s", path)
	return nil
}

// made writes down what is about to be made. Nothing is made without that, nor after an interrupt.
func (s *sandbox) made(ctx context.Context, operation string, input any) error {
	line, err := json.Marshal(map[string]any{"making": operation, "input": input, "time": time.Now().UTC()})
	if err == nil {
		_, err = s.record.Write(append(line, '\n'))
	}
	if err == nil {
		err = s.record.Sync()
	}
	if err != nil {
		return fmt.Errorf("recording %s: %w", operation, err)
	}
	return ctx.Err()
}

// do makes one call that changes something, after it was written down.
func do[In, Out any](ctx context.Context, s *sandbox, call func(context.Context, *In, ...func(*codeartifact.Options)) (*Out, error), input *In) (*Out, error) {
	operation := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%T", input), "*codeartifact."), "Input")
	if err := s.made(ctx, operation, input); err != nil {
		return nil, err
	}
	out, err := call(ctx, input)
	if err != nil {
		return nil, fmt.Errorf("calling %s: %w", operation, err)
	}
	return out, nil
}

// create makes the domain, and says whether it may be there now. It is not where the call was not sent, or where AWS turned
// it away without looking at what there is. Where AWS objects, most likely a domain of that name is another run's; but it may
// be ours, and the mark tells.
func (s *sandbox) create(ctx context.Context) (made bool, err error) {
	s.say("making the domain %s", domain)
	in := &codeartifact.CreateDomainInput{Domain: aws.String(domain), Tags: []types.Tag{{Key: aws.String(tagKey), Value: aws.String(s.mark)}}}
	if err := s.made(ctx, "CreateDomain", in); err != nil {
		return false, err
	}
	if _, err := s.writes.CreateDomain(ctx, in); err != nil {
		return awsio.Answer(err) != control.Refused, fmt.Errorf("calling CreateDomain: %w", err)
	}
	return true, nil
}

// build makes what is in the domain, and waits until the package groups show.
func (s *sandbox) build(ctx context.Context) error {
	for _, name := range []string{gateway, team} {
		if _, err := do(ctx, s, s.writes.CreateRepository, &codeartifact.CreateRepositoryInput{
			Domain: aws.String(domain), DomainOwner: s.owner(), Repository: aws.String(name)}); err != nil {
			return err
		}
	}
	if err := s.connect(ctx, gateway); err != nil {
		return err
	}
	for _, pattern := range []string{idle, blocked, listed, heir, strong, weak} {
		if _, err := do(ctx, s, s.writes.CreatePackageGroup, &codeartifact.CreatePackageGroupInput{
			Domain: aws.String(domain), DomainOwner: s.owner(), PackageGroup: aws.String(pattern)}); err != nil {
			return err
		}
	}
	began := time.Now()
	if err := s.until(ctx, "the package groups show", func(groups map[string]types.PackageGroupSummary) bool {
		return len(groups) == 7 // with /*
	}); err != nil {
		return err
	}
	s.shown = time.Since(began)
	if err := s.configure(ctx, blocked, types.PackageGroupOriginRestrictionModeBlock); err != nil {
		return err
	}
	return s.configure(ctx, listed, types.PackageGroupOriginRestrictionModeAllowSpecificRepositories, team)
}

func (s *sandbox) owner() *string { return aws.String(s.scope.Account) }

func (s *sandbox) connect(ctx context.Context, repository string) error {
	_, err := do(ctx, s, s.writes.AssociateExternalConnection, &codeartifact.AssociateExternalConnectionInput{
		Domain: aws.String(domain), DomainOwner: s.owner(), Repository: aws.String(repository), ExternalConnection: aws.String(connection)})
	return err
}

// configure sets who may publish.
func (s *sandbox) configure(ctx context.Context, pattern string, mode types.PackageGroupOriginRestrictionMode, repositories ...string) error {
	const of = types.PackageGroupOriginRestrictionTypePublish
	in := &codeartifact.UpdatePackageGroupOriginConfigurationInput{
		Domain: aws.String(domain), DomainOwner: s.owner(), PackageGroup: aws.String(pattern),
		Restrictions: map[string]types.PackageGroupOriginRestrictionMode{string(of): mode}}
	for _, r := range repositories {
		in.AddAllowedRepositories = append(in.AddAllowedRepositories, types.PackageGroupAllowedRepository{
			OriginRestrictionType: of, RepositoryName: aws.String(r)})
	}
	_, err := do(ctx, s, s.writes.UpdatePackageGroupOriginConfiguration, in)
	return err
}

// until waits until the list of package groups is as it should be.
func (s *sandbox) until(ctx context.Context, what string, is func(map[string]types.PackageGroupSummary) bool) error {
	done, err := s.within(ctx, s.patient, func() (bool, error) {
		groups, err := s.groups(ctx)
		return err == nil && is(groups), err
	})
	if err == nil && !done {
		return fmt.Errorf("after %s it is not yet so that %s", s.patient, what)
	}
	return err
}

// within tries until it is done or fails, or the time is over.
func (s *sandbox) within(ctx context.Context, limit time.Duration, try func() (done bool, err error)) (done bool, err error) {
	for began := time.Now(); ; {
		if done, err := try(); done || err != nil || time.Since(began) > limit {
			return done, err
		}
		select {
		case <-time.After(s.pause):
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

func (s *sandbox) groups(ctx context.Context) (map[string]types.PackageGroupSummary, error) {
	list, err := awsio.ReadAll(ctx, "package groups", func(ctx context.Context, token *string) ([]types.PackageGroupSummary, *string, error) {
		page, err := s.reads.ListPackageGroups(ctx, &codeartifact.ListPackageGroupsInput{Domain: aws.String(domain), DomainOwner: s.owner(), NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		return page.PackageGroups, page.NextToken, nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing package groups: %w", err)
	}
	groups := map[string]types.PackageGroupSummary{}
	for _, g := range list.Items() {
		groups[aws.ToString(g.Pattern)] = g
	}
	return groups, nil
}

// unless returns the error, if AWS did not answer with this code.
func unless(err error, code string) error {
	if is, asked := answer(err); asked && is == code {
		return nil
	}
	return err
}

// answer is the code of AWS's answer, and "taken" if it was a success. It is not asked where no answer came.
func answer(err error) (code string, asked bool) {
	if err == nil {
		return "taken", true
	}
	var e smithy.APIError
	if errors.As(err, &e) && e.ErrorCode() != "" {
		return e.ErrorCode(), true
	}
	return "", false
}

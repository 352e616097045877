package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"

	"portcullis/shared/awsio"
)

// anyRun is in the place of the mark of one run.
const anyRun = ""

// errOthers is where the domain is not of this run. Its name is there once only, so nothing of this run is.
var errOthers = errors.New("another run made it, to which it is left")

// find says whether the domain is there with the mark of this run, or of any. One of the same name with another mark is an
// error. Nothing else of the account is looked at, so that nothing else can keep us from removing what is ours.
func (s *sandbox) find(ctx context.Context, mark string) (there bool, err error) {
	out, err := s.reads.DescribeDomain(ctx, &codeartifact.DescribeDomainInput{Domain: aws.String(domain), DomainOwner: s.owner()})
	switch {
	case awsio.Classify(err) == awsio.NotFound:
		return false, nil
	case err != nil:
		return false, fmt.Errorf("describing domain %s: %w", domain, err)
	case out.Domain == nil || aws.ToString(out.Domain.Name) != domain || aws.ToString(out.Domain.Owner) != s.scope.Account:
		return false, fmt.Errorf("describing domain %s: the answer is not about it", domain)
	case out.Domain.Status == types.DomainStatusDeleted:
		return false, nil // it is there for a while, and nothing is in it
	}
	tags, err := s.reads.ListTagsForResource(ctx, &codeartifact.ListTagsForResourceInput{ResourceArn: out.Domain.Arn})
	if err != nil {
		return false, fmt.Errorf("reading the tags of domain %s: %w", domain, err)
	}
	i := slices.IndexFunc(tags.Tags, func(t types.Tag) bool { return aws.ToString(t.Key) == tagKey })
	switch {
	case i < 0:
		return false, fmt.Errorf("the domain %s has no tag %s, so somebody else made it", domain, tagKey)
	case mark != anyRun && aws.ToString(tags.Tags[i].Value) != mark:
		return false, fmt.Errorf("the domain %s has the tag %s of %q: %w", domain, tagKey, aws.ToString(tags.Tags[i].Value), errOthers)
	}
	return true, nil
}

// remedy is what to do about what is left.
func (s *sandbox) remedy() string {
	return fmt.Sprintf("remove it with make smoke ACCOUNT=%s CLEANUP=1, or -cleanup, in Region %s", s.scope.Account, s.scope.Region)
}

// cleanup removes what a run that was killed has left.
func (s *sandbox) cleanup(ctx context.Context) (int, error) {
	there, err := s.find(ctx, anyRun)
	if err != nil {
		return failed, fmt.Errorf("%w; nothing was changed", err)
	}
	if !there {
		s.say("nothing is left to remove")
		return asAssumed, nil
	}
	if err := s.clean(ctx, anyRun); err != nil {
		return failed, err
	}
	return asAssumed, nil
}

// leave removes the domain of this run, also after an interrupt. It was asked for, so where it is not to be seen, it may show
// later, and that is said.
func (s *sandbox) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaving)
	defer cancel()
	var there bool
	var err error
	_, ended := s.within(ctx, s.again, func() (bool, error) {
		there, err = s.find(ctx, s.mark)
		return there || errors.Is(err, errOthers), nil
	})
	switch {
	case there:
		return s.clean(ctx, s.mark)
	case errors.Is(err, errOthers):
		return err
	case err == nil:
		err = fmt.Errorf("the domain %s was asked for, and is not to be seen", domain)
	}
	return fmt.Errorf("%w; it may be left, or show later: %s", errors.Join(err, ended), s.remedy())
}

// clean removes the domain with all that is in it. What fails and may pass is tried again for a while, after all the rest.
func (s *sandbox) clean(ctx context.Context, mark string) error {
	s.say("removing the domain %s and all that is in it", domain)
	var left []error
	_, ended := s.within(ctx, s.again, func() (bool, error) {
		left = s.strip(ctx, mark)
		return !slices.ContainsFunc(left, passing), nil
	})
	if len(left) > 0 {
		return fmt.Errorf("the domain %s is not removed, or not known to be:\n%w\n%s", domain, errors.Join(append(left, ended)...), s.remedy())
	}
	s.say("the domain %s is removed", domain)
	return nil
}

// strip tries once to remove everything, and returns what is left and why. What is not there any more is as it should be.
func (s *sandbox) strip(ctx context.Context, mark string) (left []error) {
	switch there, err := s.find(ctx, mark); {
	case errors.Is(err, errOthers): // ours is gone, and another run has begun
		return nil
	case err != nil:
		return []error{err}
	case !there:
		return nil
	}
	tried := func(what string, err error) {
		if unless(err, "ResourceNotFoundException") != nil {
			left = append(left, fmt.Errorf("%s: %w", what, err))
		}
	}
	repositories, err := awsio.ReadAll(ctx, "repositories", func(ctx context.Context, token *string) ([]types.RepositorySummary, *string, error) {
		page, err := s.reads.ListRepositoriesInDomain(ctx, &codeartifact.ListRepositoriesInDomainInput{Domain: aws.String(domain), DomainOwner: s.owner(), NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		return page.Repositories, page.NextToken, nil
	})
	tried("its repositories", err)
	for _, r := range repositories.Items() {
		_, err := s.writes.DeleteRepository(ctx, &codeartifact.DeleteRepositoryInput{Domain: aws.String(domain), DomainOwner: s.owner(), Repository: r.Name})
		tried("repository "+aws.ToString(r.Name), err)
	}
	occupied := len(left) > 0 // AWS removes no domain with a repository in it
	groups, err := s.groups(ctx)
	tried("its package groups", err)
	for _, pattern := range slices.Sorted(maps.Keys(groups)) {
		if pattern == "/*" {
			continue // goes with the domain
		}
		_, err := s.writes.DeletePackageGroup(ctx, &codeartifact.DeletePackageGroupInput{Domain: aws.String(domain), DomainOwner: s.owner(), PackageGroup: aws.String(pattern)})
		tried("package group "+pattern, err)
	}
	if occupied {
		return left
	}
	_, err = s.writes.DeleteDomain(ctx, &codeartifact.DeleteDomainInput{Domain: aws.String(domain), DomainOwner: s.owner()})
	if unless(err, "ResourceNotFoundException") == nil {
		return nil // and its package groups are gone with it
	}
	tried("itself", err)
	return left
}

// passing tells what may go well a little later. A conflict is with what is still going.
func passing(err error) bool {
	switch awsio.Classify(err) {
	case awsio.Throttled, awsio.Unavailable, awsio.Timeout, awsio.Malformed, awsio.Conflict:
		return true
	default:
		return false
	}
}

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"

	"portcullis/shared/protonconn"
)

// A question has the number that docs/fidelity.md gives it.
type question struct {
	id, text string
	ask      func(context.Context, *sandbox) (reply, error)
}

// A reply has no assumption where something is only measured.
type reply struct{ assumed, answered string }

func questions() []question {
	return []question{
		{"C1", "are empty lists of a repository there?", emptyLists},
		{"C2", "has a listed group modes and a parent?", listedGroups},
		{"C3", "what does a new group restrict?", newGroup},
		{"C4", "is a package without versions associated? one without any but disposed ones?", noVersions},
		{"C5", "how long until a new group shows, and a deleted one does not?", consistency},
		{"C6", "which patterns are there for Python?", python},
		{"C7", "which group wins, the weak one that is more specific?", winner},
		{"C8", "where is an inherited list?", inherited},
		{"C9", "what if only the package allows publishing? only its group? both?", bothControls},
		{"C10", "can a pattern be without its slash, and how does its ARN read?", noSlash},
		{"C14", "how is the status of a connection written?", statusOfConnection},
		{"C15", "what if a connection is removed that is gone?", gone},
		{"C16", "what if a connection is removed by two at once?", atOnce},
		{"C17", "what of a second connection, and of the same again?", second},
		{"C19", "what if /* is deleted, and another one twice?", twice},
		{"C20", "what may be configured?", configurations},
		{"C21", "what if publishing is blocked?", publishing},
		{"P1", "how does Proton answer?", ended},
	}
}

// answers puts the codes of AWS's answers into a row. An error is one that is no answer.
func answers(errs ...error) (string, error) {
	var codes []string
	for _, err := range errs {
		code, asked := answer(err)
		if !asked {
			return "", err
		}
		codes = append(codes, code)
	}
	return strings.Join(codes, ", "), nil
}

func asked(assumed string, errs ...error) (reply, error) {
	answered, err := answers(errs...)
	return reply{assumed, answered}, err
}

func emptyLists(ctx context.Context, s *sandbox) (reply, error) {
	d, err := s.describe(ctx, team)
	if err != nil {
		return reply{}, err
	}
	return reply{"connections true, upstreams true",
		fmt.Sprintf("connections %t, upstreams %t", d.ExternalConnections != nil, d.Upstreams != nil)}, nil
}

func listedGroups(ctx context.Context, s *sandbox) (reply, error) {
	groups, err := s.groups(ctx)
	if err != nil {
		return reply{}, err
	}
	g := groups[idle]
	modes := 0
	if g.OriginConfiguration != nil {
		for _, r := range g.OriginConfiguration.Restrictions {
			if r.Mode != "" && r.EffectiveMode != "" && r.InheritedFrom != nil {
				modes++
			}
		}
	}
	return reply{"3 modes with origin, parent true", fmt.Sprintf("%d modes with origin, parent %t", modes, g.Parent != nil)}, nil
}

func newGroup(ctx context.Context, s *sandbox) (reply, error) {
	out, err := s.reads.DescribePackageGroup(ctx, &codeartifact.DescribePackageGroupInput{
		Domain: aws.String(domain), DomainOwner: s.owner(), PackageGroup: aws.String(idle)})
	if err != nil {
		return reply{}, err
	}
	if out.PackageGroup == nil || out.PackageGroup.OriginConfiguration == nil {
		return reply{}, errors.New("the answer has no origin configuration")
	}
	var modes []string
	for _, of := range []string{"PUBLISH", "EXTERNAL_UPSTREAM", "INTERNAL_UPSTREAM"} {
		modes = append(modes, string(out.PackageGroup.OriginConfiguration.Restrictions[of].Mode))
	}
	return reply{"INHERIT, INHERIT, INHERIT", strings.Join(modes, ", ")}, nil
}

// noVersions looks for a while after a change, as a package may show or go late.
func noVersions(ctx context.Context, s *sandbox) (reply, error) {
	if err := s.control(ctx, "smoke-blocked", "versionless", types.AllowPublishAllow); err != nil {
		return reply{}, err
	}
	versionless, err := s.associated(ctx, blocked, 1)
	if err != nil {
		return reply{}, err
	}
	if err := s.publish(ctx, "smoke-list", "disposed"); err != nil {
		return reply{}, err
	}
	if n, err := s.associated(ctx, listed, 1); n != 1 {
		return reply{}, errors.Join(fmt.Errorf("of one package that was published, %d are associated", n), err)
	}
	out, err := do(ctx, s, s.writes.DisposePackageVersions, &codeartifact.DisposePackageVersionsInput{
		Domain: aws.String(domain), DomainOwner: s.owner(), Repository: aws.String(team), Format: types.PackageFormatGeneric,
		Namespace: aws.String("smoke-list"), Package: aws.String("disposed"), Versions: []string{"1.0"}})
	if err != nil {
		return reply{}, err
	}
	if len(out.SuccessfulVersions) != 1 {
		return reply{}, errors.New("the version is not disposed of")
	}
	disposed, err := s.associated(ctx, listed, 0)
	return reply{"1 package, 1 package", fmt.Sprintf("%d package, %d package", versionless, disposed)}, err
}

// associated counts the packages of a group, for a while until there are so many.
func (s *sandbox) associated(ctx context.Context, pattern string, want int) (n int, err error) {
	_, err = s.within(ctx, s.again, func() (bool, error) {
		out, err := s.reads.ListAssociatedPackages(ctx, &codeartifact.ListAssociatedPackagesInput{
			Domain: aws.String(domain), DomainOwner: s.owner(), PackageGroup: aws.String(pattern)})
		if err != nil {
			return false, err
		}
		n = len(out.Packages)
		return n == want, nil
	})
	return n, err
}

// control sets whether a package itself allows publishing.
func (s *sandbox) control(ctx context.Context, namespace, name string, publish types.AllowPublish) error {
	_, err := do(ctx, s, s.writes.PutPackageOriginConfiguration, &codeartifact.PutPackageOriginConfigurationInput{
		Domain: aws.String(domain), DomainOwner: s.owner(), Repository: aws.String(team), Format: types.PackageFormatGeneric,
		Namespace: aws.String(namespace), Package: aws.String(name),
		Restrictions: &types.PackageOriginRestrictions{Publish: publish, Upstream: types.AllowUpstreamBlock}})
	return err
}

// publish publishes version 1.0 of a package.
func (s *sandbox) publish(ctx context.Context, namespace, name string) error {
	content := []byte("smoke")
	if err := s.made(ctx, "PublishPackageVersion", "generic/"+namespace+"/"+name+" 1.0"); err != nil {
		return err
	}
	_, err := s.writes.PublishPackageVersion(ctx, &codeartifact.PublishPackageVersionInput{
		Domain: aws.String(domain), DomainOwner: s.owner(), Repository: aws.String(team), Format: types.PackageFormatGeneric,
		Namespace: aws.String(namespace), Package: aws.String(name), PackageVersion: aws.String("1.0"), AssetName: aws.String("smoke.txt"),
		AssetContent: bytes.NewReader(content), AssetSHA256: aws.String(fmt.Sprintf("%x", sha256.Sum256(content)))})
	return err
}

func consistency(ctx context.Context, s *sandbox) (reply, error) {
	if _, err := do(ctx, s, s.writes.DeletePackageGroup, &codeartifact.DeletePackageGroupInput{
		Domain: aws.String(domain), DomainOwner: s.owner(), PackageGroup: aws.String(idle)}); err != nil {
		return reply{}, err
	}
	began := time.Now()
	err := s.until(ctx, "the deleted package group is gone", func(groups map[string]types.PackageGroupSummary) bool {
		_, there := groups[idle]
		return !there
	})
	return reply{"", fmt.Sprintf("%s, %s", s.shown.Round(time.Second), time.Since(began).Round(time.Second))}, err
}

func python(ctx context.Context, s *sandbox) (reply, error) {
	var errs []error
	for _, pattern := range []string{"/pypi//smoke$", "/python//smoke$"} {
		_, err := do(ctx, s, s.writes.CreatePackageGroup, &codeartifact.CreatePackageGroupInput{
			Domain: aws.String(domain), DomainOwner: s.owner(), PackageGroup: aws.String(pattern)})
		errs = append(errs, err)
	}
	return asked("taken, ValidationException", errs...)
}

func winner(ctx context.Context, s *sandbox) (reply, error) {
	out, err := s.reads.GetAssociatedPackageGroup(ctx, &codeartifact.GetAssociatedPackageGroupInput{
		Domain: aws.String(domain), DomainOwner: s.owner(), Format: types.PackageFormatNpm, Namespace: aws.String("smoke-ns"), Package: aws.String("x")})
	if err != nil {
		return reply{}, err
	}
	if out.PackageGroup == nil {
		return reply{}, errors.New("the answer has no package group")
	}
	return reply{weak + " WEAK", aws.ToString(out.PackageGroup.Pattern) + " " + string(out.AssociationType)}, nil
}

func inherited(ctx context.Context, s *sandbox) (reply, error) {
	var found []string
	for _, pattern := range []string{listed, heir} {
		out, err := s.reads.ListAllowedRepositoriesForGroup(ctx, &codeartifact.ListAllowedRepositoriesForGroupInput{
			Domain: aws.String(domain), DomainOwner: s.owner(), PackageGroup: aws.String(pattern),
			OriginRestrictionType: types.PackageGroupOriginRestrictionTypePublish})
		if err != nil {
			return reply{}, err
		}
		g, err := s.reads.DescribePackageGroup(ctx, &codeartifact.DescribePackageGroupInput{
			Domain: aws.String(domain), DomainOwner: s.owner(), PackageGroup: aws.String(pattern)})
		if err != nil {
			return reply{}, err
		}
		if g.PackageGroup == nil || g.PackageGroup.OriginConfiguration == nil {
			return reply{}, errors.New("the answer has no origin configuration")
		}
		count := g.PackageGroup.OriginConfiguration.Restrictions["PUBLISH"].RepositoriesCount
		found = append(found, fmt.Sprintf("%d listed, count %s", len(out.AllowedRepositories), number(count)))
	}
	return reply{"1 listed, count 1; heir: 0 listed, count 0", strings.Join(found, "; heir: ")}, nil
}

func number(n *int64) string {
	if n == nil {
		return "none"
	}
	return fmt.Sprint(*n)
}

func bothControls(ctx context.Context, s *sandbox) (reply, error) {
	var errs []error
	for _, of := range []struct {
		namespace string
		publish   types.AllowPublish
	}{
		{"smoke-blocked", types.AllowPublishAllow},
		{"smoke-list", types.AllowPublishBlock},
		{"smoke-list", types.AllowPublishAllow},
	} {
		name := "controlled-" + strings.ToLower(string(of.publish))
		if err := s.control(ctx, of.namespace, name, of.publish); err != nil {
			return reply{}, err
		}
		errs = append(errs, s.publish(ctx, of.namespace, name))
	}
	return asked("ConflictException, ConflictException, taken", errs...)
}

func noSlash(ctx context.Context, s *sandbox) (reply, error) {
	out, err := do(ctx, s, s.writes.CreatePackageGroup, &codeartifact.CreatePackageGroupInput{
		Domain: aws.String(domain), DomainOwner: s.owner(), PackageGroup: aws.String("npm/smoke~")})
	a, err := asked("ValidationException", err)
	if err == nil && out != nil && out.PackageGroup != nil {
		a.answered = aws.ToString(out.PackageGroup.Arn)
	}
	return a, err
}

func statusOfConnection(ctx context.Context, s *sandbox) (reply, error) {
	d, err := s.describe(ctx, gateway)
	if err != nil {
		return reply{}, err
	}
	if len(d.ExternalConnections) != 1 {
		return reply{}, fmt.Errorf("%s has %d connections", gateway, len(d.ExternalConnections))
	}
	return reply{"Available", string(d.ExternalConnections[0].Status)}, nil
}

func gone(ctx context.Context, s *sandbox) (reply, error) {
	_, err := do(ctx, s, s.writes.DisassociateExternalConnection, &codeartifact.DisassociateExternalConnectionInput{
		Domain: aws.String(domain), DomainOwner: s.owner(), Repository: aws.String(team), ExternalConnection: aws.String(connection)})
	return asked("ResourceNotFoundException", err)
}

// atOnce gives a repository a connection, and has it removed by two.
func atOnce(ctx context.Context, s *sandbox) (reply, error) {
	if err := s.connect(ctx, team); err != nil {
		return reply{}, err
	}
	errs := make([]error, 2)
	var both sync.WaitGroup
	for i := range errs {
		both.Go(func() {
			_, errs[i] = do(ctx, s, s.writes.DisassociateExternalConnection, &codeartifact.DisassociateExternalConnectionInput{
				Domain: aws.String(domain), DomainOwner: s.owner(), Repository: aws.String(team), ExternalConnection: aws.String(connection)})
		})
	}
	both.Wait()
	slices.SortFunc(errs, func(a, b error) int { // which of them was first says nothing
		x, _ := answer(a)
		y, _ := answer(b)
		return strings.Compare(x, y)
	})
	return asked("ResourceNotFoundException, taken", errs...)
}

func second(ctx context.Context, s *sandbox) (reply, error) {
	_, other := do(ctx, s, s.writes.AssociateExternalConnection, &codeartifact.AssociateExternalConnectionInput{
		Domain: aws.String(domain), DomainOwner: s.owner(), Repository: aws.String(gateway), ExternalConnection: aws.String("public:pypi")})
	return asked("ValidationException, ValidationException", other, s.connect(ctx, gateway))
}

func twice(ctx context.Context, s *sandbox) (reply, error) {
	remove := func(pattern string) error {
		_, err := do(ctx, s, s.writes.DeletePackageGroup, &codeartifact.DeletePackageGroupInput{
			Domain: aws.String(domain), DomainOwner: s.owner(), PackageGroup: aws.String(pattern)})
		return err
	}
	return asked("ValidationException, taken, ResourceNotFoundException", remove("/*"), remove(strong), remove(strong))
}

// configurations asks whether the root can inherit, a list be added to that is not there, a repository be listed that does
// not exist, and one be taken off that is not listed.
func configurations(ctx context.Context, s *sandbox) (reply, error) {
	const publish = types.PackageGroupOriginRestrictionTypePublish
	root := s.configure(ctx, "/*", types.PackageGroupOriginRestrictionModeInherit)
	list := s.configure(ctx, heir, types.PackageGroupOriginRestrictionModeInherit, team)
	unknown := s.configure(ctx, listed, types.PackageGroupOriginRestrictionModeAllowSpecificRepositories, "nowhere")
	_, off := do(ctx, s, s.writes.UpdatePackageGroupOriginConfiguration, &codeartifact.UpdatePackageGroupOriginConfigurationInput{
		Domain: aws.String(domain), DomainOwner: s.owner(), PackageGroup: aws.String(listed),
		RemoveAllowedRepositories: []types.PackageGroupAllowedRepository{{OriginRestrictionType: publish, RepositoryName: aws.String(gateway)}}})
	return asked("ValidationException, ValidationException, ResourceNotFoundException, taken", root, list, unknown, off)
}

func publishing(ctx context.Context, s *sandbox) (reply, error) {
	return asked("ConflictException", s.publish(ctx, "smoke-blocked", "tool"))
}

// ended has the control look, which says how it understands the answer.
func ended(ctx context.Context, s *sandbox) (reply, error) {
	p, err := rules()
	if err != nil {
		return reply{}, err
	}
	_, plan := protonconn.Look(ctx, s.watch, s.scope, p)
	codes := map[string]bool{}
	for _, f := range plan.Findings {
		codes[f.Code] = true
	}
	a := reply{"service-retired or unreachable", "as if the service were there"}
	if codes["service-retired"] || codes["unreachable"] {
		a.answered = a.assumed
	}
	for _, f := range plan.Findings {
		if f.Reason != "" && a.answered != a.assumed {
			a.answered = f.Reason
		}
	}
	return a, nil
}

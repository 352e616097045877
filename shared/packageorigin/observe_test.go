package packageorigin

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"

	"portcullis/shared/awsio"
	"portcullis/shared/policy"
)

// A registry says of every package that its group allows npm-internal to publish
// it. What it says otherwise, the end-to-end tests try out.
type registry struct {
	asked    func()
	now, top atomic.Int32 // looks under way, and the most there were at a time
	lists    atomic.Int32
}

func (r *registry) ListDomains(context.Context, *codeartifact.ListDomainsInput, ...options) (*codeartifact.ListDomainsOutput, error) {
	return &codeartifact.ListDomainsOutput{Domains: []types.DomainSummary{{Name: aws.String("corp"), Owner: aws.String(owner)}}}, nil
}

func (r *registry) GetAssociatedPackageGroup(_ context.Context, in *codeartifact.GetAssociatedPackageGroupInput, _ ...options) (*codeartifact.GetAssociatedPackageGroupOutput, error) {
	n := r.now.Add(1)
	defer r.now.Add(-1)
	for top := r.top.Load(); n > top && !r.top.CompareAndSwap(top, n); top = r.top.Load() {
	}
	r.asked()
	specific := types.PackageGroupOriginRestriction{Mode: allowSpecific, EffectiveMode: allowSpecific}
	return &codeartifact.GetAssociatedPackageGroupOutput{
		AssociationType: types.PackageGroupAssociationTypeStrong,
		PackageGroup: &types.PackageGroupDescription{
			DomainName: in.Domain, DomainOwner: in.DomainOwner, Pattern: aws.String("/npm/acme/*"),
			OriginConfiguration: &types.PackageGroupOriginConfiguration{Restrictions: map[string]types.PackageGroupOriginRestriction{
				"PUBLISH": specific, "EXTERNAL_UPSTREAM": specific, "INTERNAL_UPSTREAM": specific,
			}},
		},
	}, nil
}

func (r *registry) ListAllowedRepositoriesForGroup(context.Context, *codeartifact.ListAllowedRepositoriesForGroupInput, ...options) (*codeartifact.ListAllowedRepositoriesForGroupOutput, error) {
	r.lists.Add(1)
	return &codeartifact.ListAllowedRepositoriesForGroupOutput{AllowedRepositories: []string{"npm-internal"}}, nil
}

// many guards as many packages.
func many(n int) policy.PackageOrigins {
	var p policy.PackageOrigins
	for i := range n {
		name := fmt.Sprintf("p%d", i)
		p.Guards = append(p.Guards, policy.Guard{
			Package: policy.Package{URL: "pkg:npm/%40acme/" + name, Format: "npm", Namespace: "acme", Name: name},
			Domains: []string{"corp"}, Require: []policy.Requirement{{Restriction: "PUBLISH", Only: []string{"npm-internal"}}},
		})
	}
	return p
}

func TestABoundedNumberOfPackagesIsLookedAtAtATime(t *testing.T) {
	// The first looks wait for each other, so that as many are under way as may be.
	gate, arrived := make(chan struct{}), atomic.Int32{}
	r := &registry{asked: func() {
		if arrived.Add(1) == awsio.Workers {
			close(gate)
		}
		<-gate
	}}
	o := ObserveAll(t.Context(), r, scope, many(3*awsio.Workers))
	if len(o.Packages) != 3*awsio.Workers || len(o.Unread) > 0 {
		t.Errorf("%d packages, unread: %+v", len(o.Packages), o.Unread)
	}
	if top := r.top.Load(); top != awsio.Workers {
		t.Errorf("%d at a time, want %d", top, awsio.Workers)
	}
	if n := r.lists.Load(); n != 1 {
		t.Errorf("one list was read %d times", n)
	}
}

func TestWhatIsNotReachedBeforeTheEndIsUndetermined(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	r := &registry{asked: stop} // the first look is the last
	o := ObserveAll(ctx, r, scope, many(3*awsio.Workers))
	if len(o.Packages)+len(o.Unread) != 3*awsio.Workers || len(o.Unread) == 0 {
		t.Fatalf("%d packages and %d unread, want %d together", len(o.Packages), len(o.Unread), 3*awsio.Workers)
	}
	for _, u := range o.Unread {
		if u.Class != awsio.Deadline || u.Subject == "" {
			t.Errorf("unread: %+v", u)
		}
	}
}

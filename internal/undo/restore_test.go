package undo

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"

	"portcullis/shared/control"
	"portcullis/shared/policy"
)

// slow is a CodeArtifact in which a package group that was made shows only after some
// looks, or never.
type slow struct {
	Reader
	Writer
	made  bool
	hides int // looks that do not see it
	calls []string
}

func (s *slow) CreatePackageGroup(context.Context, *codeartifact.CreatePackageGroupInput, ...options) (*codeartifact.CreatePackageGroupOutput, error) {
	s.made = true
	s.calls = append(s.calls, "CreatePackageGroup")
	return &codeartifact.CreatePackageGroupOutput{}, nil
}

func (s *slow) UpdatePackageGroupOriginConfiguration(context.Context, *codeartifact.UpdatePackageGroupOriginConfigurationInput, ...options) (*codeartifact.UpdatePackageGroupOriginConfigurationOutput, error) {
	s.calls = append(s.calls, "UpdatePackageGroupOriginConfiguration")
	return &codeartifact.UpdatePackageGroupOriginConfigurationOutput{}, nil
}

func (s *slow) DescribePackageGroup(_ context.Context, in *codeartifact.DescribePackageGroupInput, _ ...options) (*codeartifact.DescribePackageGroupOutput, error) {
	if s.made {
		s.hides--
	}
	if !s.made || s.hides >= 0 {
		return nil, &types.ResourceNotFoundException{Message: aws.String("there is none")}
	}
	own := types.PackageGroupOriginRestrictionModeInherit
	if len(s.calls) > 1 {
		own = types.PackageGroupOriginRestrictionModeBlock
	}
	modes := map[string]types.PackageGroupOriginRestriction{}
	for _, kind := range kinds() {
		modes[kind] = types.PackageGroupOriginRestriction{Mode: types.PackageGroupOriginRestrictionModeInherit, EffectiveMode: types.PackageGroupOriginRestrictionModeAllow}
	}
	modes["PUBLISH"] = types.PackageGroupOriginRestriction{Mode: own, EffectiveMode: types.PackageGroupOriginRestrictionModeBlock}
	return &codeartifact.DescribePackageGroupOutput{PackageGroup: &types.PackageGroupDescription{
		Pattern: in.PackageGroup, DomainName: in.Domain, DomainOwner: in.DomainOwner, CreatedTime: aws.Time(time.Now()),
		Description:         aws.String(`it's "$(ours)"`),
		Parent:              &types.PackageGroupReference{Pattern: aws.String("/*")},
		OriginConfiguration: &types.PackageGroupOriginConfiguration{Restrictions: modes},
	}}, nil
}

func (s *slow) ListTagsForResource(context.Context, *codeartifact.ListTagsForResourceInput, ...options) (*codeartifact.ListTagsForResourceOutput, error) {
	return &codeartifact.ListTagsForResourceOutput{Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("x")}}}, nil
}

// kept is a recorder that keeps what it is told.
type kept struct{ outcomes []control.Outcome }

func (k *kept) Intent(context.Context, control.Action) error { return nil }
func (k *kept) Outcome(_ context.Context, o control.Outcome) { k.outcomes = append(k.outcomes, o) }
func (k *kept) statuses() (s []string) {
	for _, o := range k.outcomes {
		s = append(s, o.Call.Operation+" "+string(o.Status)+" "+o.Code)
	}
	return s
}

// late is a package group that got a mode in the moment in which it was deleted.
func late(t *testing.T) *Restoration {
	t.Helper()
	text, err := os.ReadFile("testdata/group.json")
	if err != nil {
		t.Fatal(err)
	}
	restrictions := `{"service":"codeartifact","operation":"UpdatePackageGroupOriginConfiguration","input":{"domain":"corp","domainOwner":"111122223333","packageGroup":"/npm/a/*","restrictions":{"PUBLISH":"BLOCK"}}}`
	changed := strings.Replace(string(text), "\n  ],\n  \"version\"", ","+restrictions+"],\n  \"version\"", 1)
	changed = strings.Replace(changed, `"status": "applied"`, `"status": "restore-needed"`, 1)
	read, err := Read("group.json", []byte(changed))
	if err != nil || len(read[0].Undo) != 2 {
		t.Fatalf("%v: %+v", err, read)
	}
	r, err := Prepare(read[0])
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The modes of a group are set once the group shows, and never where it does not: the
// call would find no group, and what was to be blocked would stay open in silence.
func TestTheSecondCallWaitsForTheFirst(t *testing.T) {
	for _, row := range []struct {
		name  string
		hides int
		want  string
	}{
		{"it shows at once", 0, "CreatePackageGroup applied verified, UpdatePackageGroupOriginConfiguration applied verified"},
		{"it shows after some looks", 5, "CreatePackageGroup applied verified, UpdatePackageGroupOriginConfiguration applied verified"},
		{"it never shows", 1 << 20, "CreatePackageGroup applied unverified, UpdatePackageGroupOriginConfiguration withheld undetermined"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := late(t)
			world := &slow{hides: row.hides}
			view := View{API: world, Now: func() time.Time { return time.Time{} }}
			r.Look(t.Context(), view)
			a := NewActor(view, world, r)
			a.wait = time.Millisecond
			if row.hides > 100 {
				a.wait = time.Minute // there is no time for another look
			}
			k := &kept{}
			control.Apply(t.Context(), t.Context(), r.Actions(), a, k)
			if got := strings.Join(k.statuses(), ", "); got != row.want {
				t.Errorf("got  %s\nwant %s\n%+v", got, row.want, k.outcomes)
			}
		})
	}
}

// What refuses a restoration leaves it nothing to do. This is the wall behind that.
func TestWhatIsRefusedOrNotKnownHasNoCalls(t *testing.T) {
	for _, row := range []struct {
		name     string
		standing Standing
		calls    int
	}{
		{"refused", Standing{Refused: "it is somebody else's now"}, 0},
		{"not known", Standing{Unread: "it could not be read"}, 0},
		{"neither", Standing{}, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := late(t)
			r.Standing = row.standing
			r.Standing.Left = r.Calls()
			if got := len(r.Actions()); got != row.calls {
				t.Errorf("%d calls would be made, want %d", got, row.calls)
			}
		})
	}
}

// there is a CodeArtifact in which a package group is there, as a call without its
// modes would leave it.
type there struct {
	slow
	created time.Time
}

func (t *there) DescribePackageGroup(ctx context.Context, in *codeartifact.DescribePackageGroupInput, o ...options) (*codeartifact.DescribePackageGroupOutput, error) {
	t.made, t.hides = true, 0
	out, err := t.slow.DescribePackageGroup(ctx, in, o...)
	if err == nil {
		out.PackageGroup.CreatedTime = &t.created
	}
	return out, err
}

// A mode may open a group, so none is set on a group that this undo did not make,
// whatever a record says.
func TestNoModeIsSetOnAGroupOfSomebodyElse(t *testing.T) {
	deleted := time.Date(2026, 10, 9, 17, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		name    string
		created time.Time
		why     string
	}{
		{"it was made since", deleted.Add(time.Hour), "exists again, since 2026-10-09 18:00:00 UTC, and is not as it was"},
		{"it was never deleted", deleted, "was not deleted: it is the one that was made on 2026-10-09 17:00:00 UTC"},
	} {
		t.Run(row.name, func(t *testing.T) {
			world := &there{created: row.created}
			r := late(t)
			r.Look(t.Context(), View{API: world})
			if len(r.Actions()) > 0 || len(r.Standing.Left) > 0 || !strings.Contains(r.Standing.Refused, row.why) {
				t.Errorf("it would make %d calls, and says %q; want none, and that it %s", len(r.Actions()), r.Standing.Refused, row.why)
			}
		})
	}
}

// A mark that was taken off is not set again: its time is over, and the group would be
// deleted without a grace time.
func TestAnOldMarkIsNotSetAgain(t *testing.T) {
	text, err := os.ReadFile("testdata/unmark.json")
	if err != nil {
		t.Fatal(err)
	}
	read, err := Read("unmark.json", text)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Prepare(read[0])
	if err != nil {
		t.Fatal(err)
	}
	r.Look(t.Context(), View{API: &slow{}})
	if len(r.Calls()) > 0 || len(r.Standing.Left) > 0 || !strings.Contains(r.Standing.Refused, "nothing is lost without one") {
		t.Errorf("it calls %v, and says %q", r.Standing.Left, r.Standing.Refused)
	}
}

// repository is a CodeArtifact with one repository in it.
type repository struct {
	slow
	created            time.Time
	upstream           string
	associated, looked int
	between            func(*repository) // what happens between the showing and the write
}

func (r *repository) DescribeRepository(_ context.Context, in *codeartifact.DescribeRepositoryInput, _ ...options) (*codeartifact.DescribeRepositoryOutput, error) {
	if r.looked++; r.looked == 2 {
		r.between(r)
	}
	out := &types.RepositoryDescription{
		ExternalConnections: []types.RepositoryExternalConnectionInfo{}, Upstreams: []types.UpstreamRepositoryInfo{},
		Name: in.Repository, DomainName: in.Domain, DomainOwner: in.DomainOwner, AdministratorAccount: in.DomainOwner, CreatedTime: &r.created,
		Arn: aws.String("arn:aws:codeartifact:eu-west-1:" + *in.DomainOwner + ":repository/" + *in.Domain + "/" + *in.Repository),
	}
	if r.upstream != "" {
		out.Upstreams = []types.UpstreamRepositoryInfo{{RepositoryName: &r.upstream}}
	}
	return &codeartifact.DescribeRepositoryOutput{Repository: out}, nil
}

func (r *repository) AssociateExternalConnection(context.Context, *codeartifact.AssociateExternalConnectionInput, ...options) (*codeartifact.AssociateExternalConnectionOutput, error) {
	r.associated++
	return &codeartifact.AssociateExternalConnectionOutput{}, nil
}

// What makes a restoration wrong may come up while a person is asked.
func TestWhatIsRefusedByTheSecondReadingIsNotDone(t *testing.T) {
	text, err := os.ReadFile("testdata/connection.json")
	if err != nil {
		t.Fatal(err)
	}
	read, err := Read("connection.json", text)
	if err != nil {
		t.Fatal(err)
	}
	against := &policy.Policy{ExternalConnections: &policy.ExternalConnections{}}
	for _, row := range []struct {
		name    string
		between func(*repository)
		policy  *policy.Policy
		want    string
	}{
		{"an upstream was added", func(r *repository) { r.upstream = "npm-store" }, nil, "draws from npm-store now"},
		{"it was made anew", func(r *repository) { r.created = r.created.Add(time.Hour) }, nil, "was made anew"},
		{"the policy is against it", func(*repository) {}, against, "the policy still asks for its removal"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := Prepare(read[0])
			if err != nil {
				t.Fatal(err)
			}
			world := &repository{created: *r.resource.(*connection).before.Created, between: row.between}
			view := View{API: world, Now: func() time.Time { return time.Time{} }, Force: true}
			r.Look(t.Context(), view)
			actions := r.Actions()
			if len(actions) != 1 {
				t.Fatalf("%d calls are shown, want 1: %+v", len(actions), r.Standing)
			}
			view.Policy, view.Force = row.policy, row.policy == nil
			k := &kept{}
			control.Apply(t.Context(), t.Context(), actions, NewActor(view, world, r), k)
			if o := k.outcomes[0]; world.associated > 0 || o.Code != "no-longer-asked" || !strings.Contains(o.Detail, row.want) {
				t.Errorf("%d calls; %s: %s; want none, as it %s", world.associated, o.Code, o.Detail, row.want)
			}
			if s := r.resource.look(t.Context(), view); len(s.Left) > 0 {
				t.Errorf("what is refused has %d calls left", len(s.Left))
			}
		})
	}
}

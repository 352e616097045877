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
		{"it may go yet", deleted, "is still the one that was made on 2026-10-09 17:00:00 UTC"},
	} {
		t.Run(row.name, func(t *testing.T) {
			world := &there{created: row.created}
			r := late(t)
			r.Look(t.Context(), View{API: world})
			if len(r.Actions()) > 0 || len(r.Standing.Left) > 0 || !strings.Contains(r.Standing.Refused+r.Standing.Open, row.why) {
				t.Errorf("it would make %d calls, and says %q; want none, and that it %s", len(r.Actions()), r.Standing.Refused+r.Standing.Open, row.why)
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

// outcomes reads a fixture, with another end than it has.
func outcomes(t *testing.T, fixture string, status control.Status, code string) []Outcome {
	t.Helper()
	text, err := os.ReadFile("testdata/" + fixture)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), `"status": "applied"`, `"status": "`+string(status)+`"`, 1)
	read, err := Read(fixture, []byte(strings.Replace(changed, `"code": "verified"`, `"code": "`+code+`"`, 1)))
	if err != nil || len(read) != 1 {
		t.Fatalf("%d outcomes, %v", len(read), err)
	}
	if status == Intended {
		read[0].Status = Intended
	}
	return read
}

// connected is a CodeArtifact in which a repository has its connection, or has lost
// it until it is given again.
type connected struct {
	repository
	lost bool
}

func (c *connected) DescribeRepository(ctx context.Context, in *codeartifact.DescribeRepositoryInput, o ...options) (*codeartifact.DescribeRepositoryOutput, error) {
	out, err := c.repository.DescribeRepository(ctx, in, o...)
	if err == nil && (!c.lost || c.associated > 0) {
		out.Repository.ExternalConnections = []types.RepositoryExternalConnectionInfo{{ExternalConnectionName: aws.String("public:npmjs")}}
	}
	return out, err
}

// What nobody has seen done, and does not show now, may show later. It is not told as
// it was, whether AWS accepted it or its answer was lost.
func TestWhatDoesNotShowYetIsNotAsItWas(t *testing.T) {
	created := time.Date(2026, 10, 9, 17, 0, 0, 0, time.UTC)
	asIs := func(*repository) {}
	for _, end := range []struct {
		name   string
		status control.Status
		code   string
		open   bool
	}{
		{"only the intent is on record", Intended, "", true},
		{"nobody has looked", control.Failed, "unverified", true},
		{"the answer was lost", control.Failed, "answer-lost", true},
		{"AWS accepted it", control.Applied, "unverified", true},
		{"a look has found it", control.Applied, "verified", false},
		{"a look has found it, without an answer", control.Applied, "answer-lost", false},
		{"a look has found it, after a refusal", control.AlreadyDone, "refused", false},
	} {
		t.Run(end.name, func(t *testing.T) {
			for fixture, row := range map[string]struct {
				api  Reader
				open bool
			}{
				"connection.json": {&connected{repository: repository{created: created, between: asIs}}, end.open},
				"mark.json":       {&slow{}, end.open},
				"unmark.json":     {&tagged{tags: oldMark(t)}, end.open},
				"group.json":      {&there{created: created}, true}, // whatever a look has seen, it is that very one
			} {
				r, err := Prepare(outcomes(t, fixture, end.status, end.code)[0])
				if err != nil {
					t.Fatal(err)
				}
				r.Look(t.Context(), View{API: row.api})
				s := r.Standing
				if open := s.Open != ""; open != row.open || s.Unread != "" || s.Refused != "" || len(r.Actions()) > 0 {
					t.Errorf("%s: open %v, want %v, and nothing to do: %+v", fixture, open, row.open, s)
				}
				if row.open && !strings.Contains(s.Open, "how long that takes is not documented, so undo this again later") {
					t.Errorf("%s: it does not say what to do: %s", fixture, s.Open)
				}
			}
		})
	}
}

// What was seen to be gone and is there again was restored, although the record leaves
// it open that it went.
func TestWhatWasSeenGoneIsSettled(t *testing.T) {
	r, err := Prepare(outcomes(t, "connection.json", control.Failed, "answer-lost")[0])
	if err != nil {
		t.Fatal(err)
	}
	world := &connected{repository: repository{created: *r.resource.(*connection).before.Created, between: func(*repository) {}}, lost: true}
	view := View{API: world, Now: func() time.Time { return time.Time{} }, Force: true}
	r.Look(t.Context(), view)
	k := &kept{}
	control.Apply(t.Context(), t.Context(), r.Actions(), NewActor(view, world, r), k)
	if got := strings.Join(k.statuses(), ", "); got != "AssociateExternalConnection applied verified" || strings.Contains(k.outcomes[0].Detail, "later") {
		t.Errorf("got %s: %+v", got, k.outcomes)
	}
}

// oldMark is the mark that the outcome of unmark.json took off.
func oldMark(t *testing.T) []types.Tag {
	t.Helper()
	r, err := Prepare(outcomes(t, "unmark.json", control.Applied, "verified")[0])
	if err != nil {
		t.Fatal(err)
	}
	return sdkTags(r.resource.(*mark).set.Tags)
}

// tagged is a CodeArtifact in which a package group stands with some tags, until it
// goes.
type tagged struct {
	there
	tags []types.Tag
	gone bool
	then func(*tagged) // what happens before a tag is taken off
}

func (g *tagged) DescribePackageGroup(ctx context.Context, in *codeartifact.DescribePackageGroupInput, o ...options) (*codeartifact.DescribePackageGroupOutput, error) {
	if g.gone {
		return nil, &types.ResourceNotFoundException{Message: aws.String("there is none")}
	}
	return g.there.DescribePackageGroup(ctx, in, o...)
}

func (g *tagged) ListTagsForResource(context.Context, *codeartifact.ListTagsForResourceInput, ...options) (*codeartifact.ListTagsForResourceOutput, error) {
	return &codeartifact.ListTagsForResourceOutput{Tags: append([]types.Tag{}, g.tags...)}, nil
}

func (g *tagged) UntagResource(_ context.Context, in *codeartifact.UntagResourceInput, _ ...options) (*codeartifact.UntagResourceOutput, error) {
	g.calls = append(g.calls, "UntagResource "+strings.Join(in.TagKeys, " "))
	g.tags = nil
	if g.then != nil {
		g.then(g)
	}
	return &codeartifact.UntagResourceOutput{}, nil
}

// A package group whose deletion is open, and that stands with the mark which another
// outcome set, would be deleted by the next run. The mark is taken off; the deletion
// stays open.
func TestTheMarkOfAGroupThatMayGoYetIsTakenOff(t *testing.T) {
	created := time.Date(2026, 10, 9, 17, 0, 0, 0, time.UTC)
	deletion := outcomes(t, "group.json", control.Failed, "unverified")[0]
	text, err := os.ReadFile("testdata/mark.json")
	if err != nil {
		t.Fatal(err)
	}
	same := strings.NewReplacer("/npm/b/", "/npm/a/", "b26ad1d65ff5cfb7", deletion.ID).Replace(string(text))
	marks, err := Read("mark.json", []byte(same))
	if err != nil {
		t.Fatal(err)
	}
	ours := []types.Tag{{Key: aws.String("portcullis:empty-since"), Value: aws.String("2026-11-20T09:00:00Z/1791565200000")}}
	theirs := []types.Tag{{Key: aws.String("portcullis:empty-since"), Value: aws.String("2026-11-19T09:00:00Z/1791565200000")}}
	for _, row := range []struct {
		name   string
		others []Outcome
		tags   []types.Tag
		before func(*tagged) // the second reading
		then   func(*tagged)
		want   string
		says   string
	}{
		{"an outcome set it", marks, ours, nil, nil, "UntagResource applied verified", "is still the one"},
		{"no outcome is of it", nil, ours, nil, nil, "", "it bears a mark that no outcome in the files set"},
		{"another was set since", marks, theirs, nil, nil, "", "it bears a mark that no outcome in the files set"},
		{"the group goes before", marks, ours, func(g *tagged) { g.gone = true }, nil, "UntagResource withheld undetermined", "it shows now that the call was made"},
		{"the mark goes before", marks, ours, func(g *tagged) { g.tags = nil }, nil, "UntagResource withheld undetermined", "is still the one"},
		{"the group goes with it", marks, ours, nil, func(g *tagged) { g.gone = true }, "UntagResource applied verified", "it shows now that the call was made"},
	} {
		t.Run(row.name, func(t *testing.T) {
			newest, others := Newest(Settle(append([]Outcome{deletion}, row.others...))) // the later mark does not settle the deletion
			if newest[0].Call.Operation != "DeletePackageGroup" || len(others) != len(row.others) {
				t.Fatalf("%s is undone, beside %d others", newest[0].Call.Operation, len(others))
			}
			r, err := Prepare(newest[0], others...)
			if err != nil {
				t.Fatal(err)
			}
			world := &tagged{there: there{created: created}, tags: row.tags, then: row.then}
			view := View{API: world, Now: func() time.Time { return time.Time{} }}
			r.Look(t.Context(), view)
			if row.before != nil {
				row.before(world)
			}
			k := &kept{}
			control.Apply(t.Context(), t.Context(), r.Actions(), NewActor(view, world, r), k)
			got, says := strings.Join(k.statuses(), ", "), r.Standing.Open
			if len(k.outcomes) > 0 {
				says = k.outcomes[0].Detail
			}
			if got != row.want || !strings.Contains(says, row.says) || r.Standing.Open == "" {
				t.Errorf("got %q, and it says %q, and then %q; want %q, and that %s", got, says, r.Standing.Open, row.want, row.says)
			}
			for _, c := range world.calls {
				if c != "UntagResource portcullis:empty-since" {
					t.Errorf("it called %s", c)
				}
			}
		})
	}
}

// The group was made anew since, so the mark on it has nothing to do with the deletion.
func TestAMarkOfAnotherGroupIsNewerThanTheDeletion(t *testing.T) {
	deletion := outcomes(t, "group.json", control.Failed, "unverified")[0]
	for created, want := range map[string]string{
		`{"createdTime":"2026-10-09T17:00:00Z"}`: "DeletePackageGroup",
		`{"createdTime":"2026-11-19T17:00:00Z"}`: "TagResource",
		`{}`:                                     "TagResource",
	} {
		newer := Outcome{Resource: deletion.Resource, Call: Call{Operation: "TagResource"}, Before: []byte(created)}
		if newest, others := Newest([]Outcome{newer, deletion}); len(newest) != 1 || newest[0].Call.Operation != want || len(others) != 1 {
			t.Errorf("after a mark of one with %s: got %+v, want %s", created, newest, want)
		}
	}
}

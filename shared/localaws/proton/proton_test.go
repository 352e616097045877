package proton_test

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	sdk "github.com/aws/aws-sdk-go-v2/service/proton"
	"github.com/aws/aws-sdk-go-v2/service/proton/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/proton"
	"portcullis/shared/localaws/witness"
)

const (
	management  = "111111111111"
	environment = "222222222222"
	stranger    = "333333333333"
	region      = "us-east-1"
)

func start() time.Time { return time.Date(2026, 9, 1, 10, 0, 0, 500e6, time.UTC) }

func role(name string) string { return "arn:aws:iam::" + environment + ":role/service-role/" + name }

type stage struct {
	t      *testing.T
	world  *localaws.World
	proton *proton.Service
	bridge *eventbridge.Service
}

func newStage(t *testing.T) stage {
	t.Helper()
	w, err := localaws.New(start())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	witness.Watch(t, w)
	bridge := eventbridge.New(w)
	return stage{t, w, proton.New(w, bridge), bridge}
}

func (s stage) as(account string) party { return newParty(s.t, s.world, account, s.world.URL()) }

// asked is a request for simple-env, as the API takes it.
func asked() sdk.CreateEnvironmentAccountConnectionInput {
	return sdk.CreateEnvironmentAccountConnectionInput{
		EnvironmentName: aws.String("simple-env"), ManagementAccountId: aws.String(management), RoleArn: aws.String(role("proton")),
	}
}

// add sets up a connection for simple-env.
func (s stage) add(status proton.Status) proton.Connection {
	c := s.proton.AddConnection(proton.Request{
		EnvironmentAccount: environment, Region: region, ManagementAccount: management, EnvironmentName: "simple-env",
		Roles: proton.Roles{Role: role("proton")},
	})
	c.SetStatus(status)
	return c
}

// must returns the answer of a call that succeeds.
func must[Out any](out Out, err error) func(*testing.T) Out {
	return func(t *testing.T) Out {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// same compares what the SDK decoded.
func same(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(types.EnvironmentAccountConnection{},
		types.EnvironmentAccountConnectionSummary{}, types.EnvironmentSummary{}, types.Tag{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// code is that of an error, empty without one. All are 400.
func code(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var response *awshttp.ResponseError
	var api smithy.APIError
	if !errors.As(err, &response) || response.HTTPStatusCode() != 400 || !errors.As(err, &api) {
		t.Errorf("got %v", err)
		return "no API error"
	}
	return api.ErrorCode()
}

func TestARequestShowsInBothAccountsAndIsAccepted(t *testing.T) {
	s := newStage(t)
	in := asked()
	in.ComponentRoleArn, in.CodebuildRoleArn = aws.String(role("component")), aws.String(role("codebuild"))
	got := must(s.as(environment).create(in))(t)
	want := &types.EnvironmentAccountConnection{
		Arn:                  aws.String("arn:aws:proton:us-east-1:222222222222:environment-account-connection/" + *got.Id),
		EnvironmentAccountId: aws.String(environment), ManagementAccountId: aws.String(management),
		EnvironmentName: in.EnvironmentName, Id: got.Id, RequestedAt: aws.Time(start()), LastModifiedAt: aws.Time(start()),
		RoleArn: in.RoleArn, ComponentRoleArn: in.ComponentRoleArn, CodebuildRoleArn: in.CodebuildRoleArn,
		Status: types.EnvironmentAccountConnectionStatusPending,
	}
	same(t, want, got)
	same(t, want, must(s.as(environment).get(*got.Id))(t))

	s.world.Advance(time.Hour)
	want.Status, want.LastModifiedAt = types.EnvironmentAccountConnectionStatusConnected, aws.Time(start().Add(time.Hour))
	same(t, want, must(s.as(management).accept(*got.Id))(t))

	summaries := []types.EnvironmentAccountConnectionSummary{{
		Arn: want.Arn, EnvironmentAccountId: want.EnvironmentAccountId, ManagementAccountId: want.ManagementAccountId,
		EnvironmentName: want.EnvironmentName, Id: want.Id, RequestedAt: want.RequestedAt, LastModifiedAt: want.LastModifiedAt,
		RoleArn: want.RoleArn, ComponentRoleArn: want.ComponentRoleArn, Status: want.Status,
	}}
	none := []types.EnvironmentAccountConnectionSummary{} // and not nil
	for _, test := range []struct {
		account   string
		requested types.EnvironmentAccountConnectionRequesterAccountType
		want      []types.EnvironmentAccountConnectionSummary
	}{
		{management, "MANAGEMENT_ACCOUNT", summaries},
		{management, "ENVIRONMENT_ACCOUNT", none},
		{environment, "ENVIRONMENT_ACCOUNT", summaries},
		{environment, "MANAGEMENT_ACCOUNT", none},
		{stranger, "MANAGEMENT_ACCOUNT", none},
		{stranger, "ENVIRONMENT_ACCOUNT", none},
	} {
		out := must(s.as(test.account).list(sdk.ListEnvironmentAccountConnectionsInput{RequestedBy: test.requested}))(t)
		same(t, test.want, out.EnvironmentAccountConnections)
	}
}

func TestTheListLeavesOutTheRoleOfCodeBuild(t *testing.T) {
	s := newStage(t)
	c := s.add(proton.Pending)
	c.SetRoles(proton.Roles{Role: role("proton"), CodeBuild: role("codebuild")})
	const list = `{"requestedBy":"ENVIRONMENT_ACCOUNT"}`
	want := `200 {"environmentAccountConnections":[{"arn":"` + c.ARN() + `","environmentAccountId":"222222222222",` +
		`"environmentName":"simple-env","id":"` + c.ID + `","lastModifiedAt":1788256800.5,"managementAccountId":"111111111111",` +
		`"requestedAt":1788256800.5,"roleArn":"` + role("proton") + `","status":"PENDING"}]}`
	if got := s.send("AwsProton20200720.ListEnvironmentAccountConnections", list); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestTheListIsFiltered(t *testing.T) {
	s := newStage(t)
	s.add(proton.Pending)
	s.add(proton.Connected)
	s.add(proton.Rejected)
	for _, r := range []proton.Request{
		{EnvironmentAccount: environment, Region: region, ManagementAccount: management, EnvironmentName: "other-env"},
		{EnvironmentAccount: environment, Region: "eu-west-1", ManagementAccount: management, EnvironmentName: "simple-env"},
		{EnvironmentAccount: environment, Region: region, ManagementAccount: stranger, EnvironmentName: "simple-env"},
		{EnvironmentAccount: stranger, Region: region, ManagementAccount: management, EnvironmentName: "simple-env"},
	} {
		s.proton.AddConnection(r)
	}
	for _, test := range []struct {
		name string
		in   sdk.ListEnvironmentAccountConnectionsInput
		want int
	}{
		{"all of this Region", sdk.ListEnvironmentAccountConnectionsInput{RequestedBy: "MANAGEMENT_ACCOUNT"}, 5},
		{"those sent to anybody", sdk.ListEnvironmentAccountConnectionsInput{RequestedBy: "ENVIRONMENT_ACCOUNT"}, 0},
		{"those of an environment", sdk.ListEnvironmentAccountConnectionsInput{RequestedBy: "MANAGEMENT_ACCOUNT",
			EnvironmentName: aws.String("simple-env")}, 4},
		{"those of two statuses", sdk.ListEnvironmentAccountConnectionsInput{RequestedBy: "MANAGEMENT_ACCOUNT",
			EnvironmentName: aws.String("simple-env"), Statuses: []types.EnvironmentAccountConnectionStatus{"PENDING", "CONNECTED"}}, 3},
		{"those of one status", sdk.ListEnvironmentAccountConnectionsInput{RequestedBy: "MANAGEMENT_ACCOUNT",
			Statuses: []types.EnvironmentAccountConnectionStatus{"REJECTED"}}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := must(s.as(management).list(test.in))(t).EnvironmentAccountConnections
			if len(got) != test.want {
				t.Errorf("got %d connections, want %d", len(got), test.want)
			}
		})
	}
}

func TestEachSideDoesItsOwnPart(t *testing.T) {
	const none = "ResourceNotFoundException"
	for _, test := range []struct {
		name                              string
		call                              func(party, string) (*types.EnvironmentAccountConnection, error)
		environment, management, stranger string
	}{
		{"get", party.get, "", none, none},
		{"update", func(p party, id string) (*types.EnvironmentAccountConnection, error) {
			return p.update(id, proton.Roles{})
		}, "", none, none},
		{"delete", party.delete, "", none, none},
		{"accept", party.accept, none, "", none},
		{"reject", party.reject, none, "", none},
	} {
		for account, want := range map[string]string{environment: test.environment, management: test.management, stranger: test.stranger} {
			t.Run(test.name+" by "+account, func(t *testing.T) {
				s := newStage(t)
				_, err := test.call(s.as(account), s.add(proton.Pending).ID)
				if got := code(t, err); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
				elsewhere := s.proton.AddConnection(proton.Request{EnvironmentAccount: environment, Region: "eu-west-1", ManagementAccount: management})
				if _, _ = test.call(s.as(account), elsewhere.ID); elsewhere.Status() != proton.Pending {
					t.Error("the connection of another Region is changed")
				}
			})
		}
	}
}

func TestWhatBecomesOfEachStatus(t *testing.T) {
	const pending, connected, rejected = proton.Pending, proton.Connected, proton.Rejected
	type call func(party, string) (*types.EnvironmentAccountConnection, error)
	for _, test := range []struct {
		name   string
		call   call
		before proton.Status
		used   bool
		after  proton.Status
		fails  string // "wrong state" has a code of its own
	}{
		{"accepts what is pending", party.accept, pending, false, connected, ""},
		{"does not accept twice", party.accept, connected, false, connected, "wrong state"},
		{"does not accept what is rejected", party.accept, rejected, false, rejected, "wrong state"},
		{"rejects what is pending", party.reject, pending, false, rejected, ""},
		{"rejects what nothing uses", party.reject, connected, false, rejected, ""},
		{"does not reject what an environment uses", party.reject, connected, true, connected, "ConflictException"},
		{"does not reject twice", party.reject, rejected, false, rejected, "wrong state"},
	} {
		for _, wrongState := range []string{"ConflictException", "ValidationException"} {
			t.Run(test.name+", "+wrongState, func(t *testing.T) {
				s := newStage(t)
				s.proton.Assume(proton.Unknowns{WrongStateIsInvalid: wrongState == "ValidationException"})
				c := s.add(test.before)
				if test.used {
					s.proton.AddEnvironment(management, region, "simple-env").Connect(c)
				}
				want := test.fails
				if want == "wrong state" {
					want = wrongState
				}
				got, err := test.call(s.as(management), c.ID)
				if failed := code(t, err); failed != want || c.Status() != test.after {
					t.Errorf("got %q and status %s", failed, c.Status())
				}
				if err == nil && got.Status != types.EnvironmentAccountConnectionStatus(test.after) {
					t.Errorf("the answer has status %s", got.Status)
				}
			})
		}
	}
}

func TestWhatWasInUseCanBeRejectedOnceTheEnvironmentIsGone(t *testing.T) {
	s := newStage(t)
	c := s.add(proton.Connected)
	e := s.proton.AddEnvironment(management, region, "simple-env")
	e.Connect(c)
	e.Remove()
	if _, err := s.as(management).reject(c.ID); err != nil || c.Status() != proton.Rejected {
		t.Errorf("got %v and status %s", err, c.Status())
	}
}

func TestARejectionIsDatedOnDemand(t *testing.T) {
	for dated, want := range map[bool]time.Time{false: start(), true: start().Add(time.Hour)} {
		s := newStage(t)
		s.proton.Assume(proton.Unknowns{RejectionIsDated: dated})
		c := s.add(proton.Pending)
		s.world.Advance(time.Hour)
		got := must(s.as(management).reject(c.ID))(t)
		if !got.LastModifiedAt.Equal(want) || !got.RequestedAt.Equal(start()) {
			t.Errorf("dated %t: modified at %v, requested at %v", dated, got.LastModifiedAt, got.RequestedAt)
		}
	}
}

func TestAnUpdateChangesRolesAndNothingElse(t *testing.T) {
	s := newStage(t)
	c := s.add(proton.Connected)
	c.SetRoles(proton.Roles{Role: role("proton"), Component: role("component")})
	s.world.Advance(time.Hour)
	got := must(s.as(environment).update(c.ID, proton.Roles{Role: role("admin"), CodeBuild: role("codebuild")}))(t)
	if got.Status != "CONNECTED" || !got.LastModifiedAt.Equal(start().Add(time.Hour)) || !got.RequestedAt.Equal(start()) {
		t.Errorf("got %s, modified at %v, requested at %v", got.Status, got.LastModifiedAt, got.RequestedAt)
	}
	want := proton.Roles{Role: role("admin"), Component: role("component"), CodeBuild: role("codebuild")}
	if diff := cmp.Diff(want, c.Roles()); diff != "" {
		t.Errorf("roles (-want +got):\n%s", diff)
	}
	if n := len(s.bridge.Events(environment, region, "default")); n != 0 {
		t.Errorf("there are %d events", n)
	}
}

func TestADeletionAnswersWithWhatWasThere(t *testing.T) {
	s := newStage(t)
	c := s.add(proton.Connected)
	s.proton.AddEnvironment(management, region, "simple-env").Connect(c) // which does not keep it
	got := must(s.as(environment).delete(c.ID))(t)
	if got == nil || *got.Id != c.ID || got.Status != "CONNECTED" || c.Status() != "" {
		t.Errorf("got %+v and left %q", got, c.Status())
	}
	if got := must(s.as(environment).delete(c.ID))(t); got != nil {
		t.Errorf("the second time got %+v", got)
	}
	if sent := s.send("AwsProton20200720.DeleteEnvironmentAccountConnection", `{"id":"`+c.ID+`"}`); sent != "200 {}" {
		t.Errorf("the third time got %s", sent)
	}
}

func TestACreationWithAClientTokenIsDoneOnce(t *testing.T) {
	s := newStage(t)
	s.proton.SetQuota(100)
	in := asked()
	in.ClientToken = aws.String("token")
	first := *must(s.as(environment).create(in))(t).Id
	again := func() string { t.Helper(); return *must(s.as(environment).create(in))(t).Id }
	s.world.Advance(8*time.Hour - time.Second)
	must(s.as(management).accept(first))(t)
	if got := must(s.as(environment).create(in))(t); *got.Id != first || got.Status != "CONNECTED" {
		t.Errorf("within eight hours got %s, %s", *got.Id, got.Status)
	}

	other := in
	other.EnvironmentName = aws.String("other-env")
	_, err := s.as(environment).create(other)
	if got := code(t, err); got != "ValidationException" {
		t.Errorf("with other parameters got %q", got)
	}
	must(s.as(stranger).create(other))(t) // its tokens are its own

	s.world.Advance(time.Second)
	second := again()
	if second == first {
		t.Error("after eight hours it is still the first")
	}
	must(s.as(environment).delete(second))(t)
	if got := again(); got == first || got == second {
		t.Error("what was deleted is there again")
	}

	in.ClientToken = nil // the SDK makes one up
	if third, fourth := again(), again(); third == fourth {
		t.Error("without a token of the caller's own it is done once")
	}
	before := len(s.proton.Connections(environment, region))
	for range 2 {
		s.send("AwsProton20200720.CreateEnvironmentAccountConnection", `{"environmentName":"simple-env","managementAccountId":"111111111111"}`)
	}
	if made := len(s.proton.Connections(environment, region)) - before; made != 2 {
		t.Errorf("without any token, %d are made of two", made)
	}
}

func TestTheQuotaIsPerAccountAndRegion(t *testing.T) {
	for free, want := range map[bool]string{false: "ServiceQuotaExceededException", true: ""} {
		s := newStage(t)
		s.proton.Assume(proton.Unknowns{RejectedAreFree: free})
		for range 4 {
			s.add(proton.Connected)
		}
		s.add(proton.Rejected)
		s.proton.AddConnection(proton.Request{EnvironmentAccount: environment, Region: "eu-west-1"})
		s.proton.AddConnection(proton.Request{EnvironmentAccount: stranger, Region: region})
		_, err := s.as(environment).create(asked())
		if got := code(t, err); got != want {
			t.Errorf("the fifth beside a rejected one, free %t: got %q", free, got)
		}
		s.proton.SetQuota(7)
		must(s.as(environment).create(asked()))(t)
	}
}

func TestTheEnvironmentsThatUseAConnectionAreListed(t *testing.T) {
	s := newStage(t)
	c := s.add(proton.Connected)
	s.proton.AddEnvironment(management, region, "simple-env").Connect(c)
	s.proton.AddEnvironment(management, region, "simple-env") // changes nothing
	s.proton.AddEnvironment(management, region, "own-env")
	s.proton.AddEnvironment(management, "eu-west-1", "far-env")
	c.Remove() // which the environment does not learn

	own := types.EnvironmentSummary{
		Arn: aws.String("arn:aws:proton:us-east-1:111111111111:environment/own-env"), Name: aws.String("own-env"),
		CreatedAt: aws.Time(start()), LastDeploymentAttemptedAt: aws.Time(start()), LastDeploymentSucceededAt: aws.Time(start()),
		DeploymentStatus: types.DeploymentStatusSucceeded, TemplateName: aws.String("template"),
		TemplateMajorVersion: aws.String("1"), TemplateMinorVersion: aws.String("0"),
	}
	connected := own
	connected.Arn = aws.String("arn:aws:proton:us-east-1:111111111111:environment/simple-env")
	connected.Name, connected.EnvironmentAccountConnectionId = aws.String("simple-env"), aws.String(c.ID)
	connected.EnvironmentAccountId = aws.String(environment)
	same(t, []types.EnvironmentSummary{own, connected}, must(s.as(management).environments(sdk.ListEnvironmentsInput{}))(t).Environments)
	same(t, []types.EnvironmentSummary{}, must(s.as(environment).environments(sdk.ListEnvironmentsInput{}))(t).Environments)
}

func TestTagsAreOfTheEnvironmentAccount(t *testing.T) {
	s := newStage(t)
	in := asked()
	in.Tags = []types.Tag{{Key: aws.String("team"), Value: aws.String("web")}}
	arn := *must(s.as(environment).create(in))(t).Arn
	c := s.proton.Connections(environment, region)[0]
	if err := s.as(environment).tag(arn, types.Tag{Key: aws.String("stage"), Value: aws.String("test")}); err != nil {
		t.Error(err)
	}
	if err := s.as(environment).untag(arn, "team", "nothing"); err != nil {
		t.Error(err)
	}
	c.Tag("cost", "1")
	same(t, []types.Tag{{Key: aws.String("cost"), Value: aws.String("1")}, {Key: aws.String("stage"), Value: aws.String("test")}},
		must(s.as(environment).tags(sdk.ListTagsForResourceInput{ResourceArn: &arn}))(t).Tags)

	if got := code(t, s.as(management).tag(arn, in.Tags...)); got != "AccessDeniedException" {
		t.Errorf("by the management account: got %q", got)
	}
	c.Remove()
	if got := code(t, s.as(environment).untag(arn, "stage")); got != "ResourceNotFoundException" {
		t.Errorf("of what is not there: got %q", got)
	}
	same(t, []types.Tag{}, must(s.as(environment).tags(sdk.ListTagsForResourceInput{ResourceArn: aws.String(s.add(proton.Pending).ARN())}))(t).Tags)
}

func TestSetupBuildsWhatTheAPIRefuses(t *testing.T) {
	s := newStage(t)
	for range 6 {
		s.add("FROZEN")
	}
	all := s.proton.Connections(environment, region)
	c := all[5]
	if len(all) != 6 || c.Status() != "FROZEN" || s.proton.Connection(region, c.ID) != c {
		t.Fatalf("there are %d connections, the last %s", len(all), c.Status())
	}
	c.Backdate(48 * time.Hour)
	got := must(s.as(environment).get(c.ID))(t)
	if past := start().Add(-48 * time.Hour); !got.RequestedAt.Equal(past) || !got.LastModifiedAt.Equal(past) {
		t.Errorf("requested at %v, modified at %v", got.RequestedAt, got.LastModifiedAt)
	}
	c.Tag("team", "web")
	if diff := cmp.Diff(map[string]string{"team": "web"}, c.Tags()); diff != "" {
		t.Error(diff)
	}
	c.Remove()
	c.SetStatus(proton.Pending) // does nothing
	if c.Status() != "" || c.ARN() != "" || c.Tags() != nil || c.Roles() != (proton.Roles{}) {
		t.Error("something is left of the connection")
	}
	if n := len(s.bridge.Events(environment, region, "default")); n != 0 {
		t.Errorf("setup told of %d events", n)
	}
}

package cloudtrail_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"
	bridgesdk "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	bridgetypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/cloudtrail"
	"portcullis/shared/localaws/codeartifact"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/proton"
	"portcullis/shared/localaws/witness"
)

const (
	owner         = "111122223333"
	administrator = "444455556666"
	outsider      = "777788889999"
	region        = "eu-central-1"
)

// stage is a World with the repository corp/store, which anybody may change, and a trail.
type stage struct {
	t     *testing.T
	world *localaws.World
	trail *cloudtrail.Trail
	store codeartifact.Repository
	*eventbridge.Service
}

func newStage(t *testing.T) stage {
	t.Helper()
	w, err := localaws.New(time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	witness.Watch(t, w)
	packages, bridge := codeartifact.New(w), eventbridge.New(w)
	store := packages.AddDomain(owner, region, "corp").AddRepositoryOf(administrator, "store")
	store.Grant(outsider, codeartifact.Write)
	return stage{t, w, cloudtrail.New(w, packages, bridge), store, bridge}
}

// config is that of a client of the account that does not try again.
func (s stage) config(account string) aws.Config { return s.configOf(s.world.Account(account)) }

func (s stage) configOf(c localaws.Credentials) aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: aws.String(s.world.URL()), HTTPClient: s.world.Client(),
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, nil
		}),
	}
}

func (s stage) client(account string) *sdk.Client { return sdk.NewFromConfig(s.config(account)) }

// associate connects corp/store as the account, and says whether it was let.
func (s stage) associate(account, connection string) bool {
	_, err := s.client(account).AssociateExternalConnection(s.t.Context(), &sdk.AssociateExternalConnectionInput{
		Domain: aws.String("corp"), DomainOwner: aws.String(owner), Repository: aws.String("store"), ExternalConnection: &connection,
	})
	return err == nil
}

// put connects corp/store with these credentials, if it may.
func (s stage) put(c localaws.Credentials) {
	_, _ = sdk.NewFromConfig(s.configOf(c)).AssociateExternalConnection(s.t.Context(), &sdk.AssociateExternalConnectionInput{
		Domain: aws.String("corp"), DomainOwner: aws.String(owner), Repository: aws.String("store"), ExternalConnection: aws.String("public:npmjs"),
	})
}

// records are those that the account was told of.
func (s stage) records(account string) []map[string]any {
	var records []map[string]any
	for _, e := range s.Events(account, region, "default") {
		var record map[string]any
		if err := json.Unmarshal(e.Detail, &record); err != nil {
			s.t.Fatal(err)
		}
		records = append(records, record)
	}
	return records
}

func TestARecordHasTheShapeOfAWSsOwn(t *testing.T) {
	s := newStage(t)
	if !s.associate(owner, "public:npmjs") {
		t.Fatal("refused")
	}
	const id = "00000000-0000-4000-a000-00000000000"
	want := eventbridge.Event{
		ID: id + "3", Account: owner, Region: region, Bus: "default", Source: "aws.codeartifact",
		DetailType: "AWS API Call via CloudTrail", Time: s.world.Now(),
	}
	got := s.Events(owner, region, "default")[0]
	got.Detail = nil // see below
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	record := s.records(owner)[0]
	call := s.world.Calls()[0]
	wantRecord := map[string]any{
		"eventVersion": "1.11",
		"userIdentity": map[string]any{
			"type": "AssumedRole", "principalId": "AROALOCAL:session",
			"arn":       "arn:aws:sts::111122223333:assumed-role/somebody/session",
			"accountId": "111122223333", "accessKeyId": "ASIALOCAL",
			"sessionContext": map[string]any{
				"sessionIssuer": map[string]any{
					"type": "Role", "principalId": "AROALOCAL", "arn": "arn:aws:iam::111122223333:role/somebody",
					"accountId": "111122223333", "userName": "somebody",
				},
				"attributes": map[string]any{"creationDate": "2026-11-20T09:00:00Z", "mfaAuthenticated": "false"},
			},
		},
		"eventTime": "2026-11-20T09:00:00Z", "eventSource": "codeartifact.amazonaws.com",
		"eventName": "AssociateExternalConnection", "awsRegion": region,
		"sourceIPAddress": "127.0.0.1", "userAgent": call.UserAgent,
		"requestParameters": map[string]any{
			"domain": "corp", "domainOwner": owner, "repository": "store", "externalConnection": "public:npmjs",
		},
		"responseElements": nil, "requestID": call.RequestID, "eventID": id + "2", "sharedEventID": id + "1",
		"readOnly": false, "eventType": "AwsApiCall", "managementEvent": true, "eventCategory": "Management",
		"recipientAccountId": owner,
	}
	if diff := cmp.Diff(wantRecord, record); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}

func TestARecordSaysWhichRoleItWas(t *testing.T) {
	s := newStage(t)
	role := s.world.Role(owner, "portcullis/hub-control")
	s.put(role.Session("function"))
	role.Limit("codeartifact:List*")
	s.put(role.Session("function"))
	records := s.records(owner)
	if len(records) != 2 || records[0]["errorCode"] != nil || records[1]["errorCode"] != "AccessDeniedException" {
		t.Fatalf("got %v", records)
	}
	want := map[string]any{
		"type":        "AssumedRole",
		"principalId": "AROALOCAL:function",
		"arn":         "arn:aws:sts::111122223333:assumed-role/hub-control/function",
		"accountId":   owner,
		"accessKeyId": "ASIALOCAL",
		"sessionContext": map[string]any{
			"sessionIssuer": map[string]any{
				"type": "Role", "principalId": "AROALOCAL", "arn": role.ARN(), "accountId": owner, "userName": "hub-control",
			},
			"attributes": map[string]any{"creationDate": "2026-11-20T09:00:00Z", "mfaAuthenticated": "false"},
		},
	}
	for _, record := range records {
		if diff := cmp.Diff(want, record["userIdentity"]); diff != "" {
			t.Errorf("identity (-want +got):\n%s", diff)
		}
	}
}

func TestWhoIsTold(t *testing.T) {
	inDomain := func(s stage, account string) {
		_, _ = s.client(account).CreateRepository(s.t.Context(), &sdk.CreateRepositoryInput{
			Domain: aws.String("corp"), DomainOwner: aws.String(owner), Repository: aws.String("other")})
	}
	tag := func(s stage, account, arn string) {
		_, err := s.client(account).TagResource(s.t.Context(), &sdk.TagResourceInput{
			ResourceArn: &arn, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("web")}}})
		if err != nil {
			s.t.Error(err)
		}
	}
	for _, test := range []struct {
		name string
		call func(stage)
		told []string
	}{
		{"the owner and the administrator of what somebody else changes",
			func(s stage) { s.associate(outsider, "public:npmjs") }, []string{owner, administrator, outsider}},
		{"the owner once, of its own call", func(s stage) { s.associate(owner, "public:npmjs") }, []string{owner, administrator}},
		{"everybody of a call that was refused", func(s stage) { s.associate(outsider, "public:nowhere") }, []string{owner, administrator, outsider}},
		{"the owner of the domain that a call names", func(s stage) { inDomain(s, outsider) }, []string{owner, outsider}},
		{"the caller alone of what is its own", func(s stage) { inDomain(s, owner) }, []string{owner}},
		{"those of the repository whose ARN a call names", func(s stage) { tag(s, outsider, s.store.ARN()) }, []string{owner, administrator, outsider}},
		{"those of the domain whose ARN a call names", func(s stage) { tag(s, owner, s.store.Domain.ARN()) }, []string{owner}},
		{"nobody of a read", func(s stage) { _, _ = s.client(owner).ListDomains(s.t.Context(), nil) }, nil},
		{"nobody of an event that is put", func(s stage) {
			_, err := bridgesdk.NewFromConfig(s.config(owner)).PutEvents(s.t.Context(), &bridgesdk.PutEventsInput{Entries: []bridgetypes.PutEventsRequestEntry{
				{Source: aws.String("portcullis"), DetailType: aws.String("Summary"), Detail: aws.String("{}"), EventBusName: aws.String("own")}}})
			if err != nil {
				s.t.Error(err)
			}
		}, nil},
		{"nobody of a call that did not reach its service", func(s stage) {
			s.world.Inject(localaws.Fault{Kind: localaws.Reset()})
			s.associate(owner, "public:npmjs")
		}, nil},
		{"everybody of a call whose answer was lost", func(s stage) {
			s.world.Inject(localaws.Fault{Kind: localaws.Reset(), When: localaws.After})
			s.associate(owner, "public:npmjs")
		}, []string{owner, administrator}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStage(t)
			test.call(s)
			var told []string
			ids, shared := map[any]bool{}, map[any]bool{}
			for _, account := range []string{owner, administrator, outsider} {
				for _, record := range s.records(account) {
					told = append(told, account)
					ids[record["eventID"]], shared[record["sharedEventID"]] = true, true
					if record["recipientAccountId"] != account {
						t.Errorf("the recipient of %s is %v", account, record["recipientAccountId"])
					}
				}
			}
			if diff := cmp.Diff(test.told, told); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
			if len(ids) != len(told) || len(shared) > 1 || shared[nil] != (len(told) == 1) {
				t.Errorf("event ids %v, shared event ids %v", ids, shared)
			}
		})
	}
}

func TestOnlyACallThatWasRefusedHasAnErrorCode(t *testing.T) {
	s := newStage(t)
	s.associate(owner, "public:npmjs")
	s.associate(owner, "public:npmjs") // there can be but one
	records := s.records(owner)
	if _, failed := records[0]["errorCode"]; failed || records[1]["errorCode"] != "ValidationException" {
		t.Errorf("error codes %v and %v", records[0]["errorCode"], records[1]["errorCode"])
	}
}

func TestTheParametersAreSpeltOnDemandAsInThePublishedRecords(t *testing.T) {
	s := newStage(t)
	s.trail.SetSpelling(cloudtrail.OfTheRecords)
	s.associate(owner, "public:npmjs")
	want := map[string]any{
		"domainName": "corp", "domainOwner": owner, "repositoryName": "store", "externalConnection": "public:npmjs",
	}
	if diff := cmp.Diff(want, s.records(owner)[0]["requestParameters"]); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
}

func TestEventsAreDeliveredAsOneLikes(t *testing.T) {
	s := newStage(t)
	var held []eventbridge.Event
	s.trail.Deliver(func(events []eventbridge.Event) []eventbridge.Event {
		held = append(held, events...)
		return nil
	})
	s.associate(owner, "public:npmjs")
	if len(held) != 2 || len(s.records(owner)) != 0 {
		t.Fatalf("%d events are held and %d delivered", len(held), len(s.records(owner)))
	}
	s.Put(held[0], held[0])
	if len(s.records(owner)) != 2 || len(s.records(administrator)) != 0 {
		t.Errorf("%d and %d events are delivered", len(s.records(owner)), len(s.records(administrator)))
	}
	s.trail.Deliver(nil)
	s.associate(owner, "public:npmjs")
	if n := len(s.records(administrator)); n != 1 {
		t.Errorf("of the later call, %d events are delivered", n)
	}
}

// propose sends a call to Proton by hand, so that this package needs no client of it.
func (s stage) propose(account, operation, body string) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("X-Amz-Target", "AwsProton20200720."+operation+"EnvironmentAccountConnection")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+s.world.Account(account).AccessKeyID+
		"/20261120/"+region+"/proton/aws4_request, SignedHeaders=host, Signature=0")
	s.world.ServeHTTP(httptest.NewRecorder(), r)
}

func TestARecordOfProtonHasTheAnswer(t *testing.T) {
	s := newStage(t)
	proton.New(s.world, s.Service)
	s.propose(owner, "Create", `{"environmentName":"simple-env","managementAccountId":"444455556666"}`)
	s.propose(owner, "Create", `{"environmentName":"simple-env"}`)
	records := slices.DeleteFunc(s.records(owner), func(r map[string]any) bool { return r["eventName"] == nil }) // Proton's own
	if len(records) != 2 {
		t.Fatalf("there are %d records", len(records))
	}
	const id = "00000000-0000-4000-9000-000000000001"
	want := map[string]any{"environmentAccountConnection": map[string]any{
		"arn": "arn:aws:proton:eu-central-1:111122223333:environment-account-connection/" + id, "id": id, "status": "PENDING",
		"environmentAccountId": owner, "managementAccountId": administrator, "environmentName": "simple-env",
		"requestedAt": 1795165200.0, "lastModifiedAt": 1795165200.0,
	}}
	if diff := cmp.Diff(want, records[0]["responseElements"]); diff != "" {
		t.Errorf("response (-want +got):\n%s", diff)
	}
	if records[0]["eventSource"] != "proton.amazonaws.com" || records[0]["eventName"] != "CreateEnvironmentAccountConnection" ||
		records[1]["responseElements"] != nil || records[1]["errorCode"] != "ValidationException" {
		t.Errorf("got %v and %v", records[0], records[1])
	}
}

func TestWhoIsToldOfProton(t *testing.T) {
	for _, test := range []struct {
		name             string
		too              bool
		operation        string
		requester, other int // how many records
	}{
		{"the caller alone", false, "Accept", 0, 1},
		{"the environment account too, on demand", true, "Accept", 1, 1},
		{"the caller alone of what was refused", true, "Delete", 0, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStage(t)
			c := proton.New(s.world, s.Service).AddConnection(proton.Request{
				EnvironmentAccount: owner, Region: region, ManagementAccount: administrator})
			s.trail.TellEnvironmentAccounts(test.too)
			s.propose(administrator, test.operation, `{"id":"`+c.ID+`"}`)
			shared := map[any]int{}
			for account, want := range map[string]int{owner: test.requester, administrator: test.other} {
				n := 0
				for _, record := range s.records(account) {
					if record["recipientAccountId"] == account {
						shared[record["sharedEventID"]]++
						n++
					}
				}
				if n != want {
					t.Errorf("%s has %d records, want %d", account, n, want)
				}
			}
			if len(shared) != 1 || shared[nil] > 1 {
				t.Errorf("shared event ids %v", shared)
			}
		})
	}
}

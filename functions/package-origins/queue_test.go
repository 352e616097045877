package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"
	"github.com/google/go-cmp/cmp"

	"portcullis/internal/endtoend"
	"portcullis/shared/localaws"
	"portcullis/shared/localaws/cloudtrail"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/lambda"
)

// These tests play the whole way: somebody makes a call, CloudTrail tells of it,
// the rule of template.yaml puts that into a queue, and Lambda hands a batch of it
// to the real binary.

// queued is a stage with a queue of the events that the rule lets through.
type queued struct {
	*stage
	trail *cloudtrail.Trail

	mu       sync.Mutex
	messages []string
}

func newQueued(t *testing.T) *queued {
	t.Helper()
	s := &queued{stage: newStage(t, "monitor", guarding)}
	s.trail = cloudtrail.New(s.World, s.Artifact, s.Events)
	template, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const name = "PackageOriginsGroupChanged"
	pattern, err := eventbridge.PatternIn(template, name)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Events.AddRule(home, region, "default", eventbridge.Rule{Name: name, Pattern: pattern, Target: func(event []byte) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.messages = append(s.messages, string(event))
	}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// drain hands everything in the queue to the function in one batch, and returns
// the messages that it sent back.
func (s *queued) drain() []string {
	s.T.Helper()
	s.Events.Idle()
	s.mu.Lock()
	messages := s.messages
	s.messages = nil
	s.mu.Unlock()
	return s.hand(messages...)
}

// batch holds messages, whose ids are "m0", "m1" and so on.
func batch(t *testing.T, bodies ...string) []byte {
	t.Helper()
	batch := events.SQSEvent{Records: []events.SQSMessage{}}
	for i, body := range bodies {
		batch.Records = append(batch.Records, events.SQSMessage{MessageId: fmt.Sprintf("m%d", i), EventSource: "aws:sqs", Body: body, AWSRegion: region})
	}
	payload, err := json.Marshal(batch)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// hand gives the function a batch, and returns the messages that it sent back.
func (s *stage) hand(bodies ...string) []string {
	s.T.Helper()
	result, err := s.Function.Invoke(s.T.Context(), batch(s.T, bodies...))
	if err != nil {
		s.T.Fatalf("batch: %v\n%s", err, strings.Join(s.Function.Logs(), "\n"))
	}
	// Lambda takes the answer only in exactly this form:
	// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
	var answer map[string][]map[string]string
	if err := json.Unmarshal(result.Payload, &answer); err != nil || len(answer) != 1 || answer["batchItemFailures"] == nil {
		s.T.Fatalf("answer %s (%v)", result.Payload, err)
	}
	back := []string{}
	for _, failure := range answer["batchItemFailures"] {
		back = append(back, failure["itemIdentifier"])
	}
	return back
}

// summary is what a run tells the bus: a batch is not answered with it.
type summary struct {
	Cause, Mode, Ignored string
	Complete             bool
	Looked               int
}

func (s *stage) lastSummary() (last summary) {
	s.T.Helper()
	for _, e := range s.Events.Events(home, region, endtoend.Bus) {
		if e.DetailType == "Run Summary" {
			last = summary{}
			if err := json.Unmarshal(e.Detail, &last); err != nil {
				s.T.Fatal(err)
			}
		}
	}
	return last
}

// changed is CloudTrail's record of a change of a package group.
func changed(domain string) string {
	return fmt.Sprintf(`{"version":"0","id":"e-1","source":"aws.codeartifact","detail-type":"AWS API Call via CloudTrail",
		"account":%q,"region":%q,"detail":{"eventID":"r-1","eventSource":"codeartifact.amazonaws.com","eventName":"DeletePackageGroup",
		"awsRegion":%q,"userIdentity":{"accountId":%q},"requestParameters":{"domain":%q,"domainOwner":%q,"packageGroup":"/npm/acme/*"}}}`,
		home, region, region, home, domain, home)
}

func TestSomebodyDeletesAGuardAndOneBatchLaterItIsKnown(t *testing.T) {
	t.Parallel()
	s := newQueued(t)
	guard(s.corp)
	s.deleteGroup("/npm/acme/*")

	if back := s.drain(); len(back) > 0 {
		t.Errorf("sent back: %q", back)
	}
	s.wantVerdicts("corp " + ui + ": violation looser")
	if f := s.Reported("Finding")[0]; f.Cause != "event" || !strings.Contains(f.Reason, "the group that guarded it is gone or never existed") {
		t.Errorf("reason %q", f.Reason)
	}
	// No list is compared at the root, and an event names its domain.
	if diff := cmp.Diff(map[string]int{"GetAssociatedPackageGroup": 1}, s.calls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if sum := s.lastSummary(); sum.Cause != "event" || sum.Mode != "monitor" || !sum.Complete || sum.Looked != 1 {
		t.Errorf("summary: %+v", sum)
	}
}

func TestEveryChangeOfAGroupWakesIt(t *testing.T) {
	t.Parallel()
	group := aws.String("/npm/acme/ui$")
	for name, change := range map[string]func(s *queued, c *sdk.Client) error{
		"a more specific group takes the package over": func(s *queued, c *sdk.Client) error {
			_, err := c.CreatePackageGroup(s.T.Context(), &sdk.CreatePackageGroupInput{Domain: &s.corp.Name, PackageGroup: group})
			return err
		},
		"a restriction is loosened": func(s *queued, c *sdk.Client) error {
			_, err := c.UpdatePackageGroupOriginConfiguration(s.T.Context(), &sdk.UpdatePackageGroupOriginConfigurationInput{
				Domain: &s.corp.Name, PackageGroup: aws.String("/npm/acme/*"),
				Restrictions: map[string]types.PackageGroupOriginRestrictionMode{"PUBLISH": types.PackageGroupOriginRestrictionModeAllow},
			})
			return err
		},
		"a repository is added to a list": func(s *queued, c *sdk.Client) error {
			s.corp.AddRepository("web")
			_, err := c.UpdatePackageGroupOriginConfiguration(s.T.Context(), &sdk.UpdatePackageGroupOriginConfigurationInput{
				Domain: &s.corp.Name, PackageGroup: aws.String("/npm/acme/*"),
				AddAllowedRepositories: []types.PackageGroupAllowedRepository{{OriginRestrictionType: types.PackageGroupOriginRestrictionTypePublish, RepositoryName: aws.String("web")}},
			})
			return err
		},
	} {
		for spelling, knob := range map[string]cloudtrail.Spelling{"as the API says": cloudtrail.OfTheAPI, "as AWS published": cloudtrail.OfTheRecords} {
			t.Run(name+", "+spelling, func(t *testing.T) {
				t.Parallel()
				s := newQueued(t)
				s.trail.SetSpelling(knob)
				guard(s.corp)
				if err := change(s, s.somebody()); err != nil {
					t.Fatal(err)
				}
				if back := s.drain(); len(back) > 0 {
					t.Errorf("sent back: %q", back)
				}
				if got := s.verdicts(); len(got) != 1 || !strings.HasPrefix(got[0], "corp "+ui+": violation") {
					t.Errorf("findings: %q", got)
				}
			})
		}
	}
}

// The deletion of a group shows only after a while, so a look at once sees the
// world as it was. That is what the queue's delay is for.
func TestALookBeforeTheDeletionShowsWouldMissIt(t *testing.T) {
	t.Parallel()
	s := newQueued(t)
	s.Artifact.SetConsistencyDelay(5 * time.Minute)
	guard(s.corp)
	s.deleteGroup("/npm/acme/*")
	early := changed("corp")
	s.hand(early)
	s.wantVerdicts()
	s.World.Advance(5 * time.Minute)
	s.drain()
	s.wantVerdicts("corp " + ui + ": violation looser")
}

func TestABurstIsOneLookAtEachDomain(t *testing.T) {
	t.Parallel()
	s := newStage(t, "monitor", guarding)
	guard(s.corp)
	s.Artifact.AddDomain(home, region, "lab-a")
	s.Artifact.AddDomain(home, region, "lab-b")
	var bodies []string
	for i := range 1000 {
		bodies = append(bodies, changed([]string{"corp", "lab-a"}[i%2]))
	}
	if back := s.hand(bodies...); len(back) > 0 {
		t.Errorf("sent back: %d messages", len(back))
	}
	want := map[string]int{"GetAssociatedPackageGroup": 2, "ListAllowedRepositoriesForGroup": 1}
	if diff := cmp.Diff(want, s.calls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	s.wantVerdicts("lab-a " + ui + ": violation looser") // lab-b is open as well, but no message names it
}

func TestOnlyTheMessageThatCannotBeReadGoesBack(t *testing.T) {
	t.Parallel()
	s := newStage(t, "monitor", guarding)
	forged := strings.ReplaceAll(changed("corp"), `"region":"eu-west-1"`, `"region":"us-east-1"`)
	back := s.hand(
		"{not json",
		changed("corp"),
		strings.Replace(changed("corp"), `"domain":"corp"`, `"domain":"../corp"`, 1),
		strings.Replace(forged, `"awsRegion":"eu-west-1"`, `"awsRegion":"us-east-1"`, 1),
		strings.Replace(changed("corp"), `"account":"111122223333"`, `"account":"444455556666"`, 1),
		sweep,
		changed("corp"),
	)
	if diff := cmp.Diff([]string{"m0", "m2", "m3", "m4", "m5"}, back); diff != "" {
		t.Errorf("sent back (-want +got):\n%s", diff)
	}
	s.wantVerdicts("corp " + ui + ": violation looser")
	if n := s.calls()["GetAssociatedPackageGroup"]; n != 1 {
		t.Errorf("%d looks, want 1", n)
	}
	refused := 0
	for _, line := range s.Function.Logs() {
		if strings.Contains(line, `"level":"ERROR"`) && strings.Contains(line, `"event refused"`) {
			refused++
		}
	}
	if refused != 5 {
		t.Errorf("the log has %d refused messages, want 5", refused)
	}
}

func TestAMessageThatIsNoneOfOurBusinessIsNotSentBack(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"a call of the other control":          strings.Replace(changed("corp"), "DeletePackageGroup", "AssociateExternalConnection", 1),
		"a call that failed":                   strings.Replace(changed("corp"), `"eventID"`, `"errorCode":"AccessDenied","eventID"`, 1),
		"an event replayed from an archive":    strings.Replace(changed("corp"), `"version"`, `"replay-name":"r","version"`, 1),
		"a domain of another account":          strings.Replace(changed("corp"), `"domainOwner":"111122223333"`, `"domainOwner":"444455556666"`, 1),
		"a domain that no guard is about":      changed("other"),
		"an event of somebody else altogether": `{"source":"aws.ec2","detail-type":"x","detail":{}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "monitor", guarding)
			if back := s.hand(body); len(back) > 0 {
				t.Errorf("sent back: %q", back)
			}
			if len(s.calls()) > 0 {
				t.Errorf("calls: %v", s.calls())
			}
			s.wantVerdicts()
		})
	}
}

func TestAnEmptyBatchIsNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t, "monitor", guarding)
	if back := s.hand(); len(back) > 0 || len(s.calls()) > 0 {
		t.Errorf("sent back %q, calls %v", back, s.calls())
	}
	if sum := s.lastSummary(); sum.Ignored == "" || sum.Mode != "monitor" {
		t.Errorf("summary: %+v", sum)
	}
}

// An invocation of which nothing can be read is an error as a whole, and Lambda
// hands it to the failure queue.
func TestHostilePayloads(t *testing.T) {
	t.Parallel()
	for name, payload := range map[string]string{
		"null":                     "null",
		"not JSON":                 "\x00",
		"records of a stream":      `{"Records":[{"eventSource":"aws:kinesis","messageId":"a","body":"{}"}]}`,
		"a message without an id":  `{"Records":[{"eventSource":"aws:sqs","body":"{}"}]}`,
		"a sweep by nobody":        `{"source":"portcullis","detail-type":"Sweep Requested","detail":{}}`,
		"nested 200,000 deep":      strings.Repeat(`{"Records":`, 200_000) + "1" + strings.Repeat("}", 200_000),
		"a body that is an object": `{"Records":[{"eventSource":"aws:sqs","messageId":"a","body":{}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "monitor", guarding)
			if result, err := s.Function.Invoke(t.Context(), []byte(payload)); err == nil {
				t.Errorf("it answered %s", result.Payload)
			}
			if len(s.calls()) > 0 || !slices.ContainsFunc(s.Function.Logs(), func(line string) bool { return strings.Contains(line, "event refused") }) {
				t.Errorf("calls %v, log:\n%s", s.calls(), strings.Join(s.Function.Logs(), "\n"))
			}
		})
	}
}

func TestOneEventWithoutAQueueIsNotLookedInto(t *testing.T) {
	t.Parallel()
	for _, event := range []string{changed("corp"), strings.Replace(changed("corp"), "DeletePackageGroup", "AssociateExternalConnection", 1)} {
		s := newStage(t, "monitor", guarding)
		result, err := s.Function.Invoke(t.Context(), []byte(event))
		if err != nil || !strings.Contains(string(result.Payload), `"ignored":"this control does not look at`) || len(s.calls()) > 0 {
			t.Errorf("answer %s, error %v, calls %v", result.Payload, err, s.calls())
		}
	}
}

// handBack gives the function a batch that has to come again as a whole.
func (s *stage) handBack(bodies ...string) {
	s.T.Helper()
	result, err := s.Function.Invoke(s.T.Context(), batch(s.T, bodies...))
	var failure *lambda.FunctionError
	if !errors.As(err, &failure) || !strings.Contains(failure.Message, "could not be judged") {
		s.T.Errorf("answer %s, error %v, want one that says that something could not be judged", result.Payload, err)
	}
}

// A domain that was deleted after its group has nothing to resolve any more.
func TestADomainThatIsGoneIsUndetermined(t *testing.T) {
	t.Parallel()
	s := newStage(t, "monitor", guarding)
	s.handBack(changed("lab-gone"))
	s.wantVerdicts("lab-gone " + ui + ": undetermined not-found")
	if f := s.Reported("Finding")[0]; !strings.Contains(f.Reason, "look whether the domain is still there") {
		t.Errorf("reason %q", f.Reason)
	}
}

// What a message names must be judged before the message may go. The rest of the
// batch is judged all the same.
func TestAFailedReadSendsTheBatchBack(t *testing.T) {
	t.Parallel()
	s := newStage(t, "monitor", guarding)
	guard(s.corp)
	s.Artifact.AddDomain(home, region, "lab-web")
	inCorp := func(input map[string]any) bool { return input["domain"] == "corp" }
	fault := s.World.Inject(localaws.Fault{Operation: "GetAssociatedPackageGroup", Match: inCorp, Kind: localaws.Fail(403, "AccessDeniedException", "no")})
	s.handBack(changed("corp"), changed("lab-web"))
	s.wantVerdicts("corp "+ui+": undetermined access-denied", "lab-web "+ui+": violation looser")

	fault.Remove()
	if back := s.hand(changed("corp"), changed("lab-web")); len(back) > 0 {
		t.Errorf("when it comes again, %q are sent back", back)
	}
}

func TestOffTakesMessagesAndLooksAtNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t, "off", guarding)
	if back := s.hand(changed("corp")); len(back) > 0 || len(s.calls()) > 0 {
		t.Errorf("sent back %q, calls %v", back, s.calls())
	}
}

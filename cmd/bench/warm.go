package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"portcullis/shared/localaws/lambda"
)

// association is the event of CloudTrail that tells of a new connection.
func association(id int, owner, domain, repository, connection string) string {
	return fmt.Sprintf(`{"version":"0","id":"00000000-0000-4000-a000-%012d","detail-type":"AWS API Call via CloudTrail",
"source":"aws.codeartifact","account":%q,"time":"2026-11-20T09:00:00Z","region":%q,"resources":[],"detail":{
"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLE:alice",
"arn":"arn:aws:sts::111122223333:assumed-role/developer/alice","accountId":"111122223333","accessKeyId":"ASIAEXAMPLE",
"sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAEXAMPLE",
"arn":"arn:aws:iam::111122223333:role/developer","accountId":"111122223333","userName":"developer"},
"attributes":{"creationDate":"2026-11-20T08:00:00Z","mfaAuthenticated":"false"}}},
"eventTime":"2026-11-20T08:59:58Z","eventSource":"codeartifact.amazonaws.com","eventName":"AssociateExternalConnection",
"awsRegion":%q,"sourceIPAddress":"192.0.2.1","userAgent":"aws-cli/2.31.0","requestParameters":{"domain":%q,
"domainOwner":%q,"repository":%q,"externalConnection":%q},"responseElements":null,
"requestID":"6f2e4b1a-27e4-4b3a-8f0c-2f6c9a1d7e55","eventID":"00000000-0000-4000-b000-%012d","readOnly":false,
"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":%q,"eventCategory":"Management"}}`,
		id, owner, region, region, domain, owner, repository, connection, id, owner)
}

// warm holds the whole way of an event against a bare function that makes the same
// calls with net/http: read the event, look, look again, take the connection off,
// look once more, report. AWS answers at once, so what is measured is the program;
// the caps are lifted, because at a read every 12 ms they would be all that there
// is to see.
func warm(b *bench) ([]line, error) {
	s, err := b.newStage()
	if err != nil {
		return nil, err
	}
	defer s.world.Close()
	app := s.artifacts.AddDomain(home, region, "corp").AddRepository("app")
	event := association(1, home, "corp", "app", "public:npmjs")
	ours, err := s.deploy(connections, "enforce", 1)
	if err != nil {
		return nil, err
	}
	theirs, err := s.deploy(peer, "", 1)
	if err != nil {
		return nil, err
	}

	app.Connect("public:npmjs")
	out, _, err := s.invoke(ours, event)
	if err != nil {
		return nil, err
	}
	if out.Outcomes["applied"] != 1 {
		return nil, fmt.Errorf("the function did not act: %+v", out)
	}
	made := s.operations(0)
	if err := s.teach(theirs); err != nil {
		return nil, err
	}
	before := len(s.world.Calls())
	app.Connect("public:npmjs")
	if _, _, err := s.invoke(theirs, event); err != nil {
		return nil, err
	}
	if same := s.operations(before); !slices.Equal(made, same) {
		return nil, fmt.Errorf("the function makes %q, and what it is held against %q", made, same)
	}

	var times [2][]time.Duration
	for range b.size(2000, 20) {
		err := shuffled(2, func(i int) error {
			app.Connect("public:npmjs")
			_, took, err := s.invoke(choice(i == 0, ours, theirs), event)
			times[i] = append(times[i], took)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	us, them := median(times[0]), median(times[1])
	return []line{atMost("warm event to outcome", ratio(us, them), 1.5, " x net/http",
		fmt.Sprintf("%.2f of %.2f ms for %d calls", ms(us), ms(them), len(made)))}, nil
}

// teach tells the peer what the real function has reported so far, so that it can
// send the same.
func (s *stage) teach(theirs *lambda.Running) error {
	reports := []any{}
	for _, c := range s.world.Calls() {
		if c.Operation == "PutEvents" {
			reports = append(reports, c.Input)
		}
	}
	payload, err := json.Marshal(map[string]any{"reports": reports})
	if err != nil {
		return err
	}
	_, _, err = s.invoke(theirs, string(payload))
	return err
}

func choice[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}

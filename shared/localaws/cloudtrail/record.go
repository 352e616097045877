package cloudtrail

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/eventbridge"
)

// A Spelling is how a record spells the names of request parameters. CloudTrail documents none for CodeArtifact.
type Spelling int

const (
	// OfTheAPI is the spelling of the API reference: domain, repository.
	OfTheAPI Spelling = iota
	// OfTheRecords is that of the two records that AWS has published: domainName, repositoryName. A parameter that is in
	// neither of them is spelt as in the API.
	OfTheRecords
)

func (s Spelling) of(name string) string {
	published := map[string]string{
		"domain": "domainName", "repository": "repositoryName", "package": "packageName", "format": "packageFormat",
	}
	if other, ok := published[name]; ok && s == OfTheRecords {
		return other
	}
	return name
}

// events makes one event for each recipient of a call. They differ in the account, and in the ids of event and record;
// sharedEventID says that they are of one call, and is left out where there is but one.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
func (t *Trail) events(c localaws.Call, recipients []string) []eventbridge.Event {
	record := t.record(c)
	if len(recipients) > 1 {
		record["sharedEventID"] = t.newID()
	}
	var events []eventbridge.Event
	for _, account := range recipients {
		record["eventID"], record["recipientAccountId"] = t.newID(), account
		detail, _ := json.Marshal(record) // what came as JSON, and strings, always encode
		events = append(events, eventbridge.Event{
			ID: t.newID(), Account: account, Region: c.Region, Bus: "default",
			Source: "aws." + c.Service, DetailType: "AWS API Call via CloudTrail", Detail: detail, Time: c.Time,
		})
	}
	return events
}

// record is a call as CloudTrail writes it down. The journal does not know everything: who in its account made a call
// without a role is made up, and no error has a message. The response of CodeArtifact is not there, as it is in one of the published records;
// that of Proton is there as the API has it [assumed], because the id of a new connection is nowhere else.
func (t *Trail) record(c localaws.Call) map[string]any {
	parameters := map[string]any{}
	for name, value := range c.Input {
		parameters[t.spelling.of(name)] = value
	}
	r := map[string]any{
		"eventVersion":      "1.11",
		"userIdentity":      identity(c),
		"eventTime":         c.Time.UTC().Format(time.RFC3339),
		"eventSource":       c.Service + ".amazonaws.com",
		"eventName":         c.Operation,
		"awsRegion":         c.Region,
		"sourceIPAddress":   "127.0.0.1",
		"userAgent":         c.UserAgent,
		"requestParameters": parameters,
		"responseElements":  nil,
		"requestID":         c.RequestID,
		"readOnly":          false,
		"eventType":         "AwsApiCall",
		"managementEvent":   true,
		"eventCategory":     "Management",
	}
	if c.Service == "proton" {
		r["responseElements"] = c.Output
	}
	if c.ErrorCode != "" {
		r["errorCode"] = c.ErrorCode
	}
	return r
}

// identity is that of the role that called. For the credentials of an account it is a role which everybody there has taken.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
func identity(c localaws.Call) map[string]any {
	issuer, session := fmt.Sprintf("arn:aws:iam::%s:role/somebody", c.Account), "session"
	if c.Principal != "" {
		issuer, session = c.Principal, c.Session
	}
	role := issuer[strings.LastIndex(issuer, "/")+1:] // without its path
	return map[string]any{
		"type":        "AssumedRole",
		"principalId": "AROALOCAL:" + session,
		"arn":         fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", c.Account, role, session),
		"accountId":   c.Account,
		"accessKeyId": "ASIALOCAL",
		"sessionContext": map[string]any{
			"sessionIssuer": map[string]any{
				"type":        "Role",
				"principalId": "AROALOCAL",
				"arn":         issuer,
				"accountId":   c.Account,
				"userName":    role,
			},
			"attributes": map[string]any{"creationDate": c.Time.UTC().Format(time.RFC3339), "mfaAuthenticated": "false"},
		},
	}
}

func (t *Trail) newID() string {
	t.ids++
	return fmt.Sprintf("00000000-0000-4000-a000-%012x", t.ids)
}

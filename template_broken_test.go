package portcullis_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// A check that cannot fail guards nothing, so each is shown a project that is broken in one place.
func TestTemplateChecksCanFail(t *testing.T) {
	const in = "template.yaml"
	tests := []struct {
		sentence string // of the check that must complain
		name     string // what is broken
		file     string
		old, new string
	}{
		{"every folder in functions/ is built into functions of the stack, and the reverse",
			"a function without a build target", "Makefile", "build-ExternalConnectionsOnEvent build-", "build-"},
		{"every folder in functions/ is built into functions of the stack, and the reverse",
			"a build target without a function", "Makefile", "build-ExternalConnectionsOnEvent build-", "build-ExternalConnectionsOnEvent build-Pear build-"},
		{"every folder in functions/ is built into functions of the stack, and the reverse",
			"a build target that makes something else", "Makefile", "Sweep: build/external-connections/", "Sweep: build/package-groups/"},

		{"every function is a Go program for Lambda that reads the deployed policy",
			"another name for the program", in, "Handler: bootstrap", "Handler: external-connections"},
		{"every function is a Go program for Lambda that reads the deployed policy",
			"another way to build", in, "BuildMethod: makefile", "BuildMethod: go1.x"},
		{"every function is a Go program for Lambda that reads the deployed policy",
			"another folder as the layer", in, "ContentUri: policy/", "ContentUri: docs/"},
		{"every function is a Go program for Lambda that reads the deployed policy",
			"no layer", in, "    Layers: [!Ref Policy]\n", ""},

		{"what the code reads from its environment is set, and nothing else",
			"a variable that is missing", in, "        EVENT_BUS: !Ref Bus\n", ""},
		{"what the code reads from its environment is set, and nothing else",
			"a variable that nothing reads", in, "        EVENT_BUS: !Ref Bus\n", "        EVENT_BUS: !Ref Bus\n        MAX_ACTIONS: 10\n"},
		{"what the code reads from its environment is set, and nothing else",
			"a misspelt variable without which the code starts", in, "          ROLE_ARN:", "          ROLE_ANR:"},

		{"concurrency is reserved for functions of the kind that the parameter names",
			"the concurrency of the other kind", in, "!If [HasSweepConcurrency, !Ref Sweep", "!If [HasSweepConcurrency, !Ref Events"},

		{"a role may call what its control's code calls, and may write only in enforce mode",
			"a read that the role may not make", in, "[codeartifact:ListDomains, codeartifact:ListRepositories]", "[codeartifact:ListRepositories]"},
		{"a role may call what its control's code calls, and may write only in enforce mode",
			"a read that the code does not make", in, "Action: codeartifact:DescribeRepository", "Action: [codeartifact:DescribeRepository, codeartifact:DescribeDomain]"},
		{"a role may call what its control's code calls, and may write only in enforce mode",
			"a write in every mode but off", in, "                - ExternalConnectionsEnforce\n", "                - ExternalConnectionsOn\n"},
		{"a role may call what its control's code calls, and may write only in enforce mode",
			"a write in no mode", in, "                - Sid: Disconnect\n                  Effect: Allow", "                - Sid: Disconnect\n                  Effect: Deny"},
		{"a role may call what its control's code calls, and may write only in enforce mode",
			"all rights of the service", in, "Action: codeartifact:DescribeRepository", `Action: "codeartifact:*"`},
		{"a role may call what its control's code calls, and may write only in enforce mode",
			"a function with another role", in, "      Role: !GetAtt ExternalConnectionsRole.Arn", "      Role: !GetAtt ExternalConnectionsScheduleRole.Arn"},

		{"no role has another right, or one on more than it needs",
			"a right of another service", in, "Action: events:PutEvents", "Action: [events:PutEvents, events:PutRule]"},
		{"no role has another right, or one on more than it needs",
			"a right on everything", in, "Resource: !GetAtt Bus.Arn", `Resource: "*"`},
		{"no role has another right, or one on more than it needs",
			"a right in every Region", in, "codeartifact:${AWS::Region}:*:repository/*\n              # The one write", "codeartifact:*:*:repository/*\n              # The one write"},
		{"no role has another right, or one on more than it needs",
			"a right by exclusion", in, "                Action: events:PutEvents", "                NotAction: events:PutEvents"},
		{"no role has another right, or one on more than it needs",
			"a managed policy", in, "      Description: What the functions of", "      ManagedPolicyArns: [arn:admin]\n      Description: What the functions of"},
		{"no role has another right, or one on more than it needs",
			"a policy beside the roles", in, "  ExternalConnectionsLog:\n", "  More:\n    Type: AWS::IAM::Policy\n  ExternalConnectionsLog:\n"},
		{"no role has another right, or one on more than it needs",
			"a role without the boundary", in, "      PermissionsBoundary: !If [HasBoundary, !Ref PermissionsBoundaryArn, !Ref AWS::NoValue]\n", ""},

		{"what is tagged portcullis:keep may not be written in any mode",
			"an allow for the deny", in, "Effect: Deny", "Effect: Allow"},
		{"what is tagged portcullis:keep may not be written in any mode",
			"another tag", in, "aws:ResourceTag/portcullis:keep", "aws:ResourceTag/keep"},
		{"what is tagged portcullis:keep may not be written in any mode",
			"one account's repositories only", in, "Resource: !Sub arn:${AWS::Partition}:codeartifact:${AWS::Region}:*:repository/*\n                Condition", "Resource: !Sub arn:${AWS::Partition}:codeartifact:${AWS::Region}:${AWS::AccountId}:repository/*\n                Condition"},

		{"a mode is off, monitor or enforce, and monitor if nothing is said",
			"enforce by default", in, "Default: monitor", "Default: enforce"},
		{"a mode is off, monitor or enforce, and monitor if nothing is said",
			"a mode that nobody knows", in, `["off", monitor, enforce]`, `["off", monitor, enforce, dry-run]`},
		{"a mode is off, monitor or enforce, and monitor if nothing is said",
			"a mode that no parameter changes", in, "ENFORCEMENT_MODE: !Ref ExternalConnectionsMode", "ENFORCEMENT_MODE: enforce"},

		{"what wakes a control sleeps in off mode, and only then",
			"a rule that never sleeps", in, "      State: !If [ExternalConnectionsOn, ENABLED, DISABLED]\n      EventPattern:", "      State: ENABLED\n      EventPattern:"},
		{"what wakes a control sleeps in off mode, and only then",
			"a schedule that always sleeps", in, "      State: !If [ExternalConnectionsOn, ENABLED, DISABLED]\n      ScheduleExpression:", "      State: DISABLED\n      ScheduleExpression:"},
		{"what wakes a control sleeps in off mode, and only then",
			"an alarm about sweeps that are not wanted", in, "    Condition: ExternalConnectionsOn\n    Properties:\n      AlarmDescription: >-\n        No sweep", "    Properties:\n      AlarmDescription: >-\n        No sweep"},

		{"a rule matches the events that its control reads, and no others",
			"a misspelt event name", in, "eventName: [AssociateExternalConnection]", "eventName: [AssociateExternalConnections]"},
		{"a rule matches the events that its control reads, and no others",
			"a misspelt field", in, "          eventName:", "          eventname:"},
		{"a rule matches the events that its control reads, and no others",
			"every call that is no Describe, Get or List", in, "          eventName: [AssociateExternalConnection]\n", ""},
		{"a rule matches the events that its control reads, and no others",
			"failed calls", in, "          errorCode: [{ exists: false }]\n", ""},
		{"a rule matches the events that its control reads, and no others",
			"replayed calls", in, "        replay-name: [{ exists: false }]\n", ""},
		{"a rule matches the events that its control reads, and no others",
			"an operator that does not exist", in, "errorCode: [{ exists: false }]", "errorCode: [{ missing: true }]"},

		{"a schedule is valid and asks for a sweep",
			"one hours", in, "Schedule: rate(1 hour)", "Schedule: rate(1 hours)"},
		{"a schedule is valid and asks for a sweep",
			"a time zone that does not exist", in, "ScheduleExpressionTimezone: UTC", "ScheduleExpressionTimezone: Europe/Trantor"},
		{"a schedule is valid and asks for a sweep",
			"an input that the code ignores", in, `"detail-type": "Sweep Requested"`, `"detail-type": "SweepRequested"`},
		{"a schedule is valid and asks for a sweep",
			"an input that the code refuses", in, `"by": "schedule"`, `"by": "clock"`},
		{"a schedule is valid and asks for a sweep",
			"a flexible window without a length", in, `{ Mode: "OFF" }`, `{ Mode: FLEXIBLE }`},
		{"a schedule is valid and asks for a sweep",
			"the function for events", in, "        Arn: !GetAtt ExternalConnectionsSweep.Arn\n        RoleArn", "        Arn: !GetAtt ExternalConnectionsOnEvent.Arn\n        RoleArn"},

		{"schedule and alarms agree on the period",
			"a table with a slip", in, "Seconds: 21600", "Seconds: 2160"},
		{"schedule and alarms agree on the period",
			"a look back that is too long", in, "EvaluationPeriods: 3", "EvaluationPeriods: 8"},

		{"what does not happen ends in the failure queue",
			"a function without a failure destination", in, "      DestinationConfig:\n        OnFailure: { Destination: !GetAtt FailureQueue.Arn }\n", ""},
		{"what does not happen ends in the failure queue",
			"a rule without a dead-letter queue", in, "          Arn: !GetAtt ExternalConnectionsOnEvent.Arn\n          DeadLetterConfig: { Arn: !GetAtt FailureQueue.Arn }\n", "          Arn: !GetAtt ExternalConnectionsOnEvent.Arn\n"},
		{"what does not happen ends in the failure queue",
			"a schedule without a dead-letter queue", in, "        DeadLetterConfig: { Arn: !GetAtt FailureQueue.Arn }\n\n", "\n"},
		{"what does not happen ends in the failure queue",
			"a rule that the queue does not let in", in, "[!GetAtt EventsToLog.Arn, !GetAtt ExternalConnectionsAssociated.Arn]", "[!GetAtt EventsToLog.Arn]"},
		{"what does not happen ends in the failure queue",
			"a rule that may not invoke its function", in, "      SourceArn: !GetAtt ExternalConnectionsAssociated.Arn\n", "      SourceArn: !GetAtt EventsToLog.Arn\n"},
		{"what does not happen ends in the failure queue",
			"a queue that forgets soon", in, "MessageRetentionPeriod: 1209600", "MessageRetentionPeriod: 345600"},

		{"a failed sweep is not tried again",
			"a retry", in, "MaximumRetryAttempts: 0", "MaximumRetryAttempts: 1"},

		{"logs are JSON, forget in time, and outlive the stack",
			"a log that keeps everything", in, "    Properties:\n      RetentionInDays: !Ref LogRetentionDays\n", "    Properties: {}\n"},
		{"logs are JSON, forget in time, and outlive the stack",
			"a level that drops the intents", in, "ApplicationLogLevel: INFO", "ApplicationLogLevel: WARN"},
		{"logs are JSON, forget in time, and outlive the stack",
			"a log that goes with the stack", in, "    DeletionPolicy: Retain\n", "    DeletionPolicy: Delete\n"},

		{"every alarm that is needed exists",
			"an alarm without a threshold of its own", in, "Threshold: !Ref AppliedPerHourAlarm", "Threshold: 0"},
		{"every alarm that is needed exists",
			"silence that is taken for good news", in, "TreatMissingData: breaching", "TreatMissingData: notBreaching"},
		{"every alarm that is needed exists",
			"an alarm that is left out", in, "  ExternalConnectionsLimitExceeded:\n    Type: AWS::CloudWatch::Alarm", "  ExternalConnectionsLimitExceeded:\n    Type: AWS::CloudWatch::CompositeAlarm"},

		{"alarms ring where the parameters say",
			"alarms that ring no topic", in, "        - !If [HasAlarmTopic, !Ref AlarmTopicArn, !Ref AWS::NoValue]\n", ""},
		{"alarms ring where the parameters say",
			"a topic that nobody reads", in, "Endpoint: !Ref AlarmEmail", "Endpoint: nobody@example.com"},

		{"alarms and dashboard name metrics that are written",
			"a misspelt metric in an alarm", in, "MetricName: Undelivered", "MetricName: Undeliverable"},
		{"alarms and dashboard name metrics that are written",
			"another name of the control", in, "Value: external-connections }", "Value: ExternalConnections }"},
		{"alarms and dashboard name metrics that are written",
			"a misspelt metric in the dashboard", in, `"Portcullis", "Violations"`, `"Portcullis", "Violation"`},
		{"alarms and dashboard name metrics that are written",
			"a dashboard that is no JSON", in, `"widgets": [`, `"widgets": [[`},

		{"what is reported is logged and archived",
			"an archive of another bus", in, "SourceArn: !GetAtt Bus.Arn", "SourceArn: !Ref EventsLog"},
		{"what is reported is logged and archived",
			"a rule for another source", in, "source: [portcullis]", "source: [Portcullis]"},
		{"what is reported is logged and archived",
			"a log that takes nothing", in, "log-group:${EventsLog}:*", "log-group:${ExternalConnectionsLog}:*"},

		{"every parameter says what it is for",
			"a parameter without a word", in, "    Description: How often everything", "    ConstraintDescription: How often everything"},

		{"sam never builds from its cache, and asks before it deploys prod",
			"a build from the cache", "samconfig.toml", "[prod.build.parameters]\ncached = false", "[prod.build.parameters]\ncached = true"},
		{"sam never builds from its cache, and asks before it deploys prod",
			"a setting that is only a comment", "samconfig.toml", "confirm_changeset = true", "# confirm_changeset = true"},
	}

	real, realFolders := texts(t), folders(t)
	unbroken := map[string]bool{}
	for _, check := range checks() {
		unbroken[check.sentence] = true
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			broken := maps.Clone(real)
			broken[test.file] = strings.Replace(real[test.file], test.old, test.new, 1)
			if broken[test.file] == real[test.file] {
				t.Fatalf("%s does not hold %q", test.file, test.old)
			}
			p, err := readProject(broken, realFolders)
			if err != nil {
				t.Fatal(err)
			}
			var sentences []string
			for _, check := range checks() {
				var found complaints
				if check.find(p, &found); len(found) > 0 {
					sentences = append(sentences, check.sentence)
				}
			}
			if !slices.Contains(sentences, test.sentence) {
				t.Errorf("complained: %q; want among them %q", sentences, test.sentence)
			}
		})
		delete(unbroken, test.sentence)
	}
	for sentence := range unbroken {
		t.Errorf("nothing here breaks the check %q", sentence)
	}

	t.Run("a folder that is in no function", func(t *testing.T) {
		p, err := readProject(real, append([]string{"package-groups"}, realFolders...))
		if err != nil {
			t.Fatal(err)
		}
		var found complaints
		if builtFromFolders(p, &found); len(found) == 0 {
			t.Error("functions/package-groups was not missed")
		}
	})
}

// What CloudFormation would read otherwise, or refuse, is not even looked at.
func TestTemplateReaderRefuses(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"a bare off, which is false to CloudFormation", `["off", monitor, enforce]`, "[off, monitor, enforce]", `write "off" in quotes`},
		{"a bare date", `"2010-09-09"`, "2010-09-09", "in quotes"},
		{"a key that stands there twice", "Handler: bootstrap", "Handler: bootstrap\n    Handler: other", "twice"},
		{"an alias", "Globals:", "Aliases: [&a b, *a]\nGlobals:", "anchors and aliases"},
		{"a function that this test does not know", "!GetAtt Bus.Arn", "!ImportValue bus", "Fn::ImportValue is not known"},
		{"a resource that does not exist", "!GetAtt Bus.Arn", "!GetAtt Car.Arn", "Car does not exist"},
		{"a resource that exists in other modes only", "Value: !Ref FailureQueue", "Value: !Ref ExternalConnectionsIncomplete", "ExternalConnectionsIncomplete does not exist"},
		{"a condition that does not exist", "Condition: HasAlarmEmail", "Condition: HasEmail", "no condition HasEmail"},
		{"a line of a table that does not exist", "1-hour: {", "1-hours: {", "in the mappings"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			broken := texts(t)
			text := strings.Replace(broken["template.yaml"], test.old, test.new, 1)
			if text == broken["template.yaml"] {
				t.Fatalf("template.yaml does not hold %q", test.old)
			}
			broken["template.yaml"] = text
			if _, err := readProject(broken, nil); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
		})
	}
}

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
		{"every function is a Go program for Lambda that reads the deployed policy",
			"a layer that goes when the policy changes", in, "RetentionPolicy: Retain", "RetentionPolicy: Delete"},

		{"what the code reads from its environment is set, and nothing else",
			"a variable that is missing", in, "        EVENT_BUS: !Ref Bus\n", ""},
		{"what the code reads from its environment is set, and nothing else",
			"a variable that nothing reads", in, "        EVENT_BUS: !Ref Bus\n", "        EVENT_BUS: !Ref Bus\n        MAX_ACTIONS: 10\n"},
		{"what the code reads from its environment is set, and nothing else",
			"a misspelt variable without which the code starts", in, "          ROLE_ARN:", "          ROLE_ANR:"},

		{"concurrency is reserved for functions of the kind that the parameter names",
			"the concurrency of the other kind", in, "!If [HasSweepConcurrency, !Ref Sweep", "!If [HasSweepConcurrency, !Ref Events"},

		{"a function has more time than its code keeps for writing things down",
			"a function for events without time to look", in, "      Timeout: 60", "      Timeout: 20"},
		{"a function has more time than its code keeps for writing things down",
			"a sweep that is cut short", in, "      Timeout: 900", "      Timeout: 60"},

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
			"a function with another role", in, "      Role: !GetAtt ExternalConnectionsRole.Arn", "      Role: !GetAtt ScheduleRole.Arn"},
		{"a role may call what its control's code calls, and may write only in enforce mode",
			"a right to create what may be deleted", in, "                  Action: codeartifact:DeletePackageGroup", "                  Action: [codeartifact:DeletePackageGroup, codeartifact:CreatePackageGroup]"},
		{"a role may call what its control's code calls, and may write only in enforce mode",
			"a right to set modes", in, "[codeartifact:TagResource, codeartifact:UntagResource]", "[codeartifact:TagResource, codeartifact:UntagResource, codeartifact:UpdatePackageGroupOriginConfiguration]"},
		{"a role may call what its control's code calls, and may write only in enforce mode",
			"a write by another control's mode", in, "                - PackageGroupsEnforce\n                - Sid: Mark", "                - ExternalConnectionsEnforce\n                - Sid: Mark"},
		{"a role may call what its control's code calls, and may write only in enforce mode",
			"a right to accept what it may reject", in, "Action: proton:RejectEnvironmentAccountConnection", "Action: [proton:RejectEnvironmentAccountConnection, proton:AcceptEnvironmentAccountConnection]"},

		{"a role has every other right that it needs, none beside, and each on no more than it needs",
			"a right of another service", in, "Action: events:PutEvents", "Action: [events:PutEvents, events:PutRule]"},
		{"a role has every other right that it needs, none beside, and each on no more than it needs",
			"a right on everything", in, "Resource: !GetAtt Bus.Arn", `Resource: "*"`},
		{"a role has every other right that it needs, none beside, and each on no more than it needs",
			"a right in every Region", in, "codeartifact:${AWS::Region}:*:repository/*\n              # The one write", "codeartifact:*:*:repository/*\n              # The one write"},
		{"a role has every other right that it needs, none beside, and each on no more than it needs",
			"a right by exclusion", in, "                Action: events:PutEvents", "                NotAction: events:PutEvents"},
		{"a role has every other right that it needs, none beside, and each on no more than it needs",
			"a role without the boundary", in, "      PermissionsBoundary: !If [HasBoundary, !Ref PermissionsBoundaryArn, !Ref AWS::NoValue]\n", ""},
		{"a role has every other right that it needs, none beside, and each on no more than it needs",
			"a right that Lambda needs to read a queue", in, "[sqs:ReceiveMessage, sqs:DeleteMessage, sqs:GetQueueAttributes]", "[sqs:ReceiveMessage, sqs:DeleteMessage]"},
		{"a role has every other right that it needs, none beside, and each on no more than it needs",
			"a sweep that the scheduler may not start", in, "                  - !GetAtt PackageGroupsSweep.Arn\n", ""},
		{"a role has every other right that it needs, none beside, and each on no more than it needs",
			"a role that nobody knows", in, "  ExternalConnectionsLog:\n", "  OtherRole:\n    Type: AWS::IAM::Role\n  ExternalConnectionsLog:\n"},

		{"a role has every other right that it needs, none beside, and each on no more than it needs",
			"a right that never holds", in, "                Resource: !GetAtt Bus.Arn", "                Resource: !GetAtt Bus.Arn\n                Condition: { StringEquals: { aws:PrincipalAccount: \"000000000000\" } }"},
		{"a role has every other right that it needs, none beside, and each on no more than it needs",
			"a right that only another control needs", in, "              # No tag keeps a connection,", "              - { Effect: Allow, Action: codeartifact:ListDomains, Resource: \"*\" }\n              # No tag keeps a connection,"},
		{"a role has every other right that it needs, none beside, and each on no more than it needs",
			"a right that is denied as well", in, "              - Sid: Report\n", "              - { Effect: Deny, Action: codeartifact:ListDomains, Resource: \"*\" }\n              - Sid: Report\n"},
		{"a role has every other right that it needs, none beside, and each on no more than it needs",
			"a scheduler that may not tell of what it lost", in, "              - Sid: TellOfSweepsNotStarted\n                Effect: Allow", "              - Sid: TellOfSweepsNotStarted\n                Effect: Deny"},

		{"outside enforce mode no role may do more than read and report, and package-origins never",
			"a deletion outside the condition", in, "                - PackageGroupsEnforce\n                - Sid: Prune", "                - PackageGroupsOn\n                - Sid: Prune"},
		{"outside enforce mode no role may do more than read and report, and package-origins never",
			"a write by the control that only looks", in, "[codeartifact:GetAssociatedPackageGroup, codeartifact:ListAllowedRepositoriesForGroup]", "[codeartifact:GetAssociatedPackageGroup, codeartifact:UpdatePackageGroupOriginConfiguration]"},
		{"outside enforce mode no role may do more than read and report, and package-origins never",
			"a rejection outside the condition", in, "                - ProtonConnectionsEnforce\n                - Sid: Reject", "                - ProtonConnectionsOn\n                - Sid: Reject"},

		{"what is tagged portcullis:keep may not be taken away in any mode",
			"an allow for the deny", in, "Effect: Deny", "Effect: Allow"},
		{"what is tagged portcullis:keep may not be taken away in any mode",
			"another tag", in, "aws:ResourceTag/portcullis:keep", "aws:ResourceTag/keep"},
		{"what is tagged portcullis:keep may not be taken away in any mode",
			"one account's repositories only", in, "Resource: !Sub arn:${AWS::Partition}:codeartifact:${AWS::Region}:*:repository/*\n                Condition", "Resource: !Sub arn:${AWS::Partition}:codeartifact:${AWS::Region}:${AWS::AccountId}:repository/*\n                Condition"},
		{"what is tagged portcullis:keep may not be taken away in any mode",
			"a deny on every repository", in, "                Condition: { StringEquals: { \"aws:ResourceTag/portcullis:keep\": \"true\" } }\n", ""},
		{"what is tagged portcullis:keep may not be taken away in any mode",
			"a tag that keeps a group by one value only", in, `{ "Null": { "aws:ResourceTag/portcullis:keep": "false" } }`, `{ StringEquals: { "aws:ResourceTag/portcullis:keep": "true" } }`},
		{"what is tagged portcullis:keep may not be taken away in any mode",
			"a deny for groups without the tag", in, `"aws:ResourceTag/portcullis:keep": "false"`, `"aws:ResourceTag/portcullis:keep": "true"`},

		{"the root of the package groups may not be deleted in any mode, and in enforce mode every other may that is marked",
			"no deny for the root", in, "              - Sid: KeepRoot\n                Effect: Deny\n                Action: codeartifact:DeletePackageGroup\n", "              - Sid: KeepRoot\n                Effect: Deny\n                Action: codeartifact:CreatePackageGroup\n"},
		{"the root of the package groups may not be deleted in any mode, and in enforce mode every other may that is marked",
			"a deny that is for other groups as well", in, "NotResource: !Sub arn:${AWS::Partition}:codeartifact:${AWS::Region}:${AWS::AccountId}:package-group/*/*/*", "Resource: !Sub arn:${AWS::Partition}:codeartifact:${AWS::Region}:${AWS::AccountId}:package-group/*/%2a"},
		{"the root of the package groups may not be deleted in any mode, and in enforce mode every other may that is marked",
			"a deny that is not for the root", in, "package-group/*/*/*", "package-group/*/*"},
		{"the root of the package groups may not be deleted in any mode, and in enforce mode every other may that is marked",
			"a deletion of groups that nobody marked", in, "                  Condition: { \"Null\": { \"aws:ResourceTag/portcullis:empty-since\": \"false\" } }\n", ""},

		{"no tag but our mark may be set or taken off, and that on package groups only",
			"any tag", in, "                    ForAllValues:StringEquals: { aws:TagKeys: [\"portcullis:empty-since\"] }\n", ""},
		{"no tag but our mark may be set or taken off, and that on package groups only",
			"two tags", in, `["portcullis:empty-since"]`, `["portcullis:empty-since", "portcullis:keep"]`},
		{"no tag but our mark may be set or taken off, and that on package groups only",
			"a request that names no tag", in, "                    \"Null\": { aws:TagKeys: \"false\" }\n", ""},
		{"no tag but our mark may be set or taken off, and that on package groups only",
			"tags of everything", in, "                  Action: [codeartifact:TagResource, codeartifact:UntagResource]\n                  Resource: !Sub arn:${AWS::Partition}:codeartifact:${AWS::Region}:${AWS::AccountId}:package-group/*", "                  Action: [codeartifact:TagResource, codeartifact:UntagResource]\n                  Resource: \"*\""},
		{"no tag but our mark may be set or taken off, and that on package groups only",
			"an operator that this test does not know", in, "ForAllValues:StringEquals:", "ForAllValues:StringLike:"},

		{"no tag keeps a connection, and this account may delete only what it asked for itself",
			"a tag that forbids to end a connection", in, "              # ... but only the account", "              - { Effect: Deny, Action: \"proton:*\", Resource: \"*\", Condition: { \"Null\": { \"aws:ResourceTag/portcullis:keep\": \"false\" } } }\n              # ... but only the account"},
		{"no tag keeps a connection, and this account may delete only what it asked for itself",
			"a right to reject what only this account asked for", in, "proton:${AWS::Region}:*:environment-account-connection/*", "proton:${AWS::Region}:${AWS::AccountId}:environment-account-connection/*"},
		{"no tag keeps a connection, and this account may delete only what it asked for itself",
			"a right to delete what others asked for", in, "proton:${AWS::Region}:${AWS::AccountId}:environment-account-connection/*", "proton:${AWS::Region}:*:environment-account-connection/*"},

		{"SECURITY.md says what the roles may write",
			"a write that it leaves out", "SECURITY.md", " and `codeartifact:UntagResource`", ""},
		{"SECURITY.md says what the roles may write",
			"a write that nobody makes", "SECURITY.md", "| package-origins | nothing", "| package-origins | `codeartifact:DeletePackageGroup`"},

		{"only those named here may assume a role, invoke a function, send to a queue or write to the log",
			"a role that anybody may assume", in, "            Principal: { Service: lambda.amazonaws.com }", `            Principal: { AWS: "*" }`},
		{"only those named here may assume a role, invoke a function, send to a queue or write to the log",
			"a role that a scheduler of any account may assume", in, "            Condition: { StringEquals: { aws:SourceAccount: !Ref AWS::AccountId } }\n", ""},
		{"only those named here may assume a role, invoke a function, send to a queue or write to the log",
			"a function that any rule may invoke", in, "      SourceArn: !GetAtt ExternalConnectionsAssociated.Arn\n", ""},
		{"only those named here may assume a role, invoke a function, send to a queue or write to the log",
			"a function that somebody else may invoke as well", in, "  ExternalConnectionsLog:\n", "  More:\n    Type: AWS::Lambda::Permission\n    Properties: { FunctionName: !Ref ExternalConnectionsSweep, Action: lambda:InvokeFunction, Principal: \"*\" }\n  ExternalConnectionsLog:\n"},
		{"only those named here may assume a role, invoke a function, send to a queue or write to the log",
			"a function with an address on the internet", in, "    Handler: bootstrap", "    FunctionUrlConfig: { AuthType: NONE }\n    Handler: bootstrap"},
		{"only those named here may assume a role, invoke a function, send to a queue or write to the log",
			"a function with a rule that SAM makes", in, "      MemorySize: 256", "      Events: { All: { Type: EventBridgeRule, Properties: { Pattern: { source: [aws.s3] } } } }\n      MemorySize: 256"},
		{"only those named here may assume a role, invoke a function, send to a queue or write to the log",
			"a bus that others may send to", in, "  ExternalConnectionsLog:\n", "  More:\n    Type: AWS::Events::EventBusPolicy\n  ExternalConnectionsLog:\n"},
		{"only those named here may assume a role, invoke a function, send to a queue or write to the log",
			"a bus that says itself who may send to it", in, "      Name: !Ref AWS::StackName\n", "      Name: !Ref AWS::StackName\n      Policy: { Statement: [] }\n"},
		{"only those named here may assume a role, invoke a function, send to a queue or write to the log",
			"a queue with a second policy", in, "  PackageOriginsBatches:\n", "  AlsoLetIn:\n    Type: AWS::SQS::QueuePolicy\n    Properties: { Queues: [!Ref FailureQueue], PolicyDocument: { Statement: [] } }\n  PackageOriginsBatches:\n"},
		{"only those named here may assume a role, invoke a function, send to a queue or write to the log",
			"a log that any rule may write to", in, ",\n            \"Condition\": {\"ArnEquals\": {\"aws:SourceArn\": \"${EventsToLog.Arn}\"}}", ""},
		{"only those named here may assume a role, invoke a function, send to a queue or write to the log",
			"a log that any service may write to", in, `{"Service": ["events.amazonaws.com", "delivery.logs.amazonaws.com"]}`, `"*"`},
		{"only those named here may assume a role, invoke a function, send to a queue or write to the log",
			"a managed policy", in, "      Description: What the functions of", "      ManagedPolicyArns: [arn:admin]\n      Description: What the functions of"},
		{"only those named here may assume a role, invoke a function, send to a queue or write to the log",
			"a policy beside the roles", in, "  ExternalConnectionsLog:\n", "  More:\n    Type: AWS::IAM::Policy\n  ExternalConnectionsLog:\n"},
		{"only those named here may assume a role, invoke a function, send to a queue or write to the log",
			"a rule that the queue does not let in", in, "                  - !GetAtt ExternalConnectionsAssociated.Arn\n", ""},
		{"only those named here may assume a role, invoke a function, send to a queue or write to the log",
			"a rule that may not invoke its function", in, "      SourceArn: !GetAtt ExternalConnectionsAssociated.Arn\n", "      SourceArn: !GetAtt EventsToLog.Arn\n"},
		{"only those named here may assume a role, invoke a function, send to a queue or write to the log",
			"a queue that anybody may send to", in, "            Condition: { ArnEquals: { aws:SourceArn: !GetAtt PackageOriginsGroupChanged.Arn } }\n", ""},
		{"only those named here may assume a role, invoke a function, send to a queue or write to the log",
			"a queue that its rule may not send to", in, "{ aws:SourceArn: !GetAtt PackageOriginsGroupChanged.Arn }", "{ aws:SourceArn: !GetAtt EventsToLog.Arn }"},

		{"a mode is off, monitor or, where there is something to write, enforce, and monitor if nothing is said",
			"enforce by default", in, "Default: monitor", "Default: enforce"},
		{"a mode is off, monitor or, where there is something to write, enforce, and monitor if nothing is said",
			"a mode that nobody knows", in, `["off", monitor, enforce]`, `["off", monitor, enforce, dry-run]`},
		{"a mode is off, monitor or, where there is something to write, enforce, and monitor if nothing is said",
			"a mode that no parameter changes", in, "ENFORCEMENT_MODE: !Ref ExternalConnectionsMode", "ENFORCEMENT_MODE: enforce"},
		{"a mode is off, monitor or, where there is something to write, enforce, and monitor if nothing is said",
			"a mode without anything to enforce", in, `["off", monitor]`, `["off", monitor, enforce]`},

		{"what wakes a control sleeps in off mode, and only then",
			"a rule that never sleeps", in, "      State: !If [ExternalConnectionsOn, ENABLED, DISABLED]\n      EventPattern:", "      State: ENABLED\n      EventPattern:"},
		{"what wakes a control sleeps in off mode, and only then",
			"a schedule that always sleeps", in, "      State: !If [ExternalConnectionsOn, ENABLED, DISABLED]\n      ScheduleExpression:", "      State: DISABLED\n      ScheduleExpression:"},
		{"what wakes a control sleeps in off mode, and only then",
			"an alarm about sweeps that are not wanted", in, "    Condition: ExternalConnectionsOn\n    Properties:\n      AlarmDescription: >-\n        No sweep", "    Properties:\n      AlarmDescription: >-\n        No sweep"},
		{"what wakes a control sleeps in off mode, and only then",
			"a schedule that sleeps when another control does", in, "State: !If [PackageGroupsOn, ", "State: !If [PackageOriginsOn, "},
		{"what wakes a control sleeps in off mode, and only then",
			"an alarm that nothing would end", in, "    Condition: PackageOriginsOn\n    Properties:\n      AlarmDescription: >-\n        A package", "    Properties:\n      AlarmDescription: >-\n        A package"},

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
		{"a rule matches the events that its control reads, and no others",
			"a call that is left out", in, "            - UpdatePackageGroupOriginConfiguration\n", ""},
		{"a rule matches the events that its control reads, and no others",
			"a call that another control reads", in, "            - CreatePackageGroup\n", "            - CreatePackageGroup\n            - AssociateExternalConnection\n"},
		{"a rule matches the events that its control reads, and no others",
			"a rule for a control that only sweeps", in, "  PackageGroupsRole:\n", "  PackageGroupsRule:\n    Type: AWS::Events::Rule\n    Properties: { EventPattern: { source: [aws.codeartifact] } }\n  PackageGroupsRole:\n"},
		{"a rule matches the events that its control reads, and no others",
			"a rule on our own bus, where no such event comes", in, "      Description: A repository was given an external connection.\n      State", "      Description: A repository was given an external connection.\n      EventBusName: !Ref Bus\n      State"},
		{"a rule matches the events that its control reads, and no others",
			"a status that the control itself brings about", in, "status: [PENDING, CONNECTED]", "status: [PENDING, CONNECTED, REJECTED]"},
		{"a rule matches the events that its control reads, and no others",
			"a status that is left out", in, "status: [PENDING, CONNECTED]", "status: [PENDING]"},
		{"a rule matches the events that its control reads, and no others",
			"statuses of anything", in, "        detail-type: [AWS Proton Environment Account Connection Status Change]\n", ""},
		{"a rule matches the events that its control reads, and no others",
			"statuses of the past", in, "Status Change]\n        replay-name: [{ exists: false }]\n", "Status Change]\n"},
		{"a rule matches the events that its control reads, and no others",
			"roles that are changed unseen", in, "            - UpdateEnvironmentAccountConnection\n", ""},
		{"a rule matches the events that its control reads, and no others",
			"a call that the control itself makes", in, "            - UpdateEnvironmentAccountConnection\n", "            - UpdateEnvironmentAccountConnection\n            - RejectEnvironmentAccountConnection\n"},
		{"a rule matches the events that its control reads, and no others",
			"calls of another service", in, "          eventSource: [proton.amazonaws.com]\n", ""},

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
		{"a schedule is valid and asks for a sweep",
			"a start that is tried all day", in, "RetryPolicy: { MaximumRetryAttempts: 10, MaximumEventAgeInSeconds: 900 }", "RetryPolicy: { MaximumRetryAttempts: 10, MaximumEventAgeInSeconds: 86400 }"},
		{"a schedule is valid and asks for a sweep",
			"a start that is tried once", in, "RetryPolicy: { MaximumRetryAttempts: 10,", "RetryPolicy: { MaximumRetryAttempts: 0,"},
		{"a schedule is valid and asks for a sweep",
			"a day on which the sweeps end", in, "      ScheduleExpressionTimezone: UTC\n", "      ScheduleExpressionTimezone: UTC\n      EndDate: \"2027-01-01T00:00:00Z\"\n"},

		{"schedule and alarms agree on the period",
			"a table with a slip", in, "Seconds: 21600", "Seconds: 2160"},
		{"schedule and alarms agree on the period",
			"a look back that is too long", in, "EvaluationPeriods: 3", "EvaluationPeriods: 8"},
		{"schedule and alarms agree on the period",
			"a sum over another period", in, "            Period: !FindInMap [Sweep, !Ref SweepEvery, Seconds]", "            Period: 3600"},

		{"what does not happen ends in the failure queue",
			"a function without a failure destination", in, "      DestinationConfig:\n        OnFailure: { Destination: !GetAtt FailureQueue.Arn }\n", ""},
		{"what does not happen ends in the failure queue",
			"a rule without a dead-letter queue", in, "          Arn: !GetAtt ExternalConnectionsOnEvent.Arn\n          DeadLetterConfig: { Arn: !GetAtt FailureQueue.Arn }\n", "          Arn: !GetAtt ExternalConnectionsOnEvent.Arn\n"},
		{"what does not happen ends in the failure queue",
			"a schedule without a dead-letter queue", in, "        DeadLetterConfig: { Arn: !GetAtt FailureQueue.Arn }\n\n", "\n"},
		{"what does not happen ends in the failure queue",
			"a queue that forgets soon", in, "MessageRetentionPeriod: 1209600", "MessageRetentionPeriod: 345600"},
		{"what does not happen ends in the failure queue",
			"a queue that is not encrypted", in, "      SqsManagedSseEnabled: true\n\n  PackageOriginsQueuePolicy", "\n  PackageOriginsQueuePolicy"},
		{"what does not happen ends in the failure queue",
			"a rule that passes a part of the event on", in, "        - Id: function\n", "        - Id: function\n          InputPath: $.detail\n"},
		{"what does not happen ends in the failure queue",
			"a rule that writes an event of its own", in, "        - Id: function\n", "        - Id: function\n          Input: \"{}\"\n"},
		{"what does not happen ends in the failure queue",
			"a rule that sends elsewhere", in, "        - Id: queue\n          Arn: !GetAtt PackageOriginsQueue.Arn", "        - Id: queue\n          Arn: !GetAtt FailureQueue.Arn"},
		{"what does not happen ends in the failure queue",
			"a failure destination of a version that nobody invokes", in, "Qualifier: $LATEST", `Qualifier: "1"`},

		{"what failed is tried again as often as the template says, and a failed sweep is not",
			"a sweep that is tried again", in, "MaximumRetryAttempts: 0\n", "MaximumRetryAttempts: 1\n"},
		{"what failed is tried again as often as the template says, and a failed sweep is not",
			"an event that is tried once", in, "MaximumRetryAttempts: 2\n", "MaximumRetryAttempts: 0\n"},
		{"what failed is tried again as often as the template says, and a failed sweep is not",
			"an event that is soon too old", in, "MaximumEventAgeInSeconds: 21600", "MaximumEventAgeInSeconds: 60"},

		{"a queue holds events back, gathers them, and gives up into the failure queue",
			"a queue without a delay", in, "      DelaySeconds: !Ref ConsistencyDelaySeconds\n", ""},
		{"a queue holds events back, gathers them, and gives up into the failure queue",
			"no delay by default", in, "Default: 120", "Default: 0"},
		{"a queue holds events back, gathers them, and gives up into the failure queue",
			"a delay that SQS does not know", in, "MaxValue: 900", "MaxValue: 3600"},
		{"a queue holds events back, gathers them, and gives up into the failure queue",
			"a visibility timeout without the window", in, "VisibilityTimeout: 390", "VisibilityTimeout: 360"},
		{"a queue holds events back, gathers them, and gives up into the failure queue",
			"a queue that never gives up", in, "      RedrivePolicy: { deadLetterTargetArn: !GetAtt FailureQueue.Arn, maxReceiveCount: 5 }\n", ""},
		{"a queue holds events back, gathers them, and gives up into the failure queue",
			"a queue that gives up at once", in, "maxReceiveCount: 5", "maxReceiveCount: 1"},
		{"a queue holds events back, gathers them, and gives up into the failure queue",
			"batches of one", in, "BatchSize: 100", "BatchSize: 1"},
		{"a queue holds events back, gathers them, and gives up into the failure queue",
			"a window that is shut", in, "MaximumBatchingWindowInSeconds: 30", "MaximumBatchingWindowInSeconds: 0"},
		{"a queue holds events back, gathers them, and gives up into the failure queue",
			"a batch that comes back as a whole", in, "      FunctionResponseTypes: [ReportBatchItemFailures]", "      FunctionResponseTypes: []"},
		{"a queue holds events back, gathers them, and gives up into the failure queue",
			"fewer functions than batches", in, "^([2-9]|[1-9][0-9]+)?$", "^[0-9]*$"},
		{"a queue holds events back, gathers them, and gives up into the failure queue",
			"a queue that nobody reads", in, "      BatchSize: 100\n", "      BatchSize: 100\n      Enabled: false\n"},
		{"a queue holds events back, gathers them, and gives up into the failure queue",
			"messages that are thrown away unread", in, "      BatchSize: 100\n", "      BatchSize: 100\n      FilterCriteria: { Filters: [{ Pattern: '{\"body\": [\"\"]}' }] }\n"},
		{"a queue holds events back, gathers them, and gives up into the failure queue",
			"a queue that forgets before it delivers", in, "      DelaySeconds: !Ref ConsistencyDelaySeconds\n", "      DelaySeconds: !Ref ConsistencyDelaySeconds\n      MessageRetentionPeriod: 60\n"},
		{"a queue holds events back, gathers them, and gives up into the failure queue",
			"batches for the function that sweeps", in, "FunctionName: !Ref PackageOriginsOnEvent\n      BatchSize", "FunctionName: !Ref PackageOriginsSweep\n      BatchSize"},

		{"logs are JSON, forget in time, and outlive the stack",
			"a log that keeps everything", in, "    Properties:\n      RetentionInDays: !Ref LogRetentionDays\n", "    Properties: {}\n"},
		{"logs are JSON, forget in time, and outlive the stack",
			"a level that drops the intents", in, "ApplicationLogLevel: !Ref LogLevel", "ApplicationLogLevel: WARN"},
		{"logs are JSON, forget in time, and outlive the stack",
			"a log that goes with the stack", in, "    DeletionPolicy: Retain\n", "    DeletionPolicy: Delete\n"},

		{"every alarm that is needed exists",
			"an alarm without a threshold of its own", in, "Threshold: !Ref AppliedPerHourAlarm", "Threshold: 0"},
		{"every alarm that is needed exists",
			"silence that is taken for good news", in, "TreatMissingData: breaching", "TreatMissingData: notBreaching"},
		{"every alarm that is needed exists",
			"an alarm that is left out", in, "  ExternalConnectionsLimitExceeded:\n    Type: AWS::CloudWatch::Alarm", "  ExternalConnectionsLimitExceeded:\n    Type: AWS::CloudWatch::CompositeAlarm"},
		{"every alarm that is needed exists",
			"no alarm about a group to restore", in, "  PackageGroupsRestoreNeeded:\n    Type: AWS::CloudWatch::Alarm", "  PackageGroupsRestoreNeeded:\n    Type: AWS::CloudWatch::CompositeAlarm"},
		{"every alarm that is needed exists",
			"an open package that nobody hears of", in, "  PackageOriginsViolations:\n    Type: AWS::CloudWatch::Alarm", "  PackageOriginsViolations:\n    Type: AWS::CloudWatch::CompositeAlarm"},
		{"every alarm that is needed exists",
			"an alarm that does nothing", in, "      TreatMissingData: notBreaching\n", "      TreatMissingData: notBreaching\n      ActionsEnabled: false\n"},
		{"every alarm that is needed exists",
			"an alarm that waits for more", in, "      EvaluationPeriods: 3\n", "      EvaluationPeriods: 3\n      DatapointsToAlarm: 2\n"},
		{"every alarm that is needed exists",
			"a loss that is not counted", in, "MetricName: DestinationDeliveryFailures\n              Dimensions: [{ Name: FunctionName, Value: !Ref ExternalConnectionsSweep", "MetricName: DestinationDeliveryFailures\n              Dimensions: [{ Name: FunctionName, Value: !Ref ExternalConnectionsOnEvent"},
		{"every alarm that is needed exists",
			"a misspelt loss", in, "MetricName: InvocationsFailedToBeSentToDlq", "MetricName: InvocationsFailedToBeSentToDLQ"},
		{"every alarm that is needed exists",
			"losses of which the average counts", in, "            Stat: Sum\n", "            Stat: Average\n"},
		{"every alarm that is needed exists",
			"losses that are multiplied", in, "SUM(METRICS())", "PRODUCT(METRICS())"},
		{"every alarm that is needed exists",
			"a service that is gone, taken for silence", in, "Expression: complete + gone", "Expression: complete"},
		{"every alarm that is needed exists",
			"silence, taken for a service that is gone", in, "EvaluationPeriods: 2\n      ComparisonOperator: LessThanThreshold\n      Threshold: 1\n      TreatMissingData: breaching\n      AlarmActions:\n        - !If [HasAlarmTopic, !Ref AlarmTopicArn, !Ref AWS::NoValue]\n        - !If [HasAlarmEmail, !Ref AlarmTopic, !Ref AWS::NoValue]\n\n  # ---- 4", "EvaluationPeriods: 2\n      ComparisonOperator: LessThanThreshold\n      Threshold: 1\n      TreatMissingData: notBreaching\n      AlarmActions:\n        - !If [HasAlarmTopic, !Ref AlarmTopicArn, !Ref AWS::NoValue]\n        - !If [HasAlarmEmail, !Ref AlarmTopic, !Ref AWS::NoValue]\n\n  # ---- 4"},
		{"every alarm that is needed exists",
			"parts of a sum that are taken in different ways", in, "            Stat: Maximum\n", "            Stat: Minimum\n"},
		{"every alarm that is needed exists",
			"a doubt that outlives its service", in, "      Threshold: 0\n      TreatMissingData: notBreaching\n      AlarmActions:\n        - !If [HasAlarmTopic, !Ref AlarmTopicArn, !Ref AWS::NoValue]\n        - !If [HasAlarmEmail, !Ref AlarmTopic, !Ref AWS::NoValue]\n\n  # A sweep that finds Proton gone writes Gone", "      Threshold: 0\n      TreatMissingData: ignore\n      AlarmActions:\n        - !If [HasAlarmTopic, !Ref AlarmTopicArn, !Ref AWS::NoValue]\n        - !If [HasAlarmEmail, !Ref AlarmTopic, !Ref AWS::NoValue]\n\n  # A sweep that finds Proton gone writes Gone"},
		{"every alarm that is needed exists",
			"an alarm about a service that is gone", in, "  ProtonConnectionsLog:\n", "  ProtonConnectionsGone:\n    Type: AWS::CloudWatch::Alarm\n    Properties: { MetricName: Gone }\n  ProtonConnectionsLog:\n"},

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
		{"alarms and dashboard name metrics that are written",
			"a control that the dashboard leaves out", in, `["Portcullis", "Violations", "Control", "package-origins"]`, `["Portcullis", "Violations", "Control", "package-groups"]`},
		{"alarms and dashboard name metrics that are written",
			"a misspelt metric in a sum", in, "MetricName: Gone", "MetricName: Ended"},
		{"alarms and dashboard name metrics that are written",
			"a dashboard that does not tell that a service is gone", in, `["Portcullis", "Gone", "Control"`, `["Portcullis", "Complete", "Control"`},

		{"what is reported is logged and archived",
			"an archive of another bus", in, "SourceArn: !GetAtt Bus.Arn", "SourceArn: !Ref EventsLog"},
		{"what is reported is logged and archived",
			"a rule for another source", in, "source: [portcullis]", "source: [Portcullis]"},
		{"what is reported is logged and archived",
			"another log", in, "log-group:${EventsLog}\n", "log-group:${ExternalConnectionsLog}\n"},
		{"what is reported is logged and archived",
			"an archive of a part", in, "      RetentionDays: !Ref ArchiveDays\n", "      RetentionDays: !Ref ArchiveDays\n      EventPattern: { source: [nobody] }\n"},
		{"what is reported is logged and archived",
			"an archive that is never emptied", in, "      RetentionDays: !Ref ArchiveDays\n", ""},
		{"what is reported is logged and archived",
			"a rule that sleeps", in, "      Description: Everything that Portcullis reports, into a log.\n", "      Description: Everything that Portcullis reports, into a log.\n      State: DISABLED\n"},

		{"every log can be found by an output",
			"a log without an output", in, "  PackageGroupsLogName:", "  PackageGroupsLogbookName:"},
		{"every log can be found by an output",
			"the log of another control", in, "    Value: !Ref PackageOriginsLog\n", "    Value: !Ref PackageGroupsLog\n"},

		{"every parameter says what it is for",
			"a parameter without a word", in, "    Description: How often everything", "    ConstraintDescription: How often everything"},

		{"sam never builds from its cache, begins with monitor, and asks before it deploys prod",
			"a build from the cache", "samconfig.toml", "[prod.build.parameters]\ncached = false", "[prod.build.parameters]\ncached = true"},
		{"sam never builds from its cache, begins with monitor, and asks before it deploys prod",
			"a setting that is only a comment", "samconfig.toml", "confirm_changeset = true", "# confirm_changeset = true"},
		{"sam never builds from its cache, begins with monitor, and asks before it deploys prod",
			"a first deployment of prod that enforces", "samconfig.toml", "as well.\nparameter_overrides = \"ExternalConnectionsMode=monitor", "as well.\nparameter_overrides = \"ExternalConnectionsMode=enforce"},
		{"sam never builds from its cache, begins with monitor, and asks before it deploys prod",
			"a mode that is left to the default", "samconfig.toml", " PackageGroupsMode=monitor", ""},
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
			i := slices.IndexFunc(checks(), func(c check) bool { return c.sentence == test.sentence })
			if i < 0 {
				t.Fatalf("there is no check %q", test.sentence)
			}
			var found complaints
			if checks()[i].find(p, &found); len(found) == 0 {
				t.Errorf("the check %q did not complain", test.sentence)
			}
		})
		delete(unbroken, test.sentence)
	}
	for sentence := range unbroken {
		t.Errorf("nothing here breaks the check %q", sentence)
	}

	t.Run("a folder that is in no function", func(t *testing.T) {
		p, err := readProject(real, append([]string{"planner"}, realFolders...))
		if err != nil {
			t.Fatal(err)
		}
		var found complaints
		if builtFromFolders(p, &found); len(found) == 0 {
			t.Error("functions/planner was not missed")
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

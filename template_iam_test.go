package portcullis_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"portcullis/internal/cloudformation"
	"portcullis/shared/packagegroup"
	"portcullis/shared/report"
)

// statement is one statement of a role's policy.
type statement struct {
	effect                           string
	actions, resources, notResources []string
	conditions                       map[string]any // by operator
}

func statements(s cloudformation.Stack, role string, c *complaints) []statement {
	var all []statement
	for _, written := range asWritten(s, role) {
		for key := range written.(map[string]any) {
			if !slices.Contains([]string{"Sid", "Effect", "Action", "Resource", "NotResource", "Condition"}, key) {
				c.addf("%s has a statement with %s, which this test cannot judge", role, key)
			}
		}
		all = append(all, readStatement(written))
	}
	return all
}

// asWritten returns the statements of a role's policies as the template has them.
func asWritten(s cloudformation.Stack, role string) []any {
	var all []any
	policies, _ := s.Get(role, "Policies").([]any)
	for _, policy := range policies {
		list, _ := cloudformation.At(policy, "PolicyDocument", "Statement").([]any)
		all = append(all, list...)
	}
	return all
}

func readStatement(written any) statement {
	conditions, _ := cloudformation.At(written, "Condition").(map[string]any)
	return statement{fmt.Sprint(cloudformation.At(written, "Effect")), cloudformation.Strings(cloudformation.At(written, "Action")), cloudformation.Strings(cloudformation.At(written, "Resource")), cloudformation.Strings(cloudformation.At(written, "NotResource")), conditions}
}

// request is one call, as IAM is asked about it.
type request struct {
	action, resource string
	context          map[string][]string // values of condition keys; a key that is missing is not there
}

// The answers of IAM. What is denied, no other policy can allow.
const (
	allowed    = "allowed"
	notAllowed = "not allowed"
	denied     = "denied"
)

// ask answers as IAM would if the role had this policy only:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
func ask(s cloudformation.Stack, role string, r request, c *complaints) string {
	answer := notAllowed
	for _, st := range statements(s, role, c) {
		switch {
		case !st.covers(r, c):
		case st.effect == "Deny":
			return denied
		default:
			answer = allowed
		}
	}
	return answer
}

func (st statement) covers(r request, c *complaints) bool {
	if !match(st.actions, r.action) {
		return false
	}
	inResources := match(st.resources, r.resource)
	if st.notResources != nil {
		inResources = !match(st.notResources, r.resource)
	}
	return inResources && st.holds(r.context, c)
}

// match tells whether one of the patterns matches as in IAM, where a * takes slashes as well. Nothing here uses a ?.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
func match(patterns []string, text string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		first, others, wild := strings.Cut(pattern, "*")
		rest, ok := strings.CutPrefix(text, first)
		if !ok || !wild {
			return ok && rest == ""
		}
		for i := range len(rest) + 1 {
			if match([]string{others}, rest[i:]) {
				return true
			}
		}
		return false
	})
}

// holds tells whether all conditions hold. It knows the operators that are in use:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
func (st statement) holds(context map[string][]string, c *complaints) bool {
	for operator, keys := range st.conditions {
		for key, v := range keys.(map[string]any) {
			has, want := context[key], cloudformation.Strings(v)
			var holds bool
			switch operator {
			case "StringEquals", "ArnEquals": // nothing here has a wildcard
				holds = len(has) == 1 && slices.Contains(want, has[0])
			case "ForAllValues:StringEquals": // also where there are no values
				holds = !slices.ContainsFunc(has, func(s string) bool { return !slices.Contains(want, s) })
			case "ForAnyValue:StringEquals":
				holds = slices.ContainsFunc(has, func(s string) bool { return slices.Contains(want, s) })
			case "ArnNotEquals": // also where there is none
				holds = len(has) != 1 || !slices.Contains(want, has[0])
			case "Null":
				holds = (len(has) == 0) == (want[0] == "true")
			default:
				c.addf("condition operator %s is not known to this test", operator)
			}
			if !holds {
				return false
			}
		}
	}
	return true
}

func methods(service string, api reflect.Type) []string {
	var actions []string
	for i := range api.NumMethod() {
		actions = append(actions, service+":"+api.Method(i).Name)
	}
	return actions
}

// granted returns what a role may do under any condition: the resources, by action.
func granted(s cloudformation.Stack, role string, c *complaints) map[string][]string {
	rights := map[string][]string{}
	for _, st := range statements(s, role, c) {
		if st.effect != "Allow" {
			continue
		}
		if st.resources == nil {
			c.addf("%s has a right that says only where it does not hold", role)
		}
		for _, action := range st.actions {
			rights[action] = append(rights[action], st.resources...)
		}
	}
	return rights
}

func callsAreRights(p project, c *complaints) {
	for _, s := range slices.Concat(p.stacks, p.hubs) {
		for _, k := range controls() {
			want := methods(k.service, k.reader)
			if k.in(s) == "enforce" {
				want = append(want, methods(k.service, k.writer)...)
			}
			var got []string
			for action := range granted(s, k.prefix+"Role", c) {
				if strings.HasPrefix(action, k.service+":") {
					got = append(got, action)
				}
			}
			slices.Sort(want)
			slices.Sort(got)
			c.equal(fmt.Sprintf("what %sRole may call in mode %s", k.prefix, k.in(s)), got, want)
			for _, name := range k.functions(s) {
				c.equal("role of "+name, s.Get(name, "Role"), "<"+k.prefix+"Role.Arn>")
			}
		}
	}
}

// rightsAreExact knows every right there is and the resources that it is needed on. "*" stands only where AWS knows no
// resource for the action:
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscodeartifact.html
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsproton.html
func rightsAreExact(p project, c *complaints) {
	const (
		domains      = "arn:aws:codeartifact:eu-west-1:111122223333:domain/*"
		repositories = "arn:aws:codeartifact:eu-west-1:*:repository/*"
		groups       = "arn:aws:codeartifact:eu-west-1:111122223333:package-group/*"
		connections  = ":environment-account-connection/*"
	)
	calls := map[string]string{
		"codeartifact:ListDomains":                     "*",
		"codeartifact:ListRepositories":                "*",
		"codeartifact:ListRepositoriesInDomain":        domains,
		"codeartifact:ListPackageGroups":               domains,
		"codeartifact:DescribeRepository":              repositories,
		"codeartifact:DisassociateExternalConnection":  repositories,
		"codeartifact:ListAssociatedPackages":          groups,
		"codeartifact:ListTagsForResource":             groups,
		"codeartifact:GetAssociatedPackageGroup":       groups,
		"codeartifact:ListAllowedRepositoriesForGroup": groups,
		"codeartifact:TagResource":                     groups,
		"codeartifact:UntagResource":                   groups,
		"codeartifact:DeletePackageGroup":              groups,
		"proton:ListEnvironmentAccountConnections":     "*",
		"proton:ListEnvironments":                      "*",
		"proton:RejectEnvironmentAccountConnection":    "arn:aws:proton:eu-west-1:*" + connections,
		"proton:DeleteEnvironmentAccountConnection":    "arn:aws:proton:eu-west-1:111122223333" + connections,
	}
	// Those that hold under a condition only. onlyTheMark, rootHolds, onlyThePlannerAsks and onlyTheirRoles ask for them.
	conditional := []string{"codeartifact:TagResource", "codeartifact:UntagResource", "codeartifact:DeletePackageGroup", "events:PutEvents", "sts:AssumeRole"}
	for _, s := range slices.Concat(p.stacks, p.hubs) {
		hasMembers := s.Parameters["ExternalId"] != ""
		roles := []string{"ForwardRole", "PlannerRole", "ScheduleRole"}
		for _, k := range controls() {
			role := k.prefix + "Role"
			roles = append(roles, role)
			want := map[string][]string{
				"logs:CreateLogStream": {"<" + k.prefix + "Log.Arn>"},
				"logs:PutLogEvents":    {"<" + k.prefix + "Log.Arn>"},
				"events:PutEvents":     {"<Bus.Arn>"},
				"sqs:SendMessage":      {"<FailureQueue.Arn>"},
			}
			if k.queue {
				for _, action := range []string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"} {
					want[action] = []string{"<" + k.prefix + "Queue.Arn>"}
				}
			}
			if hasMembers {
				want["sts:AssumeRole"] = []string{"arn:aws:iam::*:role/portcullis-eu-west-1-read"}
				if k.in(s) == "enforce" {
					want["sts:AssumeRole"] = append(want["sts:AssumeRole"], "arn:aws:iam::*:role/portcullis-eu-west-1-"+k.name+"-write")
				}
			}
			got := granted(s, role, c)
			for action := range got {
				if resource, known := calls[action]; known && strings.HasPrefix(action, k.service+":") {
					want[action] = []string{resource}
				}
			}
			c.equal("rights of "+role, got, want)
		}
		c.equal("rights of ScheduleRole", granted(s, "ScheduleRole", c), map[string][]string{
			"lambda:InvokeFunction": {"<Planner.Arn>"}, "sqs:SendMessage": {"<FailureQueue.Arn>"},
		})
		c.equal("rights of ForwardRole", granted(s, "ForwardRole", c), map[string][]string{"events:PutEvents": {"<Bus.Arn>"}})
		planner := map[string][]string{
			"logs:CreateLogStream": {"<PlannerLog.Arn>"}, "logs:PutLogEvents": {"<PlannerLog.Arn>"}, "events:PutEvents": {"<Bus.Arn>"},
			"sqs:SendMessage": {"<FailureQueue.Arn>"}, "logs:FilterLogEvents": {eventsLog, eventsLog + ":*"},
		}
		if s.Parameters["OrganizationId"] != "" {
			planner["organizations:ListAccounts"] = []string{"*"}
		}
		c.equal("rights of PlannerRole", granted(s, "PlannerRole", c), planner)
		c.equal("role of Planner", s.Get("Planner", "Role"), "<PlannerRole.Arn>")
		slices.Sort(roles)
		c.equal("roles", s.Of("AWS::IAM::Role"), roles)
		for _, role := range roles {
			for _, st := range statements(s, role, c) {
				for _, action := range st.actions {
					switch {
					case st.effect == "Deny" && !keptFromHarm(role, action):
						c.addf("%s is denied %s, which it needs", role, action)
					case st.effect == "Allow" && st.conditions != nil && !slices.Contains(conditional, action):
						c.addf("%s may call %s under a condition only", role, action)
					}
				}
			}
		}
	}
	bounded := p.deploy(c, map[string]string{"PermissionsBoundaryArn": "arn:boundary"})
	for _, role := range bounded.Of("AWS::IAM::Role") {
		c.equal("boundary of "+role, bounded.Get(role, "PermissionsBoundary"), "arn:boundary")
	}
}

// onlyThePlannerAsks: whoever may ask for sweeps could ask for them without end.
func onlyThePlannerAsks(p project, c *complaints) {
	reports := []string{report.FindingEvent, report.SummaryEvent, report.OutcomeEvent}
	rounds := []string{plannedEvent, requestEvent, roundEvent}
	for _, s := range slices.Concat(p.stacks, p.hubs) {
		may := map[string][]string{"PlannerRole": rounds}
		for _, k := range controls() {
			may[k.prefix+"Role"] = reports
			if k.writer.NumMethod() == 0 {
				may[k.prefix+"Role"] = reports[:2] // what never acts has no outcome to tell
			}
		}
		for role, own := range may {
			for _, detailType := range slices.Concat(reports, rounds, []string{"AWS API Call via CloudTrail"}) {
				want := notAllowed
				if slices.Contains(own, detailType) {
					want = allowed
				}
				put := func(detailTypes ...string) string {
					return ask(s, role, request{"events:PutEvents", "<Bus.Arn>", map[string][]string{"events:detail-type": detailTypes}}, c)
				}
				c.equal(fmt.Sprintf("putting %q with %s", detailType, role), put(detailType), want)
				c.equal(fmt.Sprintf("putting %q with %s, behind another", detailType, role), put(own[0], detailType), want)
			}
		}
	}
}

// onlyTheirRoles asks about roles of members, of accounts that are none, and of the control next to it.
func onlyTheirRoles(p project, c *complaints) {
	for _, s := range slices.Concat(p.stacks, p.hubs) {
		for _, role := range s.Of("AWS::IAM::Role") {
			assume := func(account, organization, name string) string {
				return ask(s, role, request{"sts:AssumeRole", "arn:aws:iam::" + account + ":role/" + name, map[string][]string{
					"aws:ResourceAccount": {account}, "aws:ResourceOrgID": {organization},
				}}, c)
			}
			of := slices.IndexFunc(controls(), func(k deployed) bool { return k.prefix+"Role" == role })
			read := notAllowed
			if of >= 0 && s.Parameters["ExternalId"] != "" {
				read = allowed
			}
			const theirs = "o-exampleorg1"
			c.equal(role+" assumes what reads in a member", assume(memberAccount, theirs, "portcullis-eu-west-1-read"), read)
			c.equal(role+" assumes what reads for another stack", assume(memberAccount, theirs, "other-eu-west-1-read"), notAllowed)
			c.equal(role+" assumes what reads for another Region", assume(memberAccount, theirs, "portcullis-eu-west-2-read"), notAllowed)
			c.equal(role+" assumes what reads in an account that is no member", assume(otherAccount, "o-anotherone", "portcullis-eu-west-1-read"), notAllowed)
			for i, k := range controls() {
				write := notAllowed
				if i == of && k.in(s) == "enforce" {
					write = read
				}
				name := "portcullis-eu-west-1-" + k.name + "-write"
				c.equal(fmt.Sprintf("%s assumes what writes for %s, which is in mode %s", role, k.name, k.in(s)), assume(memberAccount, theirs, name), write)
				c.equal(role+" assumes what writes in an account that is no member", assume(otherAccount, "o-anotherone", name), notAllowed)
			}
		}
	}
}

// onlyMembersSend evaluates the policy of the bus. What is in the hub's own account needs no leave of it.
func onlyMembersSend(p project, c *complaints) {
	for _, s := range p.stacks {
		c.equal("policies of the bus without members", s.Of("AWS::Events::EventBusPolicy"), []string{"OwnEventsPolicy"})
	}
	for _, s := range slices.Concat(p.stacks, p.hubs) {
		onlyOursTell(s, c)
	}
	for _, s := range p.hubs {
		c.equal("policies of the bus", s.Of("AWS::Events::EventBusPolicy"), []string{"BusPolicy", "OwnEventsPolicy"})
		c.keys("BusPolicy", s.Resources["BusPolicy"].Properties, "EventBusName", "Statement", "StatementId")
		c.equal("bus of BusPolicy", s.Get("BusPolicy", "EventBusName"), "<Bus>")
		written, _ := s.Get("BusPolicy", "Statement").(map[string]any)
		c.keys("statement of BusPolicy", written, "Action", "Condition", "Effect", "Principal", "Resource")
		st := readStatement(written)
		c.equal("effect, actions and resources of BusPolicy", []any{st.effect, st.actions, st.resources}, []any{"Allow", []string{"events:PutEvents"}, []string{"<Bus.Arn>"}})
		may := func(account, organization, by string, sources ...string) bool {
			who := written["Principal"] == "*" || slices.Contains(cloudformation.Strings(cloudformation.At(written["Principal"], "AWS")), account)
			return who && st.holds(map[string][]string{
				"aws:PrincipalOrgID": {organization}, "events:eventBusInvocation": {by}, "events:source": sources,
			}, c)
		}
		const theirs, another = "o-exampleorg1", "o-anotherone"
		for what, is := range map[string]struct{ may, want bool }{
			"a member's rule, CodeArtifact":                 {may(memberAccount, theirs, "true", "aws.codeartifact"), true},
			"a member's rule, Proton":                       {may(memberAccount, theirs, "true", "aws.proton"), true},
			"a member's rule, another source":               {may(memberAccount, theirs, "true", "aws.s3"), false},
			"a member's rule, our own source":               {may(memberAccount, theirs, "true", report.Source), false},
			"a member's rule, our own source behind an AWS": {may(memberAccount, theirs, "true", "aws.proton", report.Source), false},
			"a member's rule, no source":                    {may(memberAccount, theirs, "true"), false},
			"a member, not by a rule":                       {may(memberAccount, theirs, "false", "aws.codeartifact"), false},
			"an account that is no member":                  {may(otherAccount, another, "true", "aws.codeartifact"), false},
			"an account that is in an organization only":    {may(otherAccount, theirs, "true", "aws.codeartifact"), s.Parameters["OrganizationId"] != ""},
			"an account that is in the wrong organization":  {may(memberAccount, another, "true", "aws.codeartifact"), s.Parameters["OrganizationId"] == ""},
		} {
			c.equal("putting on the bus: "+what, is.may, is.want)
		}
	}
}

// onlyOursTell evaluates who may put events that say they come from Portcullis.
func onlyOursTell(s cloudformation.Stack, c *complaints) {
	c.keys("OwnEventsPolicy", s.Resources["OwnEventsPolicy"].Properties, "EventBusName", "Statement", "StatementId")
	c.equal("bus of OwnEventsPolicy", s.Get("OwnEventsPolicy", "EventBusName"), "<Bus>")
	written, _ := s.Get("OwnEventsPolicy", "Statement").(map[string]any)
	c.keys("statement of OwnEventsPolicy", written, "Action", "Condition", "Effect", "Principal", "Resource")
	st := readStatement(written)
	c.equal("effect, actions and resources of OwnEventsPolicy", []any{st.effect, written["Principal"], st.actions, st.resources},
		[]any{"Deny", "*", []string{"events:PutEvents"}, []string{"<Bus.Arn>"}})
	denied := func(principal string, sources ...string) bool {
		context := map[string][]string{"events:source": sources}
		if principal != "" {
			context["aws:PrincipalArn"] = []string{principal}
		}
		return st.holds(context, c)
	}
	for _, name := range s.Of("AWS::IAM::Role") {
		reports := slices.Contains([]string{"PlannerRole", "ExternalConnectionsRole", "PackageGroupsRole", "PackageOriginsRole", "ProtonConnectionsRole"}, name)
		c.equal("putting events of Portcullis is denied to "+name, denied("<"+name+".Arn>", report.Source), !reports)
	}
	const somebody = "arn:aws:iam::111122223333:role/somebody"
	c.equal("putting events of Portcullis is denied to somebody", denied(somebody, report.Source), true)
	c.equal("putting events of Portcullis is denied to somebody, behind another", denied(somebody, "com.example", report.Source), true)
	c.equal("putting events of Portcullis is denied to nobody known", denied("", report.Source), true)
	c.equal("putting other events is denied to ForwardRole", denied("<ForwardRole.Arn>", "aws.codeartifact"), false)
}

func membersAreSaid(p project, c *complaints) {
	for _, test := range []struct {
		what       string
		parameters map[string]string
		taken      bool
	}{
		{"nothing", nil, true},
		{"an organization", organization, true},
		{"listed accounts", listed, true},
		{"both", with(organization, listed), false},
		{"an organization without an external id", with(organization, map[string]string{"ExternalId": ""}), false},
		{"listed accounts without an external id", with(listed, map[string]string{"ExternalId": ""}), false},
	} {
		if _, err := p.template.Deploy(test.parameters); (err == nil) != test.taken {
			c.addf("%s: %v", test.what, err)
		}
	}
	for name, tests := range map[string]map[string]bool{
		"OrganizationId":   {"": true, "o-exampleorg1": true, "o-x": false, "r-exampleorg1": false, "o-exampleorg1,o-exampleorg2": false},
		"MemberAccounts":   {"": true, hubAccount: true, hubAccount + "," + memberAccount: true, hubAccount + ", " + memberAccount: false, "1111": false, "*": false},
		"ExcludedAccounts": {"": true, hubAccount: true, hubAccount + "," + memberAccount: true, hubAccount + ",": false, "*": false},
		"ExternalId":       {"": true, "between-us": true, "x": false, "with space": false, strings.Repeat("x", 129): false},
	} {
		of, _ := cloudformation.At(p.template.Section("Parameters")[name], "AllowedPattern").(string)
		takes := regexp.MustCompile(of)
		for v, want := range tests {
			c.equal(fmt.Sprintf("%s takes %q", name, v), takes.MatchString(v), want)
		}
	}
	c.equal("echo of ExternalId", cloudformation.At(p.template.Section("Parameters")["ExternalId"], "NoEcho"), true)
	c.equal("echo of ExternalId in a member", cloudformation.At(p.member.Section("Parameters")["ExternalId"], "NoEcho"), true)
}

// keptFromHarm tells whether a denial is one that keeps a write from going too far. keepTagsHold and rootHolds ask how far.
func keptFromHarm(role, action string) bool {
	return role == "ExternalConnectionsRole" && action == "codeartifact:DisassociateExternalConnection" ||
		role == "PackageGroupsRole" && action == "codeartifact:DeletePackageGroup"
}

// eventsLog is the ARN of the log of all events.
const eventsLog = "arn:aws:logs:eu-west-1:111122223333:log-group:<EventsLog>"

type object = map[string]any

// onlyTheseMay knows everybody who is let in from outside: to a role by its trust, to anything else by its own policy.
func onlyTheseMay(p project, c *complaints) {
	for _, s := range slices.Concat(p.stacks, p.hubs) {
		// Other kinds of resources may let somebody in as well.
		var kinds []string
		for _, r := range s.Resources {
			if !slices.Contains(kinds, r.Kind) {
				kinds = append(kinds, r.Kind)
			}
		}
		slices.Sort(kinds)
		kinds = slices.DeleteFunc(kinds, func(kind string) bool { return kind == "AWS::Events::EventBusPolicy" }) // onlyMembersSend knows it
		c.equal("kinds of resources", kinds, []string{
			"AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::Events::Archive", "AWS::Events::EventBus", "AWS::Events::Rule", "AWS::IAM::Role",
			"AWS::Lambda::EventInvokeConfig", "AWS::Lambda::EventSourceMapping", "AWS::Lambda::Permission", "AWS::Logs::LogGroup", "AWS::Logs::ResourcePolicy",
			"AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "AWS::Scheduler::Schedule", "AWS::Serverless::Function", "AWS::Serverless::LayerVersion",
		})
		c.keys("the bus", s.Resources["Bus"].Properties, "Description", "Name")
		for _, name := range s.Of("AWS::Serverless::Function") {
			// SAM makes a right to invoke out of several others, and a role out of Policies.
			c.keys(name, s.Resources[name].Properties,
				"Architectures", "CodeUri", "Description", "Environment", "Handler", "Layers", "LoggingConfig", "MemorySize", "Role", "Runtime", "Timeout")
		}
		for _, role := range s.Of("AWS::IAM::Role") {
			who := object{"Effect": "Allow", "Principal": object{"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
			keys := []string{"AssumeRolePolicyDocument", "Description", "Policies"}
			if service, starts := map[string]string{"ForwardRole": "events.amazonaws.com", "ScheduleRole": "scheduler.amazonaws.com"}[role]; starts {
				who["Principal"] = object{"Service": service}
				who["Condition"] = object{"StringEquals": object{"aws:SourceAccount": "111122223333"}}
			} else {
				keys = append(keys, "RoleName") // membersTrust knows the names
			}
			c.equal("who may assume "+role, s.Get(role, "AssumeRolePolicyDocument"), any(object{"Version": "2012-10-17", "Statement": []any{who}}))
			c.keys(role, s.Resources[role].Properties, keys...)
		}
		rulesAreLetIn(s, c)
		logLetsIn(s, c)
	}
	rulesAreLetIn(p.deploy(c, notices), c)
}

// rulesAreLetIn compares the policies of functions and queues with what the rules send where.
func rulesAreLetIn(s cloudformation.Stack, c *complaints) {
	invoked, sent := []any{}, []any{}
	queues := map[string]any{}
	letIn := func(queue string, rules any) {
		queues["<"+queue+">"] = object{"Version": "2012-10-17", "Statement": []any{object{
			"Effect": "Allow", "Principal": object{"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "<" + queue + ".Arn>",
			"Condition": object{"ArnEquals": object{"aws:SourceArn": rules}},
		}}}
	}
	for _, name := range s.Of("AWS::Events::Rule") {
		arn := "<" + name + ".Arn>"
		sent = append(sent, arn)
		to := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(s.Get(name, "Targets", 0, "Arn")), "<"), ".Arn>")
		switch s.Resources[to].Kind {
		case "AWS::Serverless::Function":
			invoked = append(invoked, object{"FunctionName": "<" + to + ">", "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com", "SourceArn": arn})
		case "AWS::SQS::Queue":
			letIn(to, arn)
		}
	}
	letIn("FailureQueue", sent)
	permissions, policies := []any{}, map[string]any{}
	for _, name := range s.Of("AWS::Lambda::Permission") {
		permissions = append(permissions, s.Resources[name].Properties)
	}
	for _, name := range s.Of("AWS::SQS::QueuePolicy") {
		for _, queue := range cloudformation.Strings(s.Get(name, "Queues")) {
			policies[queue] = s.Get(name, "PolicyDocument")
		}
	}
	c.equal("who may invoke which function", permissions, invoked)
	c.equal("who may send to which queue", policies, queues)
	c.equal("policies of queues", len(s.Of("AWS::SQS::QueuePolicy")), len(queues)) // two for one queue would overwrite each other
}

func logLetsIn(s cloudformation.Stack, c *complaints) {
	var policy any
	text, _ := s.Get("EventsMayLog", "PolicyDocument").(string)
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		c.addf("the policy of the log is no JSON: %v", err)
	}
	events := func(action string) object {
		return object{
			"Effect": "Allow", "Principal": object{"Service": []any{"events.amazonaws.com", "delivery.logs.amazonaws.com"}},
			"Action": action, "Resource": eventsLog + ":*",
		}
	}
	put := events("logs:PutLogEvents")
	put["Condition"] = object{"ArnEquals": object{"aws:SourceArn": "<EventsToLog.Arn>"}}
	c.equal("who may write to the log", policy, any(object{"Version": "2012-10-17", "Statement": []any{events("logs:CreateLogStream"), put}}))
	c.equal("policies of logs", len(s.Of("AWS::Logs::ResourcePolicy")), 1)
}

// writing returns the rights of a control's role that are more than reading, by their names. What its code calls a
// reader is not asked.
func writing(k deployed, s cloudformation.Stack, c *complaints) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(granted(s, k.prefix+"Role", c))), func(action string) bool {
		service, operation, _ := strings.Cut(action, ":")
		return service != k.service || slices.ContainsFunc([]string{"List", "Describe", "Get"}, func(verb string) bool { return strings.HasPrefix(operation, verb) })
	})
}

func rolesOnlyRead(p project, c *complaints) {
	for _, s := range p.stacks {
		for _, k := range controls() {
			if k.in(s) != "enforce" {
				c.equal(fmt.Sprintf("writes of %sRole in mode %s", k.prefix, k.in(s)), writing(k, s, c), []string{})
			}
		}
	}
}

// securityIsTold compares the table of SECURITY.md with the roles, not with the code.
func securityIsTold(p project, c *complaints) {
	for _, s := range p.stacks {
		for _, k := range controls() {
			if k.in(s) != k.modes()[len(k.modes())-1] {
				continue
			}
			told := []string{}
			for line := range strings.Lines(p.texts["SECURITY.md"]) {
				if strings.HasPrefix(line, "| "+k.folder+" |") {
					told = append(told, regexp.MustCompile(k.service+`:\w+`).FindAllString(line, -1)...)
				}
			}
			slices.Sort(told)
			c.equal("what SECURITY.md says that "+k.folder+" may write", slices.Compact(told), writing(k, s, c))
		}
	}
}

// groupARN is the ARN of a package group of an account:
// https://docs.aws.amazon.com/codeartifact/latest/ug/auth-and-access-control-permissions-reference.html
func groupARN(account, domain, pattern string) string {
	return "arn:aws:codeartifact:eu-west-1:" + account + ":package-group/" + domain + strings.NewReplacer("%", "%25", "*", "%2a", "$", "%24").Replace(pattern)
}

// unopposed is the answer that a write must get in a stack if nothing stands against it but the mode.
func unopposed(s cloudformation.Stack, mode string) string {
	if s.Parameters[mode] == "enforce" {
		return allowed
	}
	return notAllowed
}

// deletion is a request to delete a package group with the given tags, each with the value x.
func deletion(arn string, tags ...string) request {
	r := request{"codeartifact:DeletePackageGroup", arn, map[string][]string{}}
	for _, tag := range tags {
		r.context["aws:ResourceTag/"+tag] = []string{"x"}
	}
	return r
}

func keepTagsHold(p project, c *complaints) {
	for _, s := range p.stacks {
		for _, owner := range []string{"111122223333", "444455556666"} {
			r := request{"codeartifact:DisassociateExternalConnection", "arn:aws:codeartifact:eu-west-1:" + owner + ":repository/corp/npm", nil}
			c.equal("disconnecting a repository of "+owner, ask(s, "ExternalConnectionsRole", r, c), unopposed(s, "ExternalConnectionsMode"))
			r.context = map[string][]string{"aws:ResourceTag/portcullis:keep": {"true"}}
			c.equal("disconnecting a repository of "+owner+" that is tagged portcullis:keep", ask(s, "ExternalConnectionsRole", r, c), denied)
		}
		for _, pattern := range []string{"/npm/*", "/npm/acme/*", "/nuget//alpha$"} {
			kept := deletion(groupARN("111122223333", "corp", pattern), packagegroup.KeepTag, packagegroup.MarkTag)
			c.equal("deleting "+pattern+", tagged portcullis:keep", ask(s, "PackageGroupsRole", kept, c), denied)
		}
	}
}

func rootHolds(p project, c *complaints) {
	for _, s := range p.stacks {
		for _, domain := range []string{"corp", "dev-1"} {
			root := deletion(groupARN("111122223333", domain, packagegroup.Root), packagegroup.MarkTag)
			c.equal("deleting the root of "+domain, ask(s, "PackageGroupsRole", root, c), denied)
			for _, pattern := range []string{"/npm/*", "/npm/acme/*", "/npm/acme/ui~", "/npm//ui$", "/nuget//alpha$", "/maven/com.acme.~"} {
				arn := groupARN("111122223333", domain, pattern)
				c.equal("deleting "+pattern+" of "+domain, ask(s, "PackageGroupsRole", deletion(arn, packagegroup.MarkTag), c), unopposed(s, "PackageGroupsMode"))
				c.equal("deleting "+pattern+" of "+domain+" without our mark", ask(s, "PackageGroupsRole", deletion(arn), c), notAllowed)
			}
		}
		elsewhere := deletion(groupARN("444455556666", "corp", "/npm/*"), packagegroup.MarkTag)
		c.equal("deleting a group of another account", ask(s, "PackageGroupsRole", elsewhere, c), denied)
	}
}

func onlyTheMark(p project, c *complaints) {
	group := groupARN("111122223333", "corp", "/npm/acme/*")
	for _, s := range p.stacks {
		for _, operation := range []string{"TagResource", "UntagResource"} {
			may := func(resource string, keys ...string) string {
				r := request{"codeartifact:" + operation, resource, map[string][]string{"aws:TagKeys": keys}}
				return ask(s, "PackageGroupsRole", r, c)
			}
			c.equal(operation+" of our mark", may(group, packagegroup.MarkTag), unopposed(s, "PackageGroupsMode"))
			c.equal(operation+" of nothing", may(group), notAllowed)
			c.equal(operation+" of another tag", may(group, packagegroup.KeepTag), notAllowed)
			c.equal(operation+" of our mark and another tag", may(group, packagegroup.MarkTag, "team"), notAllowed)
			c.equal(operation+" on a domain", may("arn:aws:codeartifact:eu-west-1:111122223333:domain/corp", packagegroup.MarkTag), notAllowed)
			c.equal(operation+" on a repository", may("arn:aws:codeartifact:eu-west-1:111122223333:repository/corp/npm", packagegroup.MarkTag), notAllowed)
		}
	}
}

// noTagKeepsConnections asks about both sides: the ARN of a connection holds the account that asked for it, this one or
// another.
func noTagKeepsConnections(p project, c *complaints) {
	for _, s := range p.stacks {
		for _, tags := range []map[string][]string{nil, {"aws:ResourceTag/portcullis:keep": {"true"}}} {
			may := func(operation, account string) string {
				arn := "arn:aws:proton:eu-west-1:" + account + ":environment-account-connection/" + connection
				return ask(s, "ProtonConnectionsRole", request{"proton:" + operation, arn, tags}, c)
			}
			mode := unopposed(s, "ProtonConnectionsMode")
			c.equal("rejecting what another account asked for", may("RejectEnvironmentAccountConnection", "444455556666"), mode)
			c.equal("deleting what this account asked for", may("DeleteEnvironmentAccountConnection", "111122223333"), mode)
			c.equal("deleting what another account asked for", may("DeleteEnvironmentAccountConnection", "444455556666"), notAllowed)
		}
	}
}

package doctor

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"
)

// healthy are the facts of a deployment in which all is well.
func healthy() Facts {
	f := Facts{
		Account: "111122223333", Region: "eu-west-1", Caller: "arn:aws:iam::111122223333:user/somebody", Name: "portcullis-prod",
		Stack: Fact[Stack]{Value: Stack{Status: "UPDATE_COMPLETE", Parameters: map[string]string{
			"ExternalConnectionsMode": "enforce", "PackageGroupsMode": "monitor", "PackageOriginsMode": "monitor", "ProtonConnectionsMode": "monitor",
			"SweepEvery": "1-hour", "AlarmTopicArn": "arn:aws:sns:eu-west-1:111122223333:oncall",
		}}},
		Resources: Fact[map[string]Resource]{Value: map[string]Resource{
			busID: {"portcullis-prod", ""}, logID: {"/aws/events/portcullis-prod", ""}, "Policy1": {"policy:1", layerType},
		}},
		Trails: Fact[[]Trail]{Value: []Trail{{Name: "main", HomeRegion: "eu-west-1", Logging: Fact[bool]{Value: true},
			Selectors: Fact[Selectors]{Value: Selectors{Basic: []Basic{{"All", true, nil}}}}}}},
		Rules: map[string]Fact[Rule]{}, Queues: map[string]Fact[Queue]{}, Functions: map[string]Fact[Function]{}, Roles: map[string]Fact[Role]{},
		Schedules: map[string]Fact[Schedule]{}, Batches: map[string]Fact[Batches]{batchesID: {Value: Batches{"Enabled"}}},
	}
	resource := func(id string) string {
		if r, there := f.Resources.Value[id]; there {
			return r.ID
		}
		f.Resources.Value[id] = Resource{ID: "portcullis-" + id}
		return "portcullis-" + id
	}
	resource(batchesID)
	at := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	over := &Round{ID: "r-1", At: at}
	for _, p := range parts() {
		for _, id := range p.functions {
			resource(id)
			env := map[string]string{"EVENT_BUS": "portcullis-prod", "ENFORCEMENT_MODE": f.Stack.Value.Parameters[p.mode]}
			if id == plannerID {
				env["CONTROLS"] = strings.Join(f.Stack.Value.controls(), ",")
			}
			f.Functions[id] = Fact[Function]{Value: Function{State: "Active", LastUpdate: "Successful", Environment: env, Layers: []string{"policy:1"}}}
		}
		for _, id := range p.queues {
			resource(id)
			f.Queues[id] = Fact[Queue]{}
		}
		for _, r := range p.rules {
			resource(r.id)
			f.Rules[r.id] = Fact[Rule]{Value: Rule{"ENABLED", []string{"arn:aws:any:eu-west-1:111122223333:" + resource(r.target)}}}
		}
		for _, r := range p.roles {
			resource(r.id)
		}
		if p.name != "" {
			over.Controls = append(over.Controls, Swept{Control: p.name, Expected: 1})
		}
	}
	resource(scheduleID)
	for _, p := range parts() {
		if p.name != "" {
			resource(controlRoleOf(p) + "Log")
		}
	}
	resource("PlannerLog")
	f.Bus.Value.Policy = policy(onlyRoles(f))
	for _, p := range parts() {
		for _, r := range p.roles {
			f.Roles[r.id] = Fact[Role]{Value: Role{Document: policy(written(f, r, p.name == "external-connections")...)}}
		}
	}
	f.Schedules[scheduleID] = Fact[Schedule]{Value: Schedule{"ENABLED", "arn:aws:lambda:eu-west-1:111122223333:function:portcullis-Planner"}}
	f.Rounds = Fact[Rounds]{Value: Rounds{Over: over}}
	return f
}

func controlRoleOf(p part) string { return strings.TrimSuffix(p.roles[0].id, "Role") }

func policy(statements ...string) string {
	return `{"Statement":[` + strings.Join(statements, ",") + `]}`
}

func allow(action, resource string) string {
	return fmt.Sprintf(`{"Effect":"Allow","Action":"%s","Resource":"%s"}`, action, resource)
}

// written are the statements that the template gives a role.
func written(f Facts, r role, enforce bool) []string {
	var list []string
	for action, resources := range r.given(f, enforce) {
		for _, on := range resources {
			list = append(list, allow(action, "arn:aws:"+on))
		}
	}
	for sid, action := range r.kept {
		list = append(list, fmt.Sprintf(`{"Sid":"%s","Effect":"Deny","Action":"%s","Resource":"*","Condition":{"Null":{"aws:ResourceTag/x":"false"}}}`, sid, action))
	}
	return list
}

// rewrite gives a role the policy of the template with one thing changed in it, or
// with other statements beside.
func rewrite(f *Facts, id, old, now string, more ...string) {
	set(f.Roles, id, func(r *Role) {
		r.Document = strings.ReplaceAll(r.Document, old, now)
		if more != nil {
			r.Document = strings.TrimSuffix(r.Document, "]}") + "," + strings.Join(more, ",") + "]}"
		}
	})
}

const bus = "arn:aws:events:eu-west-1:111122223333:event-bus/portcullis-prod"

// onlyRoles is the statement of the bus by which only the roles may report.
func onlyRoles(f Facts) string {
	var roles []string
	for _, p := range parts() {
		for _, r := range p.roles {
			if r.reports {
				roles = append(roles, `"arn:aws:iam::111122223333:role/`+f.Resources.Value[r.id].ID+`"`)
			}
		}
	}
	return `{"Sid":"own-events","Effect":"Deny","Principal":"*","Action":"events:PutEvents","Resource":"` + bus + `","Condition":` +
		`{"ForAnyValue:StringEquals":{"events:source":["portcullis"]},"ArnNotEquals":{"aws:PrincipalArn":[` + strings.Join(roles, ",") + `]}}}`
}

// members is the statement of the bus that lets somebody in.
func members(principal, organization string) string {
	if organization != "" {
		organization = `"aws:PrincipalOrgID":"` + organization + `",`
	}
	return `{"Sid":"members","Effect":"Allow","Principal":` + principal + `,"Action":"events:PutEvents","Resource":"` + bus + `","Condition":{"StringEquals":{` +
		organization + `"events:eventBusInvocation":"true"},"ForAllValues:StringEquals":{"events:source":["aws.codeartifact","aws.proton"]},"Null":{"events:source":"false"}}}`
}

func set[T any](facts map[string]Fact[T], id string, change func(*T)) {
	f := facts[id]
	change(&f.Value)
	facts[id] = f
}

func TestOneThingIsBroken(t *testing.T) {
	mode := func(name, value string) func(*Facts) {
		return func(f *Facts) {
			f.Stack.Value.Parameters = maps.Clone(f.Stack.Value.Parameters)
			f.Stack.Value.Parameters[name] = value
		}
	}
	notices := func(f *Facts) {
		const topic = "arn:aws:sns:eu-west-1:111122223333:news"
		mode(noticesTopic, topic)(f)
		for _, r := range told() {
			f.Resources.Value[r.id] = Resource{ID: "portcullis-prod|" + r.id}
			f.Rules[r.id] = Fact[Rule]{Value: Rule{"ENABLED", []string{topic}}}
		}
	}
	// These have members, with the policies of the roles as they are then.
	with := func(name, value string) func(*Facts) {
		return func(f *Facts) {
			mode(name, value)(f)
			for _, p := range parts() {
				for _, r := range p.roles {
					f.Roles[r.id] = Fact[Role]{Value: Role{Document: policy(written(*f, r, p.name == "external-connections")...)}}
				}
			}
		}
	}
	accounts, organization := with("MemberAccounts", "222222222222"), with("OrganizationId", "o-a1b2c3d4e5")
	for _, test := range []struct {
		name   string
		change func(*Facts)
		check  string // that is not well, with what it is about
		state  State
		says   string
	}{
		{"nothing", func(*Facts) {}, "", OK, ""},
		{"there is no stack", func(f *Facts) { f.Stack = Fact[Stack]{Absent: "x"} }, "stack", Failed, "there is no stack portcullis-prod"},
		{"a stack of something else", func(f *Facts) { f.Stack.Value.Parameters = nil }, "stack", Failed, "not a stack of template.yaml"},
		{"a stack whose creation failed", func(f *Facts) { f.Stack.Value.Status = "ROLLBACK_COMPLETE" }, "stack", Failed, "ROLLBACK_COMPLETE"},
		{"a stack that is being changed", func(f *Facts) { f.Stack.Value.Status = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS" }, "stack", Unknown, "being changed"},
		{"what was deployed is not known", func(f *Facts) { f.Resources = Fact[map[string]Resource]{Unread: "denied"} }, "resources", Unknown, "denied"},
		{"CodeArtifact does not answer", func(f *Facts) { f.Domains.Unread = "no such host" }, "codeartifact", Unknown, "no such host"},
		{"Proton does not let one ask", func(f *Facts) { f.Proton.Unread = "denied" }, "proton", Unknown, "denied"},
		{"the bus does not let members in", accounts, "bus Bus", Failed, "lets no member"},
		{"the bus lets one of two members in", func(f *Facts) {
			with("MemberAccounts", "222222222222,444455556666")(f)
			f.Bus.Value.Policy = policy(onlyRoles(*f), members(`{"AWS":["arn:aws:iam::222222222222:root"]}`, ""))
		}, "bus Bus", Failed, "does not let 444455556666 hand over"},
		{"the bus only denies", func(f *Facts) {
			accounts(f)
			f.Bus.Value.Policy = policy(onlyRoles(*f))
		}, "bus Bus", Failed, "lets no member"},
		{"a policy of the bus that is none", func(f *Facts) {
			organization(f)
			f.Bus.Value.Policy = "["
		}, "bus Bus", Unknown, "cannot be understood"},
		{"accounts that may hand over events", func(f *Facts) {
			accounts(f)
			f.Bus.Value.Policy = policy(onlyRoles(*f), members(`{"AWS":"222222222222"}`, ""))
		}, "", OK, ""},
		{"an organization that may hand over events", func(f *Facts) {
			organization(f)
			f.Bus.Value.Policy = strings.ReplaceAll(policy(members(`"*"`, "o-a1b2c3d4e5"), onlyRoles(*f)), "events:PutEvents", "events:putevents")
		}, "", OK, ""},
		{"another organization that may", func(f *Facts) {
			organization(f)
			f.Bus.Value.Policy = policy(members(`"*"`, "o-zzzzzzzzzz"), onlyRoles(*f))
		}, "bus Bus", Failed, "others than members put events on it: *"},
		{"everybody may", func(f *Facts) {
			accounts(f)
			f.Bus.Value.Policy = policy(members(`{"AWS":"*"}`, ""), onlyRoles(*f))
		}, "bus Bus", Failed, "others than members put events on it: *"},
		{"a foreign account may, beside the members", func(f *Facts) {
			accounts(f)
			f.Bus.Value.Policy = policy(members(`{"AWS":["222222222222","arn:aws:iam::999999999999:root"]}`, ""), onlyRoles(*f))
		}, "bus Bus", Failed, "others than members put events on it: 999999999999"},
		{"a foreign account may, although there are no members", func(f *Facts) {
			f.Bus.Value.Policy = policy(members(`{"AWS":"999999999999"}`, ""), onlyRoles(*f))
		}, "bus Bus", Failed, "999999999999"},
		{"members who may put any event", func(f *Facts) {
			accounts(f)
			f.Bus.Value.Policy = policy(`{"Sid":"any","Effect":"Allow","Principal":{"AWS":"222222222222"},"Action":"events:PutEvents","Resource":"`+bus+`"}`, onlyRoles(*f))
		}, "bus Bus", Unknown, "not as the template has them: any"},
		{"members who may do more than put events", func(f *Facts) {
			accounts(f)
			f.Bus.Value.Policy = strings.Replace(policy(members(`{"AWS":"222222222222"}`, ""), onlyRoles(*f)), "events:PutEvents", "events:*", 1)
		}, "bus Bus", Unknown, "members"},
		{"members of another bus", func(f *Facts) {
			accounts(f)
			f.Bus.Value.Policy = strings.Replace(policy(members(`{"AWS":"222222222222"}`, ""), onlyRoles(*f)), "event-bus/portcullis-prod", "event-bus/x", 1)
		}, "bus Bus", Unknown, "members"},
		{"anybody may say that an event is of Portcullis", func(f *Facts) { f.Bus.Value.Policy = "" }, "bus Bus", Failed, "say that they are of Portcullis"},
		{"one more role may say so", func(f *Facts) {
			f.Bus.Value.Policy = strings.Replace(f.Bus.Value.Policy, `"aws:PrincipalArn":[`, `"aws:PrincipalArn":["arn:aws:iam::111122223333:role/x",`, 1)
		}, "bus Bus", Unknown, "own-events"},
		{"one role may not report", func(f *Facts) {
			f.Bus.Value.Policy = strings.Replace(f.Bus.Value.Policy, "portcullis-PlannerRole", "x", 1)
		}, "bus Bus", Unknown, "own-events"},
		{"the bus denies something else", func(f *Facts) {
			f.Bus.Value.Policy = policy(onlyRoles(*f), `{"Sid":"mine","Effect":"Deny","Principal":"*","Action":"events:*","Resource":"*"}`)
		}, "bus Bus", Unknown, "mine"},
		{"a rule on for a control that is off", func(f *Facts) {
			mode("PackageGroupsMode", "off")(f)
			set(f.Functions, plannerID, func(fn *Function) {
				fn.Environment["CONTROLS"] = "external-connections,package-origins,proton-connections"
			})
		}, "rule PackageGroupsSweepRequested", Failed, "although package-groups is off"},
		{"a rule that is also on for reads", func(f *Facts) {
			set(f.Rules, "Forward", func(r *Rule) { r.State = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS" })
		}, "", OK, ""},
		{"a rule with another target beside its own", func(f *Facts) {
			set(f.Rules, "Forward", func(r *Rule) { r.Targets = append([]string{"arn:aws:sns:eu-west-1:111122223333:t"}, r.Targets...) })
		}, "", OK, ""},
		{"a rule with a target that is called a little like its own", func(f *Facts) {
			set(f.Rules, "Forward", func(r *Rule) {
				r.Targets = []string{"arn:aws:events:eu-west-1:111122223333:event-bus/my-portcullis-prod"}
			})
		}, "rule Forward", Failed, "not among its targets"},
		{"a rule that an older template did not have", func(f *Facts) { delete(f.Rules, "Forward") }, "rule Forward", Failed, "another version"},
		{"alarms that ring nobody while something is enforced", mode("AlarmTopicArn", ""), "alarms", Failed, "ring nobody, and things are changed: external-connections is"},
		{"alarms that ring nobody while nothing is", func(f *Facts) {
			mode("AlarmTopicArn", "")(f)
			mode("ExternalConnectionsMode", "monitor")(f)
			f.Functions["ExternalConnectionsOnEvent"].Value.Environment["ENFORCEMENT_MODE"] = "monitor"
			f.Functions["ExternalConnectionsSweep"].Value.Environment["ENFORCEMENT_MODE"] = "monitor"
			f.Roles["ExternalConnectionsRole"] = Fact[Role]{Value: Role{Document: policy(written(*f, parts()[1].roles[0], false)...)}}
		}, "", OK, ""},
		{"alarms that write to somebody", func(f *Facts) {
			mode("AlarmTopicArn", "")(f)
			mode("AlarmEmail", "team@example.com")(f)
			f.Resources.Value[topicID] = Resource{ID: "arn:aws:sns:eu-west-1:111122223333:t"}
		}, "", OK, ""},
		{"alarms that write by a topic that is not there", mode("AlarmEmail", "team@example.com"), "alarms", Failed, "did not deploy the topic"},
		{"notices that are told", notices, "", OK, ""},
		{"notices that go to another topic", func(f *Facts) {
			notices(f)
			set(f.Rules, "OutcomesToTopic", func(r *Rule) { r.Targets = []string{"arn:aws:sns:eu-west-1:111122223333:other-news"} })
		}, "rule OutcomesToTopic", Failed, "arn:aws:sns:eu-west-1:111122223333:news is not among its targets"},
		{"notices that are turned off", func(f *Facts) {
			notices(f)
			set(f.Rules, "ViolationsToTopic", func(r *Rule) { r.State = "DISABLED" })
		}, "rule ViolationsToTopic", Failed, "DISABLED"},
		{"notices that the stack knows nothing of", mode("NoticesTopicArn", "arn:aws:sns:eu-west-1:111122223333:news"), "rule", Failed, "another version"},
		{"a schedule for something else", func(f *Facts) {
			set(f.Schedules, scheduleID, func(s *Schedule) { s.Target = "arn:aws:lambda:eu-west-1:111122223333:function:x" })
		}, "schedule PlannerSchedule", Failed, "does not start the planner"},
		{"messages in the other queue", func(f *Facts) { set(f.Queues, "PackageOriginsQueue", func(q *Queue) { q.Messages = 7 }) }, "", OK, ""},
		{"a queue that is not read from", func(f *Facts) { set(f.Batches, batchesID, func(b *Batches) { b.State = "Disabled" }) },
			"event source mapping " + batchesID, Failed, "wakes nothing"},
		{"concurrency that is reserved", func(f *Facts) {
			set(f.Functions, plannerID, func(fn *Function) { n := 2; fn.Reserved = &n })
		}, "", OK, ""},
		{"an environment that cannot be read", func(f *Facts) { set(f.Functions, plannerID, func(fn *Function) { fn.Environment = nil }) },
			"function Planner", Unknown, "environment could not be read"},
		{"a planner that knows another set of controls", func(f *Facts) {
			set(f.Functions, plannerID, func(fn *Function) { fn.Environment["CONTROLS"] = "package-groups" })
		}, "function Planner", Failed, `CONTROLS is "package-groups"`},
		{"a stack without a layer", func(f *Facts) { delete(f.Resources.Value, "Policy1") }, "function", Failed, "layer"},
		{"a role that may do everything", func(f *Facts) { rewrite(f, "PackageGroupsRole", "", "", allow("*", "*")) },
			"role PackageGroupsRole", Failed, "it may write, although its control does not enforce: *"},
		{"a role that may do all but what is named", func(f *Facts) {
			rewrite(f, "PackageGroupsRole", "", "", `{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}`)
		}, "role PackageGroupsRole", Failed, "it may write"},
		{"a role that may write, by another spelling", func(f *Facts) {
			rewrite(f, "PackageGroupsRole", "", "", allow("CodeArtifact:DeletePackageGroup", "*"))
		}, "role PackageGroupsRole", Failed, "it may write, although its control does not enforce: CodeArtifact:DeletePackageGroup"},
		{"a role that may write, by a wildcard for one letter", func(f *Facts) {
			rewrite(f, "PackageGroupsRole", "", "", allow("codeartifac?:*", "*"))
		}, "role PackageGroupsRole", Failed, "it may write, although its control does not enforce: codeartifac?:*"},
		{"a role that may write to other services", func(f *Facts) {
			rewrite(f, "PackageGroupsRole", "", "", allow("iam:*", "*"), allow("s3:PutObject", "*"))
		}, "role PackageGroupsRole", Failed, "more than the template gives it: iam:*, s3:PutObject"},
		{"a role of no control that may do more", func(f *Facts) { rewrite(f, "ForwardRole", "", "", allow("lambda:InvokeFunction", "*")) },
			"role ForwardRole", Failed, "more than the template gives it: lambda:InvokeFunction"},
		{"a role with another spelling of what it must do", func(f *Facts) { rewrite(f, "PackageGroupsRole", "events:PutEvents", "events:putevents") }, "", OK, ""},
		{"a role whose policy is one statement and no list", func(f *Facts) {
			set(f.Roles, "ForwardRole", func(r *Role) { r.Document = `{"Statement":` + allow("events:PutEvents", bus) + `}` })
		}, "", OK, ""},
		{"a role that may put events on another bus", func(f *Facts) {
			rewrite(f, "PackageGroupsRole", "event-bus/portcullis-prod", "event-bus/default")
		}, "role PackageGroupsRole", Unknown, "on other resources than the template: events:PutEvents"},
		{"a role that may put events on every bus", func(f *Facts) { rewrite(f, "PackageGroupsRole", "", "", allow("events:PutEvents", "*")) },
			"role PackageGroupsRole", Unknown, "on other resources than the template: events:PutEvents"},
		{"a role that may all but on one resource", func(f *Facts) {
			rewrite(f, "ForwardRole", `"Resource":`, `"NotResource":`)
		}, "role ForwardRole", Unknown, "on other resources than the template: events:PutEvents"},
		{"a role that may write in members, although it does not enforce", func(f *Facts) {
			accounts(f)
			f.Bus.Value.Policy = policy(onlyRoles(*f), members(`{"AWS":"222222222222"}`, ""))
			rewrite(f, "PackageGroupsRole", "", "", allow("sts:AssumeRole", "arn:aws:iam::*:role/portcullis-prod-eu-west-1-package-groups-write"))
		}, "role PackageGroupsRole", Unknown, "on other resources than the template: sts:AssumeRole"},
		{"a role that is denied everything", func(f *Facts) {
			rewrite(f, "ForwardRole", "", "", `{"Effect":"Deny","Action":"*","Resource":"*"}`)
		}, "role ForwardRole", Unknown, "also denies it, in some cases or in all: events:PutEvents"},
		{"a role that is denied a write that it does not have", func(f *Facts) {
			rewrite(f, "PackageGroupsRole", "", "", `{"Effect":"Deny","Action":"codeartifact:DeleteRepository","Resource":"*"}`)
		}, "", OK, ""},
		{"a role that no tag keeps from anything", func(f *Facts) {
			rewrite(f, "ExternalConnectionsRole", `"Sid":"Keep","Effect":"Deny"`, `"Effect":"Deny"`)
		},
			"role ExternalConnectionsRole", Failed, "keeps something from it: Keep"},
		{"a role that everything keeps from its write", func(f *Facts) {
			rewrite(f, "ExternalConnectionsRole", `,"Condition":{"Null":{"aws:ResourceTag/x":"false"}}`, "")
		},
			"role ExternalConnectionsRole", Failed, "keeps something from it: Keep"},
		{"a policy with an element that nobody knows", func(f *Facts) { rewrite(f, "ExternalConnectionsRole", `"Condition":`, `"Remark":`) },
			"role ExternalConnectionsRole", Unknown, `a statement has "Remark" in it`},
		{"a policy with a condition in other letters", func(f *Facts) { rewrite(f, "ExternalConnectionsRole", `"Condition":`, `"condition":`) },
			"role ExternalConnectionsRole", Unknown, `a statement has "condition" in it`},
		{"a policy with a condition twice", func(f *Facts) {
			rewrite(f, "ExternalConnectionsRole", `"Condition":{`, `"Condition":{"null":{"AWS:resourcetag/x":"true"},`)
		},
			"role ExternalConnectionsRole", Unknown, "a condition is there twice"},
		{"a policy with an action that is no text", func(f *Facts) { rewrite(f, "ForwardRole", `"Action":"`, `"Action":{"x":0},"Sid":"`) },
			"role ForwardRole", Unknown, "neither a text nor a list of texts"},
		{"a policy with a name that is no text", func(f *Facts) { rewrite(f, "ForwardRole", `"Effect":`, `"Sid":["Forward"],"Effect":`) },
			"role ForwardRole", Unknown, "a Sid is no text"},
		{"a policy without a statement", func(f *Facts) { set(f.Roles, "ForwardRole", func(r *Role) { r.Document = `{"Statement":null}` }) },
			"role ForwardRole", Unknown, "no statement"},
		{"a policy that says more than statements", func(f *Facts) {
			set(f.Roles, "ForwardRole", func(r *Role) { r.Document = strings.Replace(r.Document, "{", `{"statement":[],`, 1) })
		},
			"role ForwardRole", Unknown, `it has "statement" in it`},
		{"a policy with a statement that says nothing", func(f *Facts) { rewrite(f, "ForwardRole", `"Effect":"Allow"`, `"Effect":"Perhaps"`) },
			"role ForwardRole", Unknown, "neither allows nor denies"},
		{"a role that may write too much while it enforces", func(f *Facts) {
			rewrite(f, "ExternalConnectionsRole", "", "", allow("codeartifact:DeleteRepository", "*"))
		}, "role ExternalConnectionsRole", Failed, "more than the template gives it: codeartifact:DeleteRepository"},
		{"a role that may not write while it enforces", func(f *Facts) {
			rewrite(f, "ExternalConnectionsRole", `"Allow","Action":"codeartifact:DisassociateExternalConnection"`, `"Allow","Action":"codeartifact:ListDomains"`)
		}, "role ExternalConnectionsRole", Failed, "may not do what it must: codeartifact:DisassociateExternalConnection"},
		{"a role that may not read", func(f *Facts) {
			rewrite(f, "PackageOriginsRole", "codeartifact:ListDomains", "codeartifact:GetAssociatedPackageGroup")
		}, "role PackageOriginsRole", Failed, "may not do what it must: codeartifact:ListDomains"},
		{"a role without its policy", func(f *Facts) { set(f.Roles, "PlannerRole", func(r *Role) { r.Document = "" }) }, "role PlannerRole", Failed, "policy planner"},
		{"a policy that is none", func(f *Facts) { set(f.Roles, "PlannerRole", func(r *Role) { r.Document = "[" }) }, "role PlannerRole", Unknown, "cannot be understood"},
		{"accounts that could not be listed", func(f *Facts) { f.Rounds.Value.Over.Unknown = "denied" }, "round", Failed, "denied"},
		{"an account that was not read to the end", func(f *Facts) { f.Rounds.Value.Over.Controls[0].Incomplete = []string{"222222222222"} },
			"round external-connections", Failed, "not everything could be read in 222222222222"},
		{"a service that is gone", func(f *Facts) { f.Rounds.Value.Over.Controls[3].Gone = 1 }, "", OK, ""},
		{"a control that was off in the last round", func(f *Facts) { f.Rounds.Value.Over.Controls = f.Rounds.Value.Over.Controls[1:] },
			"round external-connections", Unknown, "not part of that round"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := healthy()
			test.change(&f)
			var bad []Check
			checks := Judge(f)
			for _, c := range checks {
				if c.State == Failed || c.State == Unknown {
					bad = append(bad, c)
				}
				if c.State == Failed && c.Do == "" {
					t.Errorf("%s %s does not say what to do", c.Name, c.Subject)
				}
			}
			if Worst(checks) != test.state {
				t.Errorf("the worst is %s: %+v", Worst(checks), bad)
			}
			if test.check == "" {
				return
			}
			for _, c := range bad {
				if what := strings.TrimSpace(c.Name + " " + c.Subject); c.State != test.state || !strings.HasPrefix(what, test.check) || !strings.Contains(c.Found, test.says) {
					t.Errorf("%s is %s: %s", what, c.State, c.Found)
				}
			}
		})
	}
}

// Whom alarms ring is known to SNS, so what is said of it says that too.
func TestWhatIsSaidOfAlarms(t *testing.T) {
	f := healthy()
	f.Resources.Value[topicID] = Resource{ID: "t"}
	for _, test := range []struct {
		topic, address, mode string
		state                State
		says                 []string
	}{
		{"arn:t", "", "enforce", OK, []string{"ring arn:t;", "who has subscribed, is not seen from here"}},
		{"", "a@b", "enforce", OK, []string{"write to a@b, once it has confirmed the subscription, which is not seen from here"}},
		{"arn:t", "a@b", "monitor", OK, []string{"ring arn:t;", "write to a@b"}},
		{"", "", "enforce", Failed, []string{"ring nobody", "external-connections is in mode enforce"}},
		{"", "", "monitor", NotNeeded, []string{"ring nobody", "no control is in mode enforce"}},
	} {
		p := f.Stack.Value.Parameters
		p["AlarmTopicArn"], p["AlarmEmail"], p["ExternalConnectionsMode"] = test.topic, test.address, test.mode
		got := judgeAlarms(f)
		if got.State != test.state || (got.Do == "") != (got.State != Failed) {
			t.Errorf("%+v: %+v", test, got)
		}
		for _, words := range test.says {
			if !strings.Contains(got.Found, words) {
				t.Errorf("%+v does not say %q: %+v", test, words, got)
			}
		}
	}
}

func TestWhatATrailLogs(t *testing.T) {
	const source = "codeartifact.amazonaws.com"
	advanced := func(fields ...Field) Selectors {
		return Selectors{Advanced: [][]Field{{{Name: "eventCategory", Equals: []string{"Data"}}}, append([]Field{{Name: "eventCategory", Equals: []string{"Management"}}}, fields...)}}
	}
	for _, test := range []struct {
		name       string
		selectors  Selectors
		yes, known bool
	}{
		{"all", Selectors{Basic: []Basic{{"All", true, nil}}}, true, true},
		{"writes only", Selectors{Basic: []Basic{{"WriteOnly", true, []string{"kms.amazonaws.com", "rdsdata.amazonaws.com"}}}}, true, true},
		{"reads only", Selectors{Basic: []Basic{{"ReadOnly", true, nil}}}, false, true},
		{"data only", Selectors{Basic: []Basic{{"All", false, nil}}}, false, true},
		{"all but this service", Selectors{Basic: []Basic{{"All", true, []string{source}}}}, false, true},
		{"reads and, apart from them, writes", Selectors{Basic: []Basic{{"ReadOnly", true, nil}, {"WriteOnly", true, nil}}}, true, true},
		{"nothing", Selectors{}, false, true},
		{"management events", advanced(), true, true},
		{"writes", advanced(Field{Name: "readOnly", Equals: []string{"false"}}), true, true},
		{"reads", advanced(Field{Name: "readOnly", Equals: []string{"true"}}), false, true},
		{"what is not a read", advanced(Field{Name: "readOnly", NotEquals: []string{"true"}}), true, true},
		{"another service", advanced(Field{Name: "eventSource", Equals: []string{"s3.amazonaws.com"}}), false, true},
		{"this service among others", advanced(Field{Name: "eventSource", Equals: []string{"s3.amazonaws.com", source}}), true, true},
		{"all but another service", advanced(Field{Name: "eventSource", NotEquals: []string{"kms.amazonaws.com"}}), true, true},
		{"what begins like it", advanced(Field{Name: "eventSource", StartsWith: []string{"code"}}), true, true},
		{"what does not begin like it", advanced(Field{Name: "eventSource", NotStartsWith: []string{"code"}}), false, true},
		{"what ends like it", advanced(Field{Name: "eventSource", EndsWith: []string{".amazonaws.com"}}), true, true},
		{"what does not end like it", advanced(Field{Name: "eventSource", NotEndsWith: []string{".com"}}), false, true},
		{"what somebody did", advanced(Field{Name: "userIdentity.arn", Equals: []string{"x"}}), false, false},
		{"reads that somebody did", advanced(Field{Name: "userIdentity.arn", Equals: []string{"x"}}, Field{Name: "readOnly", Equals: []string{"true"}}), false, true},
	} {
		if yes, known := test.selectors.logs(source); yes != test.yes || known != test.known {
			t.Errorf("%s: %t, known %t", test.name, yes, known)
		}
	}
}

func TestOneTrailIsEnough(t *testing.T) {
	trail := func(change func(*Trail)) Trail {
		out := Trail{Name: "main", HomeRegion: "eu-west-1", Logging: Fact[bool]{Value: true},
			Selectors: Fact[Selectors]{Value: Selectors{Basic: []Basic{{"All", true, nil}}}}}
		change(&out)
		return out
	}
	good := trail(func(*Trail) {})
	far := trail(func(t *Trail) { t.HomeRegion = "us-east-1" })
	shadow := trail(func(t *Trail) { t.HomeRegion, t.MultiRegion = "us-east-1", true })
	still := trail(func(t *Trail) { t.Logging.Value = false })
	hidden := trail(func(t *Trail) { t.Selectors = Fact[Selectors]{Unread: "denied"} })
	gone := trail(func(t *Trail) { t.Logging = Fact[bool]{Absent: "gone"} })
	odd := trail(func(t *Trail) {
		t.Selectors.Value = Selectors{Advanced: [][]Field{{{Name: "eventName", Equals: []string{"x"}}}}}
	})
	for _, test := range []struct {
		name   string
		trails Fact[[]Trail]
		mode   string
		want   State
	}{
		{"none", Fact[[]Trail]{}, "monitor", Failed},
		{"none that is needed", Fact[[]Trail]{}, "off", NotNeeded},
		{"one", Fact[[]Trail]{Value: []Trail{good}}, "monitor", OK},
		{"one of another Region", Fact[[]Trail]{Value: []Trail{far}}, "monitor", Failed},
		{"one of all Regions", Fact[[]Trail]{Value: []Trail{shadow}}, "monitor", OK},
		{"one that stands still", Fact[[]Trail]{Value: []Trail{still}}, "monitor", Failed},
		{"one of which it is not known", Fact[[]Trail]{Value: []Trail{still, hidden}}, "monitor", Unknown},
		{"one that went while it was looked at", Fact[[]Trail]{Value: []Trail{gone}}, "monitor", Unknown},
		{"one that chooses by name", Fact[[]Trail]{Value: []Trail{odd}}, "monitor", Unknown},
		{"a good one behind others", Fact[[]Trail]{Value: []Trail{hidden, still, far, good}}, "monitor", OK},
		{"that could not be read", Fact[[]Trail]{Unread: "denied"}, "monitor", Unknown},
	} {
		s := Stack{Parameters: map[string]string{}}
		for _, p := range parts() {
			s.Parameters[p.mode] = test.mode
		}
		if got := judgeTrails(test.trails, "eu-west-1", s); got.State != test.want {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
}

package doctor

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/internal/cloudformation"
)

func template(t *testing.T) cloudformation.Template {
	t.Helper()
	text, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := cloudformation.Read(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func deploymentOf(t *testing.T, mode string) cloudformation.Stack {
	t.Helper()
	return deploymentWith(t, mode, map[string]string{"MemberAccounts": "222222222222", "ExternalId": "secret"})
}

func deploymentWith(t *testing.T, mode string, parameters map[string]string) cloudformation.Stack {
	t.Helper()
	for _, p := range parts() {
		if p.mode != "" && (mode != "enforce" || p.name != "package-origins") {
			parameters[p.mode] = mode
		}
	}
	s, err := template(t).Deploy(parameters)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What the template deploys and nobody looks at could be missing without a word.
func TestThePartsAreThoseOfTheTemplate(t *testing.T) {
	s := deploymentOf(t, "monitor")
	var functions, queues, roles, rules []string
	for _, p := range parts() {
		functions, queues = append(functions, p.functions...), append(queues, p.queues...)
		for _, r := range p.roles {
			roles = append(roles, r.id)
			if got := s.Get(r.id, "Policies", 0, "PolicyName"); got != r.policy {
				t.Errorf("the policy of %s is %v, not %s", r.id, got, r.policy)
			}
		}
		for _, r := range p.rules {
			rules = append(rules, r.id)
			if onDefault := s.Get(r.id, "EventBusName") == nil; onDefault != r.onDefault {
				t.Errorf("%s is on the default bus: %t", r.id, onDefault)
			}
			if target := fmt.Sprint(s.Get(r.id, "Targets", 0, "Arn")); target != "<"+r.target+".Arn>" && !strings.HasSuffix(target, ":<"+r.target+">") {
				t.Errorf("the target of %s is %s, not %s", r.id, target, r.target)
			}
		}
	}
	for kind, want := range map[string][]string{
		"AWS::Serverless::Function": functions, "AWS::SQS::Queue": queues, "AWS::IAM::Role": roles, "AWS::Events::Rule": rules,
		"AWS::Events::EventBus": {busID}, "AWS::Scheduler::Schedule": {scheduleID}, "AWS::Lambda::EventSourceMapping": {batchesID},
		"AWS::Serverless::LayerVersion": {"Policy"},
	} {
		slices.Sort(want)
		if diff := cmp.Diff(want, s.Of(kind)); diff != "" {
			t.Errorf("%s (-looked at +deployed):\n%s", kind, diff)
		}
	}
	topic := "arn:aws:sns:eu-west-1:111122223333:news"
	with := deploymentWith(t, "monitor", map[string]string{noticesTopic: topic, "AlarmEmail": "team@example.com"})
	for _, r := range told() {
		rules = append(rules, r.id)
		if got := with.Get(r.id, "Targets", 0, "Arn"); got != topic || with.Get(r.id, "EventBusName") == nil {
			t.Errorf("%s tells %v, or is on the default bus", r.id, got)
		}
	}
	slices.Sort(rules)
	if diff := cmp.Diff(rules, with.Of("AWS::Events::Rule")); diff != "" {
		t.Errorf("rules with a topic (-looked at +deployed):\n%s", diff)
	}
	if with.Resources[topicID].Kind != "AWS::SNS::Topic" {
		t.Errorf("%s is no topic", topicID)
	}
	if s.Resources[logID].Kind != "AWS::Logs::LogGroup" {
		t.Errorf("%s is no log group", logID)
	}
}

func TestTheIntervalsAreThoseOfTheTemplate(t *testing.T) {
	got := map[string]time.Duration{}
	mapping, _ := cloudformation.At(template(t).Section("Mappings"), "Sweep").(map[string]any)
	for name, m := range mapping {
		seconds, _ := cloudformation.At(m, "Seconds").(int)
		got[name] = time.Duration(seconds) * time.Second
	}
	if diff := cmp.Diff(intervals, got); diff != "" {
		t.Errorf("intervals (-known +deployed):\n%s", diff)
	}
}

// The policies are well as the template makes them, in each mode, and in no other.
func TestThePoliciesOfTheTemplateAreWell(t *testing.T) {
	for _, mode := range []string{"off", "monitor", "enforce"} {
		for _, members := range []string{"", "MemberAccounts", "OrganizationId"} {
			parameters := map[string]string{"ExternalId": "secret", members: map[string]string{
				"MemberAccounts": "222222222222,444455556666", "OrganizationId": "o-a1b2c3d4e5",
			}[members]}
			s := deploymentWith(t, mode, parameters)
			f := Facts{Account: "111122223333", Region: "eu-west-1", Name: "portcullis", Stack: Fact[Stack]{Value: Stack{Parameters: parameters}}}
			f.Resources.Value = map[string]Resource{}
			for id := range s.Resources {
				f.Resources.Value[id] = Resource{ID: id}
			}
			where := fmt.Sprintf("in mode %s with %s", mode, members)
			var statements []any
			for _, id := range s.Of("AWS::Events::EventBusPolicy") {
				statements = append(statements, s.Get(id, "Statement"))
			}
			if got := (Bus{asAWSHasIt(t, map[string]any{"Statement": statements})}).judge(f); got.state != OK {
				t.Errorf("the bus %s: %+v", where, got)
			}
			for _, p := range parts() {
				for _, r := range p.roles {
					is := Role{Document: asAWSHasIt(t, s.Get(r.id, "Policies", 0, "PolicyDocument"))}
					enforce := mode == "enforce" && p.name != "package-origins"
					if got := is.judge(f, r, enforce); got.state != OK {
						t.Errorf("%s %s: %+v", r.id, where, got)
					}
					if got := is.judge(f, r, !enforce); r.enforces() && got.state != Failed {
						t.Errorf("%s %s, taken for another: %+v", r.id, where, got)
					}
				}
			}
		}
	}
}

// asAWSHasIt is a policy of the template with ARNs in it.
func asAWSHasIt(t *testing.T, policy any) string {
	t.Helper()
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(policy); err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`<(\w+)\.Arn>`).ReplaceAllStringFunc(strings.NewReplacer("<EventsLog>", "EventsLog").Replace(b.String()), func(placeholder string) string {
		id := strings.TrimSuffix(placeholder[1:], ".Arn>")
		switch {
		case id == busID:
			return "arn:aws:events:eu-west-1:111122223333:event-bus/" + id
		case id == plannerID:
			return "arn:aws:lambda:eu-west-1:111122223333:function:" + id
		case strings.HasSuffix(id, "Queue"):
			return "arn:aws:sqs:eu-west-1:111122223333:" + id
		case strings.HasSuffix(id, "Role"):
			return "arn:aws:iam::111122223333:role/" + id
		default:
			return "arn:aws:logs:eu-west-1:111122223333:log-group:" + id + ":*"
		}
	})
}

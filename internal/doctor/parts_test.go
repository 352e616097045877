package doctor

import (
	"encoding/json"
	"fmt"
	"os"
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
	parameters := map[string]string{"MemberAccounts": "222222222222", "ExternalId": "secret"}
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

// The roles are well as the template makes them, in each mode, and in no other.
func TestTheRolesOfTheTemplateAreWell(t *testing.T) {
	for _, mode := range []string{"off", "monitor", "enforce"} {
		s := deploymentOf(t, mode)
		for _, p := range parts() {
			for _, r := range p.roles {
				document, err := json.Marshal(s.Get(r.id, "Policies", 0, "PolicyDocument"))
				if err != nil {
					t.Fatal(err)
				}
				enforce := mode == "enforce" && p.name != "package-origins"
				if got := (Role{Document: string(document)}).judge(r, enforce); got.state != OK {
					t.Errorf("%s in mode %s: %+v", r.id, mode, got)
				}
				if got := (Role{Document: string(document)}).judge(r, !enforce); r.enforced != nil && got.state != Failed {
					t.Errorf("%s in mode %s, taken for another: %+v", r.id, mode, got)
				}
			}
		}
	}
}

package main

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"portcullis/internal/cloudformation"
	"portcullis/internal/undo"
	"portcullis/shared/localaws"
)

// onPage returns the policies in docs/cli.md, by what they are for, each as its
// statements.
func onPage(t *testing.T) map[string][]any {
	t.Helper()
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]any{}
	for _, block := range regexp.MustCompile("(?s)```json rights=([a-z]+)\n(.*?)```").FindAllStringSubmatch(string(data), -1) {
		var document struct{ Statement []any }
		if err := json.Unmarshal([]byte(block[2]), &document); err != nil {
			t.Fatalf("rights of %s: %v", block[1], err)
		}
		found[block[1]] = document.Statement
	}
	return found
}

// actions are those that statements allow.
func actions(statements []any) map[string]bool {
	all := map[string]bool{}
	for _, s := range statements {
		if cloudformation.At(s, "Effect") == "Allow" {
			for _, action := range cloudformation.Strings(cloudformation.At(s, "Action")) {
				all[action] = true
			}
		}
	}
	return all
}

// Whoever pastes a policy from the page has the rights of the roles of a member, which
// other tests hold to the calls of the controls: in every Region and account, as the
// page does not know which, and without the names of the statements.
func TestThePageListsTheRightsOfTheRoles(t *testing.T) {
	text, err := os.ReadFile("../../member.yaml")
	if err != nil {
		t.Fatal(err)
	}
	template, err := cloudformation.Read(string(text))
	if err != nil {
		t.Fatal(err)
	}
	stack, err := template.Deploy(map[string]string{
		"HubAccountId": "444455556666", "ExternalId": "0123456789abcdef", "HubStackName": "portcullis",
		"ExternalConnectionsMode": "enforce", "PackageGroupsMode": "enforce", "ProtonConnectionsMode": "enforce",
	})
	if err != nil {
		t.Fatal(err)
	}
	of := func(roles ...string) (all []any) {
		for _, role := range roles {
			policies, _ := stack.Get(role, "Policies").([]any)
			for _, policy := range policies {
				statements, _ := cloudformation.At(policy, "PolicyDocument", "Statement").([]any)
				for _, s := range statements {
					s := maps.Clone(s.(map[string]any))
					delete(s, "Sid")
					all = append(all, s)
				}
			}
		}
		written, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		anywhere := regexp.MustCompile(`arn:aws:([a-z]+):[a-z0-9-]+:(?:[0-9]{12}|\*):`).ReplaceAll(written, []byte("arn:aws:$1:*:*:"))
		all = nil
		if err := json.Unmarshal(anywhere, &all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	got := onPage(t)
	for name, want := range map[string][]any{
		"read":  of("ReadRole"),
		"apply": of("ExternalConnectionsWriteRole", "PackageGroupsWriteRole", "ProtonConnectionsWriteRole"),
	} {
		if diff := cmp.Diff(want, got[name]); diff != "" || len(want) == 0 {
			t.Errorf("rights of %s in docs/cli.md (-roles of member.yaml +page):\n%s", name, diff)
		}
	}

	// That it reads no more than these, the scripts show: see within.
	want := map[string]bool{"codeartifact:DescribeRepository": true, "codeartifact:DescribePackageGroup": true, "codeartifact:ListTagsForResource": true,
		"codeartifact:TagResource": true} // for the tags that CreatePackageGroup takes
	api := reflect.TypeFor[undo.Writer]()
	for i := range api.NumMethod() {
		want["codeartifact:"+api.Method(i).Name] = true
	}
	if diff := cmp.Diff(want, actions(got["undo"])); diff != "" {
		t.Errorf("rights of undo in docs/cli.md (-calls +page):\n%s", diff)
	}
}

// within complains of calls that the rights on the page do not allow to a command. A
// command that needs none of these rights, or has rights of its own, is passed over.
func within(ts *testscript.TestScript, args []string, calls []localaws.Call) {
	of := map[string][]string{"plan": {"read"}, "explain": {"read"}, "apply": {"read", "apply"}, "undo": {"undo"}}
	if len(args) == 0 || of[args[0]] == nil {
		return
	}
	rights, may := onPage(ts.Value(whole{}).(*testing.T)), map[string]bool{}
	for _, name := range of[args[0]] {
		maps.Copy(may, actions(rights[name]))
	}
	for _, c := range calls {
		if action := c.Service + ":" + c.Operation; !may[action] {
			ts.Fatalf("%s calls %s, which the rights in docs/cli.md do not allow to it", args[0], action)
		}
	}
}

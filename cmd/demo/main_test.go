package main

import (
	"io/fs"
	"os"
	"strings"
	"testing"
)

func TestEverySceneGoesAsItShould(t *testing.T) {
	watch(t)
	var out strings.Builder
	ok, err := play(t.Context(), &out, false)
	t.Log("\n" + out.String())
	if err != nil || !ok {
		t.Fatalf("ok %t, error %v", ok, err)
	}
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, says := range []string{
		`outcome applied corp/web-frontend: AWS accepted the call, and a look after it confirmed the effect undo AssociateExternalConnection {"domain":"corp",`,
		"the rule woke the function for AssociateExternalConnection",
		"limit exceeded: the plan has 5 writes",
		"kept /npm/acme/* in domain corp is kept: it sets EXTERNAL_UPSTREAM to BLOCK itself",
		"kept /maven/com.acme~ in domain corp is kept: while it exists, look-alikes of `com.acme` are blocked",
		"server TagResource corp/nuget/*",
		"server UntagResource corp/pypi/*",
		"server DeletePackageGroup corp/nuget/*",
		`outcome restore-needed corp/pypi/*: what was deleted is not what was decided on: PUBLISH was "BLOCK" undo CreatePackageGroup {`,
		"finding violation: pkg:npm/%40acme/ui in domain corp resolves to /*",
		"EXTERNAL_UPSTREAM must be BLOCK, but is ALLOW, set on /*",
		"these environments use it and must go first: trial-blue, trial-green server no write",
		"server RejectEnvironmentAccountConnection 00000000-",
		"3 came to 111122223333; the rules woke the function for PENDING",
		"for environment shop-blue is PENDING: proton_connections.approve[0] approves it",
		"server DeleteEnvironmentAccountConnection 00000000-",
		"finding undetermined: AWS Proton is retired; AWS ended it on 2026-10-07:",
		"AccessDeniedException: AWS Proton no longer accepts new customers. server no write metrics Gone is 1; Undetermined, for which an alarm rings, is among them: false",
		"finding undetermined: AWS Proton is unreachable; AWS ended it on 2026-10-07:",
		"planner asks for 16 sweeps, one of each control in each account; 16 report",
		"222233334444 4/2 1/0 0/0 gone read",
		"tells of this one: complete true, external-connections 27/5, package-groups 7/1, package-origins 1/1, proton-connections gone in 4",
		"333344445555 leaves it to the sweep of its owner",
		"withheld in 333344445555, data/notebooks: the role that may write in account 333344445555 could not be assumed: the account's own mode",
		"shop/checkout public:npmjs, in 222233334444 by external-connections-write",
		"woken for AssociateExternalConnection in 222233334444",
		"1 handed over, 0 let in",
		"is not authorized to perform: events:PutEvents",
		"finding undetermined: account 555566667777 could not be entered: if the account is a member, deploy member.yaml in it",
		"complete false, 4 of 4 swept, incomplete 555566667777",
		"All as expected.",
	} {
		if !strings.Contains(text, says) {
			t.Errorf("it does not say: %s", says)
		}
	}
	for line := range strings.Lines(out.String()) {
		if data := strings.HasPrefix(line, "   undo "); len(line) > width+1 && !data {
			t.Errorf("%d characters, and no data: %s", len(line), line)
		}
	}
}

func TestOneSceneThatGoesWrongIsSaid(t *testing.T) {
	var out strings.Builder
	if table(&out, []row{{scene: "first", ok: true}, {scene: "second"}, {scene: "third", ok: true}}) {
		t.Error("all is well")
	}
	if text := out.String(); strings.Count(text, "NOT SO") != 1 || !strings.Contains(text, "this is a bug in Portcullis") {
		t.Errorf("it says:\n%s", text)
	}
}

// watch looks at every source that the functions may be built from. The build is
// made by another process, so without this go test would not know that the result
// depends on them, and would answer from its cache after they have changed.
func watch(t *testing.T) {
	t.Helper()
	for _, folder := range []string{"../../functions", "../../shared"} {
		err := fs.WalkDir(os.DirFS(folder), ".", func(_ string, _ fs.DirEntry, err error) error { return err })
		if err != nil {
			t.Fatal(err)
		}
	}
}

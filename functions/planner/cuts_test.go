package main_test

import (
	"testing"

	"portcullis/internal/endtoend"
)

// The answers with the credentials of the two roles of a member are cut at every byte.
// Nothing is written there on any of them; on whole ones, the violation is removed.
func TestNoPlaceToCutTheWayInLeadsToAWrite(t *testing.T) {
	t.Parallel()
	const asked = `{"source":"portcullis","detail-type":"Sweep Requested","account":"` + home + `","detail":{"by":"schedule","account":"` + web + `","control":"external-connections"}}`
	for _, role := range []string{"-read", "-external-connections-write"} {
		endtoend.CutTheWayIn(t, role, asked, func(t *testing.T) *endtoend.Stage {
			h := endtoend.NewHub(t, policy)
			h.Deploy("external-connections", "enforce", map[string]string{"MEMBER_ACCOUNTS": web})
			if err := h.Join(web, "external-connections"); err != nil {
				t.Fatal(err)
			}
			h.Artifact.AddDomain(web, region, "corp").AddRepository("app").Connect("public:pypi")
			return &endtoend.Stage{T: t, World: h.World, Function: h.Functions["external-connections"]}
		}, "DisassociateExternalConnection")
	}
}

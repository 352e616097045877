package protonconn

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/proton"
)

// calls lists what was called, with the side of the connections.
func (s *stage) calls() []string {
	var list []string
	for _, c := range s.world.Calls() {
		side, _ := c.Input["requestedBy"].(string)
		list = append(list, strings.TrimSpace(c.Operation+" "+side))
	}
	return list
}

func TestReadsEveryFieldThatTheListHas(t *testing.T) {
	s := newStage(t)
	c := s.proton.AddConnection(proton.Request{
		EnvironmentAccount: environment, Region: region, ManagementAccount: management, EnvironmentName: "prod-web",
		Roles: proton.Roles{Role: role("proton-run"), Component: role("proton-parts"), CodeBuild: role("codebuild")},
	})
	c.Backdate(day)
	want := Connection{
		ID: c.ID, ARN: c.ARN(), EnvironmentAccount: environment, ManagementAccount: management, Name: "prod-web", Status: pending,
		Role: role("proton-run"), ComponentRole: role("proton-parts"), Requested: s.world.Now().Add(-day), Modified: s.world.Now().Add(-day),
	}
	o := s.observe(t.Context())
	if diff := cmp.Diff(map[Side][]Connection{Management: {want}, Environment: {}}, o.Sides); diff != "" {
		t.Errorf("connections (-want +got):\n%s", diff)
	}
}

func TestReadsEveryPageOfBothSides(t *testing.T) {
	s := newStage(t)
	for range 150 {
		s.add()
		s.proton.AddConnection(proton.Request{EnvironmentAccount: management, Region: region, ManagementAccount: foreign, EnvironmentName: "web"})
	}
	o := s.observe(t.Context())
	if len(o.Sides[Management]) != 150 || len(o.Sides[Environment]) != 150 {
		t.Errorf("read %d and %d", len(o.Sides[Management]), len(o.Sides[Environment]))
	}
	const list = "ListEnvironmentAccountConnections "
	want := []string{list + "MANAGEMENT_ACCOUNT", list + "MANAGEMENT_ACCOUNT", list + "ENVIRONMENT_ACCOUNT", list + "ENVIRONMENT_ACCOUNT"}
	if diff := cmp.Diff(want, s.calls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestReadsWhatUsesAConnectionOnlyWhereOneIsConnected(t *testing.T) {
	s := newStage(t)
	s.add()
	if o := s.observe(t.Context()); o.Users != nil || slices.Contains(s.calls(), "ListEnvironments") {
		t.Errorf("users %v, calls %q", o.Users, s.calls())
	}

	c := s.proton.Connections(environment, region)[0]
	c.SetStatus(proton.Connected)
	for _, name := range []string{"web-2", "web"} {
		s.proton.AddEnvironment(management, region, name).Connect(c)
	}
	o := s.observe(t.Context())
	if diff := cmp.Diff(map[string][]string{c.ID: {"web", "web-2"}}, o.Users); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}

	s.world.Inject(localaws.Fault{Operation: "ListEnvironments", Kind: localaws.Body(200, `{}`)})
	if o := s.observe(t.Context()); o.Users != nil || len(o.Unread) != 1 || o.Unread[0].Code != "malformed" {
		t.Errorf("where they cannot be read: %+v", o)
	}
}

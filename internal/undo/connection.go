package undo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/codeartifact"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/externalconn"
)

// connection is an external connection that was taken from a repository.
type connection struct {
	arn, region string
	name        externalconn.Name
	input       associate
	before      externalconn.Repository
	seen        bool // to be gone, by the run that took it or by this undo
}

func (c *connection) calls() []control.Call {
	return []control.Call{call("AssociateExternalConnection", c.input)}
}

// look says what the repository needs to have its connection again.
//
//	the repository                        | it is
//	--------------------------------------+----------------------------
//	cannot be read                        | not known
//	is gone, or its domain                | refused
//	has the connection, which was gone    | as it was
//	has it, and nobody has seen it gone   | not known yet: that may show later
//	was made anew since                   | refused
//	has another connection, or upstreams  | refused: CodeArtifact takes one connection, and none beside upstreams
//	would be a violation under enforce_on | refused, unless it is forced
//	has no policy that speaks of it       | refused, unless it is forced
//	none of these                         | restored
func (c *connection) look(ctx context.Context, v View) Standing {
	now, err := externalconn.Describe(ctx, v.API, c.region, c.name)
	switch {
	case noDomain(err):
		return Standing{Refused: fmt.Sprintf("domain %s of account %s is gone, and everything in it", c.name.Domain, c.name.Owner)}
	case awsio.Classify(err) == awsio.NotFound:
		return Standing{Refused: fmt.Sprintf("repository %s is gone; if it is wanted, create it with `aws codeartifact create-repository` and connect it with `aws codeartifact associate-external-connection`", c.name)}
	case err != nil:
		return unread(ctx, fmt.Sprintf("repository %s could not be read", c.name), err)
	}
	s := Standing{Now: now}
	c.seen = c.seen || !slices.Contains(now.Connections, c.input.ExternalConnection)
	another := ""
	if others := slices.DeleteFunc(slices.Clone(now.Connections), func(n string) bool { return n == c.input.ExternalConnection }); len(others) > 0 {
		another = strings.Join(others, ", ")
	}
	switch {
	case slices.Contains(now.Connections, c.input.ExternalConnection):
		if !slices.Equal(now.Upstreams, c.before.Upstreams) {
			s.Differs = append(s.Differs, fmt.Sprintf("its upstreams are %q now, and were %q", now.Upstreams, c.before.Upstreams))
		}
		if !c.seen {
			s.Open = fmt.Sprintf("repository %s is connected to %s, still or again; %s", c.name, c.input.ExternalConnection, later)
		}
		return s
	case now.Created != nil && c.before.Created != nil && !now.Created.Equal(*c.before.Created):
		s.Refused = fmt.Sprintf("repository %s was made anew on %s, so it is not the one that lost the connection; connect it with `aws codeartifact associate-external-connection` if that is wanted", c.name, now.Created.UTC().Format("2006-01-02 15:04:05 UTC"))
		return s
	case another != "":
		s.Refused = fmt.Sprintf("repository %s is connected to %s now, and takes one connection only; disconnect it first, if that is wanted, and undo this again", c.name, another)
		return s
	case len(now.Upstreams) > 0:
		s.Refused = fmt.Sprintf("repository %s draws from %s now, and takes no connection beside upstreams; take them out with `aws codeartifact update-repository --upstreams`, if that is wanted, and undo this again", c.name, strings.Join(now.Upstreams, ", "))
		return s
	}
	if c.judge(v, &s, now); s.Refused == "" {
		s.Left = c.calls()
	}
	return s
}

// judge says what the policy will make of the connection once it is there again.
func (c *connection) judge(v View, s *Standing, now externalconn.Repository) {
	if v.Policy == nil || v.Policy.ExternalConnections == nil {
		unknown := "it is not known whether a function in enforce mode soon takes it off again, as there is no policy with a section external_connections"
		if v.Force {
			s.Notes = append(s.Notes, unknown)
		} else {
			s.Refused = unknown + "; name the one that is in force with --policy; or restore it all the same with --force"
		}
		return
	}
	now.Connections = []string{c.input.ExternalConnection}
	plan := externalconn.Observation{Scope: v.Scope, Connected: []externalconn.Repository{now}}.Judge(v.Policy, v.Now())
	for _, f := range plan.Findings {
		switch {
		case f.Verdict == control.Violation && !v.Policy.EnforceOn.Covers(c.name.Owner, c.name.Domain):
			s.Notes = append(s.Notes, "the policy is against it, but its enforce_on does not reach it: "+f.Reason)
		case f.Verdict == control.Violation && v.Force:
			s.Notes = append(s.Notes, "a function in enforce mode soon takes it off again: "+f.Reason)
		case f.Verdict == control.Violation:
			s.Refused = "the policy still asks for its removal, so a function in enforce mode would soon take it off again: " + f.Reason +
				"; change the policy first, and deploy it; or restore it all the same with --force"
		case f.Verdict == control.Undetermined:
			s.Notes = append(s.Notes, "it is not known what the policy makes of it: "+f.Reason)
		}
	}
}

func (c *connection) write(ctx context.Context, api Writer, _ string) error {
	_, err := api.AssociateExternalConnection(ctx, &codeartifact.AssociateExternalConnectionInput{
		Domain: &c.input.Domain, DomainOwner: &c.input.DomainOwner, Repository: &c.input.Repository, ExternalConnection: &c.input.ExternalConnection,
	})
	return err
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
)

// scene is one act of the play: it does something and says what was expected and
// what was seen.
type scene struct {
	title string
	play  func(*stage) (row, error)
}

var scenes = []scene{
	{"a sweep in monitor mode", func(s *stage) (row, error) {
		r, err := s.sweep()
		return row{
			expected: "2 violations, 1 waived, no write",
			seen:     fmt.Sprintf("%d findings, %d writes", len(r.findings), len(r.writes)),
			ok:       len(r.findings) == 3 && r.count("withheld") == 2 && len(r.writes) == 0,
		}, err
	}},
	{"the same in enforce mode", func(s *stage) (row, error) {
		if err := s.deploy("enforce"); err != nil {
			return row{}, err
		}
		r, err := s.sweep()
		return row{
			expected: "2 connections removed, each recorded with its undo",
			seen:     fmt.Sprintf("%d writes, %d applied", len(r.writes), r.count("applied")),
			ok:       len(r.writes) == 2 && r.count("applied") == 2 && len(s.connections("web-frontend")) == 0 && len(s.connections("npm-store")) == 1,
		}, err
	}},
	{"a second sweep", func(s *stage) (row, error) {
		r, err := s.sweep()
		return row{
			expected: "nothing left to do",
			seen:     fmt.Sprintf("%d writes", len(r.writes)),
			ok:       len(r.writes) == 0 && r.err == nil,
		}, err
	}},
	{"a waiver runs out", func(s *stage) (row, error) {
		s.world.Advance(12 * 24 * time.Hour)
		s.say("clock", "12 days later: %s", s.world.Now().Format(time.DateOnly))
		r, err := s.sweep()
		return row{
			expected: "legacy-tools is disconnected",
			seen:     fmt.Sprintf("%d write, connections left %d", len(r.writes), len(s.connections("legacy-tools"))),
			ok:       len(r.writes) == 1 && len(s.connections("legacy-tools")) == 0,
		}, err
	}},
	{"a plan over the limit", func(s *stage) (row, error) {
		s.say("somebody", "connects five repositories to public:npmjs at once")
		for _, name := range manyTeams {
			s.corp.Repository(name).Upstream()
			s.corp.Repository(name).Connect("public:npmjs")
		}
		r, err := s.sweep()
		for _, name := range manyTeams { // a person sorts it out
			s.corp.Repository(name).Connect()
		}
		return row{
			expected: "refused whole, with an error that rings the alarm",
			seen:     fmt.Sprintf("%d writes, %d withheld", len(r.writes), r.count("withheld")),
			ok:       len(r.writes) == 0 && r.count("withheld") == 5 && r.err != nil,
		}, err
	}},
	{"an undo", func(s *stage) (row, error) {
		input, err := s.undoOf("web-frontend")
		if err != nil {
			return row{}, err
		}
		s.say("undo", "AssociateExternalConnection, with the input that the outcome carries: %s", input)
		if err := s.associate(input); err != nil {
			return row{}, err
		}
		now := s.connections("web-frontend")
		s.say("server", "corp/web-frontend is connected to %v again", now)
		return row{
			expected: "the input of the outcome's undo restores web-frontend",
			seen:     fmt.Sprintf("connected to %v", now),
			ok:       slices.Equal(now, []string{"public:npmjs"}),
		}, nil
	}},
}

var manyTeams = []string{"team-01", "team-02", "team-03", "team-04", "team-05"}

func (s *stage) connections(repository string) []string {
	return s.corp.Repository(repository).Connections()
}

// undoOf finds the undo in the outcome event of the removal.
func (s *stage) undoOf(repository string) (json.RawMessage, error) {
	for _, e := range s.events.Events(account, region, bus) {
		var d event
		if err := json.Unmarshal(e.Detail, &d); err != nil {
			return nil, err
		}
		if e.DetailType == "Action Outcome" && d.Status == "applied" && d.repository() == "corp/"+repository {
			return d.Undo[0].Input, nil
		}
	}
	return nil, fmt.Errorf("no outcome says that %s was disconnected", repository)
}

// associate does what the AWS CLI does with the input of an undo.
func (s *stage) associate(input json.RawMessage) error {
	var in codeartifact.AssociateExternalConnectionInput
	if err := json.Unmarshal(input, &in); err != nil {
		return err
	}
	who := s.world.Account(account)
	client := codeartifact.New(codeartifact.Options{
		Region: region, BaseEndpoint: aws.String(s.world.URL()),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: who.AccessKeyID, SecretAccessKey: who.SecretAccessKey, SessionToken: who.SessionToken}, nil
		}),
	})
	_, err := client.AssociateExternalConnection(s.ctx, &in)
	return err
}

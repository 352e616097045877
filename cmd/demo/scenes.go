package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
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
	{"a live event", func(s *stage) (row, error) {
		told, woken := len(s.events.Events(account, region, "default")), len(s.woken)
		s.say("somebody", "connects corp/data-science to public:npmjs")
		err := s.associate(codeartifact.AssociateExternalConnectionInput{
			Domain: aws.String("corp"), DomainOwner: aws.String(account),
			Repository: aws.String("data-science"), ExternalConnection: aws.String("public:npmjs"),
		})
		if err != nil {
			return row{}, err
		}
		s.events.Idle() // CloudTrail tells, the rule wakes the function, and it runs
		r, err := s.report(nil)
		if err != nil {
			return row{}, err
		}
		told = len(s.events.Events(account, region, "default")) - told
		calls := s.woken[woken:]
		took := s.apart("AssociateExternalConnection", "DisassociateExternalConnection")
		between := fmt.Sprintf("%.1f ms", float64(took.Microseconds())/1000)
		s.say("time", "%s between the two, on this machine; AWS adds its own time to deliver the event", between)
		s.say("events", "CloudTrail told of %d calls; the rule woke the function for %s", told, strings.Join(calls, ", "))
		return row{
			expected: "disconnected at once; the function's own call wakes nobody",
			seen:     fmt.Sprintf("%d removal after %s, woken for %d of %d calls", r.count("applied"), between, len(calls), told),
			ok: len(r.writes) == 2 && r.count("applied") == 1 && len(s.connections("data-science")) == 0 && took > 0 &&
				told == 2 && slices.Equal(calls, []string{"AssociateExternalConnection"}),
		}, nil
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
		s.say("somebody", "connects five repositories to public:npmjs at once, and no event tells of it")
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
		s.say("operator", "sets the mode to monitor; otherwise the undo itself would be the next live event")
		if err := s.deploy("monitor"); err != nil {
			return row{}, err
		}
		s.say("undo", "AssociateExternalConnection, with the input that the outcome carries: %s", input)
		var in codeartifact.AssociateExternalConnectionInput
		if err := json.Unmarshal(input, &in); err != nil {
			return row{}, err
		}
		if err := s.associate(in); err != nil {
			return row{}, err
		}
		s.events.Idle()
		_, err = s.report(nil)
		now := s.connections("web-frontend")
		return row{
			expected: "the input of the outcome's undo restores web-frontend",
			seen:     fmt.Sprintf("connected to %v", now),
			ok:       slices.Equal(now, []string{"public:npmjs"}),
		}, err
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

// associate calls the API, as a person does with the AWS CLI.
func (s *stage) associate(in codeartifact.AssociateExternalConnectionInput) error {
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

package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// connectionScenes is the first act: one function that finds and removes external
// connections.
func connectionScenes() []scene {
	return []scene{
		{"a sweep in monitor mode", func(s *stage) (row, error) {
			r, err := s.sweep(connections)
			return row{
				expected: "2 violations, 1 waived, no write",
				seen:     fmt.Sprintf("%d findings, %s", len(r.findings), r.wrote()),
				ok:       len(r.findings) == 3 && r.count("withheld") == 2 && len(r.writes) == 0,
			}, err
		}},
		{"the same in enforce mode", func(s *stage) (row, error) {
			if err := s.deploy(connections, "enforce"); err != nil {
				return row{}, err
			}
			r, err := s.sweep(connections)
			return row{
				expected: "2 connections removed",
				seen:     r.wrote(),
				ok:       len(r.writes) == 2 && r.count("applied") == 2 && len(s.connections("web-frontend")) == 0 && len(s.connections("npm-store")) == 1,
			}, err
		}},
		{"a second sweep", func(s *stage) (row, error) {
			r, err := s.sweep(connections)
			return row{
				expected: "nothing left to do",
				seen:     r.wrote(),
				ok:       len(r.writes) == 0 && r.err == nil,
			}, err
		}},
		{"a live event", func(s *stage) (row, error) {
			told, woken := len(s.events.Events(account, region, "default")), len(s.woken[connections])
			s.say("somebody", "connects corp/data-science to public:npmjs")
			err := s.person("AssociateExternalConnection", map[string]string{
				"domain": "corp", "domainOwner": account, "repository": "data-science", "externalConnection": "public:npmjs",
			})
			if err != nil {
				return row{}, err
			}
			r, err := s.report(nil) // CloudTrail has told, the rule has woken the function, and it has run
			if err != nil {
				return row{}, err
			}
			told = len(s.events.Events(account, region, "default")) - told
			calls := s.woken[connections][woken:]
			took := s.apart("AssociateExternalConnection", "DisassociateExternalConnection")
			between := milliseconds(took)
			s.say("time", "%s between the two, on this machine; AWS adds its own time to deliver the event", between)
			s.say("events", "CloudTrail told of %d calls; the rule woke the function for %s", told, strings.Join(calls, ", "))
			return row{
				expected: "removed at once; its call wakes nobody",
				seen:     fmt.Sprintf("%d removed after %s, woken by %d of %d calls", r.count("applied"), between, len(calls), told),
				ok: len(r.writes) == 2 && r.count("applied") == 1 && len(s.connections("data-science")) == 0 && took > 0 &&
					told == 2 && slices.Equal(calls, []string{"AssociateExternalConnection"}),
			}, nil
		}},
		{"a waiver runs out", func(s *stage) (row, error) {
			if err := s.later(12 * day); err != nil {
				return row{}, err
			}
			r, err := s.sweep(connections)
			return row{
				expected: "legacy-tools is disconnected",
				seen:     fmt.Sprintf("%s, %d left", r.wrote(), len(s.connections("legacy-tools"))),
				ok:       len(r.writes) == 1 && len(s.connections("legacy-tools")) == 0,
			}, err
		}},
		{"a plan over the limit", func(s *stage) (row, error) {
			teams := []string{"team-01", "team-02", "team-03", "team-04", "team-05"}
			s.say("somebody", "connects five repositories to public:npmjs at once, and no event tells of it")
			for _, name := range teams {
				s.corp.Repository(name).Upstream()
				s.corp.Repository(name).Connect("public:npmjs")
			}
			r, err := s.sweep(connections)
			for _, name := range teams { // a person sorts it out
				s.corp.Repository(name).Connect()
			}
			return row{
				expected: "refused whole, with an error",
				seen:     fmt.Sprintf("%d withheld, %s", r.count("withheld"), r.wrote()),
				ok:       len(r.writes) == 0 && r.count("withheld") == 5 && r.err != nil,
			}, err
		}},
		{"an undo", func(s *stage) (row, error) {
			removal, err := s.removal("web-frontend")
			if err != nil {
				return row{}, err
			}
			s.say("operator", "sets the mode to monitor; otherwise the undo itself would be the next live event")
			if err := s.deploy(connections, "monitor"); err != nil {
				return row{}, err
			}
			s.say("operator", "makes the call that the outcome of scene 2 carries")
			if err := s.undo(removal); err != nil {
				return row{}, err
			}
			_, err = s.report(nil)
			now := s.connections("web-frontend")
			return row{
				expected: "the recorded undo restores web-frontend",
				seen:     fmt.Sprintf("connected to %s", strings.Join(now, ", ")),
				ok:       slices.Equal(now, []string{"public:npmjs"}),
			}, err
		}},
	}
}

func (s *stage) connections(repository string) []string {
	return s.corp.Repository(repository).Connections()
}

// removal finds the outcome event of the removal of a connection.
func (s *stage) removal(repository string) (event, error) {
	for _, e := range s.events.Events(account, region, bus) {
		var d event
		if err := json.Unmarshal(e.Detail, &d); err != nil {
			return event{}, err
		}
		if e.DetailType == "Action Outcome" && d.Status == "applied" && d.name() == "corp/"+repository {
			return d, nil
		}
	}
	return event{}, fmt.Errorf("no outcome says that %s was disconnected", repository)
}

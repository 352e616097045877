package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"portcullis/shared/localaws/proton"
)

// The accounts of the play that are no members. The first asks ours to be connected;
// ours asks the second.
const (
	stranger = "444455556666"
	planning = "777788889999"
)

// protonScenes is the third act: one function that keeps connections between
// accounts, on both sides of them, until the service is gone.
func protonScenes() []scene {
	return []scene{
		{"a connection in use", func(s *stage) (row, error) {
			s.say("proton", "AWS ended it on 2026-10-07; this plays it as it was documented, and in the last two scenes as it may answer since")
			s.say("operator", "sets proton-connections to enforce")
			if err := s.deploy(requests, "enforce"); err != nil {
				return row{}, err
			}
			s.say("somebody", "accepted a request of %s before there was a policy, and two environments use it", stranger)
			c := s.proton.AddConnection(proton.Request{EnvironmentAccount: stranger, Region: region, ManagementAccount: account, EnvironmentName: "trial"})
			c.SetStatus(proton.Connected)
			users := []string{"trial-blue", "trial-green"}
			for _, name := range users {
				s.proton.AddEnvironment(account, region, name).Connect(c)
			}
			r, err := s.sweep(requests)
			return row{
				expected: "reported with its users, and no call",
				seen:     fmt.Sprintf("%d finding, %s", len(r.findings), r.wrote()),
				ok: len(r.findings) == 1 && slices.Equal(r.findings[0].Details.UsedBy, users) && len(r.outcomes) == 0 && len(r.writes) == 0 &&
					c.Status() == proton.Connected,
			}, err
		}},
		{"an unapproved request", func(s *stage) (row, error) {
			told, woken := len(s.events.Events(account, region, "default")), len(s.woken[requests])
			s.say("somebody", "in %s asks to be connected for shop-blue", stranger)
			c, err := s.request(stranger, account, "shop-blue")
			if err != nil {
				return row{}, err
			}
			r, err := s.report(nil) // Proton has told, the rule has woken the function, and it has run
			if err != nil {
				return row{}, err
			}
			told = len(s.events.Events(account, region, "default")) - told
			statuses := s.woken[requests][woken:]
			took := s.apart("CreateEnvironmentAccountConnection", "RejectEnvironmentAccountConnection")
			s.say("time", "%s between the two", milliseconds(took))
			s.say("events", "%d came to %s; the rules woke the function for %s", told, account, strings.Join(statuses, ", "))
			s.say("", "AWS does not document to which of the two accounts Proton sends its own; here it is both")
			return row{
				expected: "rejected within one event",
				seen:     fmt.Sprintf("%d rejected after %s, woken by %d of %d", r.count("applied"), milliseconds(took), len(statuses), told),
				ok: len(r.writes) == 2 && r.count("applied") == 1 && c.Status() == proton.Rejected && took > 0 &&
					told == 3 && slices.Equal(statuses, []string{"PENDING"}),
			}, nil
		}},
		{"an approved request", func(s *stage) (row, error) {
			woken := len(s.woken[requests])
			s.say("somebody", "in %s asks for the same", shop)
			c, err := s.request(shop, account, "shop-blue")
			if err != nil {
				return row{}, err
			}
			r, err := s.report(nil)
			if err != nil {
				return row{}, err
			}
			f, err := s.kept(requests, c.ID)
			if err != nil {
				return row{}, err
			}
			s.say("kept", "%s", f.Reason)
			statuses := s.woken[requests][woken:]
			s.say("events", "%s is a member, so the function was woken for both sides: %s", shop, strings.Join(statuses, ", "))
			return row{
				expected: "left to a person to accept",
				seen:     fmt.Sprintf("%s, %s", f.Code, c.Status()),
				ok: f.Code == "approved" && slices.Contains(statuses, "PENDING") && slices.Contains(statuses, "PENDING in "+shop) && len(r.writes) == 1 && len(r.outcomes) == 0 &&
					c.Status() == proton.Pending,
			}, nil
		}},
		{"a rejected one of our own", func(s *stage) (row, error) {
			s.say("somebody", "in %s asks %s, which the policy names, and is rejected", account, planning)
			c, err := s.request(account, planning, "forecast")
			if err != nil {
				return row{}, err
			}
			if err := s.callProton(planning, "RejectEnvironmentAccountConnection", map[string]string{"id": c.ID}); err != nil {
				return row{}, err
			}
			if _, err := s.report(nil); err != nil {
				return row{}, err
			}
			before := c.Status()
			if err := s.later(8 * day); err != nil {
				return row{}, err
			}
			r, err := s.sweep(requests)
			return row{
				expected: "deleted when it is stale",
				seen:     r.wrote(),
				ok: before == proton.Rejected && slices.Equal(r.writes, []string{"DeleteEnvironmentAccountConnection " + c.ID}) &&
					r.count("applied") == 1 && c.Status() == "",
			}, err
		}},
		{"Proton says that it ended", retired(proton.AccessDenied, "service-retired")},
		{"Proton answers with {}", retired(proton.EmptyObject, "unreachable")},
	}
}

// retired is a scene in which every call of Proton is answered in one way.
func retired(answer proton.Retirement, code string) func(*stage) (row, error) {
	return func(s *stage) (row, error) {
		s.say("proton", "from now on it answers every call in one way: %s", answer)
		injected := s.proton.Retire(answer)
		defer injected.Remove()
		r, err := s.sweep(requests)
		if err != nil {
			return row{}, err
		}
		m, err := s.metrics(requests)
		if err != nil {
			return row{}, err
		}
		_, alarms := m["Undetermined"]
		s.say("metrics", "Gone is %v; Undetermined, for which an alarm rings, is among them: %t", m["Gone"], alarms)
		said := event{}
		if len(r.findings) == 1 {
			said = r.findings[0]
		}
		// Soon is after one call, whatever time that takes. A denial makes a second, as the SDK takes the clock for its reason.
		soon := injected.Count() == 1 || injected.Count() == 2
		return row{
			expected: "said once, soon, and without an alarm",
			seen:     fmt.Sprintf("%s, calls: %d, Gone %v", said.Code, injected.Count(), m["Gone"]),
			ok: said.Verdict == "undetermined" && said.Code == code && r.err == nil && len(r.writes) == 0 && len(r.outcomes) == 0 &&
				m["Gone"] == 1.0 && !alarms && soon,
		}, nil
	}
}

// request asks for a connection, and finds what came of it.
func (s *stage) request(environmentAccount, managementAccount, environment string) (proton.Connection, error) {
	err := s.callProton(environmentAccount, "CreateEnvironmentAccountConnection", map[string]string{
		"environmentName": environment, "managementAccountId": managementAccount,
		"roleArn": "arn:aws:iam::" + environmentAccount + ":role/proton-" + environment,
	})
	if err != nil {
		return proton.Connection{}, err
	}
	all := s.proton.Connections(environmentAccount, region)
	return all[len(all)-1], nil
}

// callProton makes a call as somebody in an account does. It is written out, because
// the SDK's client is deprecated and only the control itself depends on it.
// https://docs.aws.amazon.com/proton/latest/APIReference/
func (s *stage) callProton(account, operation string, input map[string]string) error {
	body, err := json.Marshal(input)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(s.ctx, http.MethodPost, s.world.URL(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "AwsProton20200720."+operation)
	hash := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(s.ctx, credentials(s.world.Account(account)), r, hex.EncodeToString(hash[:]), "proton", region, s.world.Now()); err != nil {
		return fmt.Errorf("signing %s: %w", operation, err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("calling %s: %w", operation, err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("calling %s: %w", operation, err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("calling %s: %s: %s", operation, answer.Status, text)
	}
	return nil
}

package proton_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/proton"
)

// details are those of the events on the default bus of an account.
func (s stage) details(account string) []string {
	var details []string
	for _, e := range s.bridge.Events(account, region, "default") {
		details = append(details, string(e.Detail))
	}
	return details
}

func TestAStatusChangeIsAnEvent(t *testing.T) {
	s := newStage(t)
	c := must(s.as(environment).create(asked()))(t)
	want := eventbridge.Event{
		Account: environment, Region: region, Bus: "default", Source: "aws.proton",
		DetailType: "AWS Proton Environment Account Connection Status Change",
		Detail:     []byte(`{"id":"` + *c.Id + `","status":"PENDING"}`), Resources: []string{*c.Arn}, Time: start(),
	}
	events := s.bridge.Events(environment, region, "default")
	if len(events) != 1 || events[0].ID == "" {
		t.Fatalf("got %+v", events)
	}
	want.ID = events[0].ID
	if diff := cmp.Diff(want, events[0]); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
}

func TestWhoIsToldWhat(t *testing.T) {
	for _, test := range []struct {
		name                    string
		unknowns                proton.Unknowns
		environment, management []string
	}{
		{"the environment account", proton.Unknowns{},
			[]string{`"PENDING"`, `"CONNECTED" "PENDING"`, `"REJECTED" "CONNECTED"`, `"DELETED" "REJECTED"`}, nil},
		{"the management account", proton.Unknowns{EventsTo: proton.ManagementAccount},
			nil, []string{`"PENDING"`, `"CONNECTED" "PENDING"`, `"REJECTED" "CONNECTED"`, `"DELETED" "REJECTED"`}},
		{"both, and never what was before", proton.Unknowns{EventsTo: proton.BothAccounts, PreviousStatus: proton.Never},
			[]string{`"PENDING"`, `"CONNECTED"`, `"REJECTED"`, `"DELETED"`}, []string{`"PENDING"`, `"CONNECTED"`, `"REJECTED"`, `"DELETED"`}},
		{"what was before, always", proton.Unknowns{PreviousStatus: proton.OrEmpty},
			[]string{`"PENDING" ""`, `"CONNECTED" "PENDING"`, `"REJECTED" "CONNECTED"`, `"DELETED" "REJECTED"`}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStage(t)
			s.proton.Assume(test.unknowns)
			id := *must(s.as(environment).create(asked()))(t).Id
			must(s.as(management).accept(id))(t)
			must(s.as(management).reject(id))(t)
			_, _ = s.as(management).reject(id) // refused, so nobody is told
			must(s.as(environment).delete(id))(t)
			must(s.as(environment).delete(id))(t) // changes nothing

			for account, statuses := range map[string][]string{environment: test.environment, management: test.management} {
				var want []string
				for _, status := range statuses {
					var now, before string
					detail := `{"id":"` + id + `","status":%s}`
					if n, _ := fmt.Sscan(status, &now, &before); n == 2 {
						detail = `{"id":"` + id + `","previousStatus":` + before + `,"status":%s}`
					}
					want = append(want, fmt.Sprintf(detail, now))
				}
				if diff := cmp.Diff(want, s.details(account)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", account, diff)
				}
			}
		})
	}
}

func TestEventsAreDeliveredAsOneLikes(t *testing.T) {
	s := newStage(t)
	c := s.add(proton.Pending)
	var held []eventbridge.Event
	s.proton.Deliver(func(events []eventbridge.Event) []eventbridge.Event {
		held = append(held, events...)
		return nil
	})
	must(s.as(management).accept(c.ID))(t)
	if len(held) != 1 || s.details(environment) != nil {
		t.Fatalf("%d events are held, and %q delivered", len(held), s.details(environment))
	}
	s.proton.Deliver(nil)
	must(s.as(management).reject(c.ID))(t)
	s.bridge.Put(held[0], held[0])
	accepted := `{"id":"` + c.ID + `","previousStatus":"PENDING","status":"CONNECTED"}`
	rejected := `{"id":"` + c.ID + `","previousStatus":"CONNECTED","status":"REJECTED"}`
	if diff := cmp.Diff([]string{rejected, accepted, accepted}, s.details(environment)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestAnEventIsThereWhenTheCallIsAnswered(t *testing.T) {
	s := newStage(t)
	var all sync.WaitGroup
	for range 20 {
		c := s.add(proton.Pending)
		all.Go(func() {
			if _, err := s.as(management).accept(c.ID); err != nil {
				t.Error(err)
			}
			for _, e := range s.bridge.Events(environment, region, "default") {
				if e.Resources[0] == c.ARN() {
					return
				}
			}
			t.Error("the call is answered, and its event is not there")
		})
	}
	all.Wait()
}

func TestAChangeWhoseAnswerWasLostIsAnEventAllTheSame(t *testing.T) {
	s := newStage(t)
	c := s.add(proton.Pending)
	s.world.Inject(localaws.Fault{Service: "proton", When: localaws.After, Kind: localaws.Reset()})
	if _, err := s.as(management).reject(c.ID); err == nil || c.Status() != proton.Rejected {
		t.Fatalf("got %v and %s", err, c.Status())
	}
	if n := len(s.details(environment)); n != 1 {
		t.Errorf("there are %d events", n)
	}
}

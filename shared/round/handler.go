package round

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/organizations"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
	"portcullis/shared/report"
	"portcullis/shared/trigger"
)

// Name is what the planner is called in records and metrics.
const Name = "planner"

// Handler is the Lambda function of the planner.
type Handler struct {
	AWS      *awsio.AWS
	Reporter *report.Reporter

	controls []string
	group    string        // log group of the stack's events
	every    time.Duration // from one round to the next
}

// New reads the environment that template.yaml gives to the planner: EVENT_BUS,
// EVENTS_LOG (the log group of what is put on it), CONTROLS (the names of those
// that are not off, with commas in between), SWEEP_SECONDS, and what
// [awsio.FromEnvironment] reads.
func New(getenv func(string) string, out io.Writer) (*Handler, error) {
	a, err := awsio.FromEnvironment(Name, getenv, control.Monitor)
	if err != nil {
		return nil, err
	}
	h := &Handler{AWS: a, group: getenv("EVENTS_LOG"), controls: []string{}, Reporter: &report.Reporter{
		Out: out, Log: report.NewLogger(out, getenv("AWS_LAMBDA_LOG_LEVEL")),
		API: eventbridge.NewFromConfig(a.Events()), BusName: getenv("EVENT_BUS"),
	}}
	for name := range strings.SplitSeq(getenv("CONTROLS"), ",") {
		if name = strings.TrimSpace(name); name != "" {
			h.controls = append(h.controls, name)
		}
	}
	if h.group == "" || h.Reporter.BusName == "" {
		return nil, errors.New("EVENTS_LOG or EVENT_BUS is not set: template.yaml sets both")
	}
	seconds, err := strconv.ParseInt(getenv("SWEEP_SECONDS"), 10, 32)
	if err != nil || seconds <= 0 {
		return nil, fmt.Errorf("SWEEP_SECONDS is %q: it takes the seconds from one round to the next, as template.yaml sets them", getenv("SWEEP_SECONDS"))
	}
	h.every = time.Duration(seconds) * time.Second
	return h, nil
}

// Invoke is called by Lambda with the payload of one invocation. It asks for the
// sweeps of a round, tells what became of those that are over, and returns the
// plan. The error is non-nil where something has to be looked at by a person:
// accounts that may have been left out, rounds that could not be put together,
// events that were not delivered. What could be done is done even so.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	why, err := trigger.ParseRound(payload)
	if err != nil {
		return nil, err
	}
	if why.Cause == trigger.None {
		h.Reporter.Log.InfoContext(ctx, "ignored", "control", Name, "reason", why.Ignored)
		return json.Marshal(map[string]string{"ignored": why.Ignored})
	}
	session, err := h.AWS.Session(h.AWS.Home())
	if err != nil {
		return nil, err
	}
	run := h.Reporter.Begin(ctx, Name, string(why.Cause), session.Clock.Now)
	_, begin, cancel := control.Phases(ctx)
	defer cancel()

	log := cloudwatchlogs.NewFromConfig(session.Reads)
	now, noTime := clockOf(begin, log, h.group, session.Clock)
	planned, unknown := h.plan(begin, run, organizations.NewFromConfig(session.Reads), why, now)
	var unread error
	if noTime == nil {
		unread = h.gather(begin, run, log, now)
	}
	undelivered := run.Send(ctx)
	answer, broken := json.Marshal(planned)
	return answer, errors.Join(unknown, noTime, unread, undelivered, broken)
}

// portion is how many requests wait to be sent. Each names all accounts of the
// round, so those of a large organization do not fit into memory together.
const portion = 100

// plan asks for the sweeps of a round, in every account that is known.
func (h *Handler) plan(ctx context.Context, run *report.Run, api Organization, why trigger.Trigger, now time.Time) (Planned, error) {
	home := h.AWS.Home()
	list, err := accounts(ctx, api, home.Account, h.AWS.Members())
	p := Planned{Version: Version, Round: "by-hand", Controls: h.controls, Accounts: list}
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		p.Round = lc.AwsRequestID
	}
	if !now.IsZero() {
		p.At = &now
	}
	if err != nil {
		_, p.Unknown = awsio.Failure(ctx, "the accounts of the organization could not be listed, so only "+home.Account+" is swept", err)
		err = errors.New(p.Unknown)
	}
	run.Event(PlannedEvent, p)
	by := map[trigger.Cause]string{trigger.Sweep: "schedule", trigger.Hand: "hand"}[why.Cause]
	for some := range slices.Chunk(p.Requests(by, home.Region), portion) {
		for _, r := range some {
			run.Event(RequestEvent, r)
		}
		_ = run.Send(ctx) // what was not delivered is told by the last Send
	}
	return p, errors.Join(err, run.Metrics(Name, []report.Value{{Name: "RoundPlanned", Count: 1}, {Name: "Accounts", Count: len(list)}}))
}

// gather tells what became of the rounds that are over.
func (h *Handler) gather(ctx context.Context, run *report.Run, api Log, now time.Time) error {
	// A round is told by the first run that finds it over; one more is for a run that failed.
	p, err := read(ctx, api, h.group, h.AWS.Home().Account, now.Add(-2*h.every-2*Longest), PlannedEvent, SummaryEvent, report.SummaryEvent)
	if err != nil {
		_, reason := awsio.Failure(ctx, "what became of earlier rounds could not be read", err)
		return errors.New(reason)
	}
	// A log that nothing comes into reads like one without rounds. But the run before
	// this one planned one, and an alarm rings where none is found again and again.
	failed := []error{run.Metrics(Name, []report.Value{{Name: "RoundsFound", Count: p.since(now.Add(-h.every - Longest))}})}
	for _, planned := range p.overdue(now) {
		s := PutTogether(planned, p.runs)
		s.At = &now
		run.Event(SummaryEvent, s)
		level := slog.LevelInfo
		if !s.Complete {
			level = slog.LevelWarn
		}
		run.Log(ctx, level, "round", "summary", s)
		for _, r := range s.Controls {
			failed = append(failed, run.Metrics(r.Control, []report.Value{
				{Name: "Expected", Count: r.Expected}, {Name: "Missing", Count: len(r.Missing)}, {Name: "Unfinished", Count: len(r.Incomplete)},
			}))
		}
	}
	return errors.Join(failed...)
}

package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"portcullis/shared/control"
)

// Reporter holds what the reports of all runs of one process have in common.
type Reporter struct {
	Out     io.Writer // standard output of the function; each record is one Write
	Log     *slog.Logger
	API     API
	BusName string
}

// Run reports on one run. It is a [control.Recorder].
type Run struct {
	reporter    *Reporter
	log         *slog.Logger
	bus         *bus
	id          string
	now         func() time.Time
	undelivered int
	errs        []error
}

// Begin starts the report of a run of a control. The time of the records is told
// by now, which returns the zero time while it is not known.
//
// The run has the id of the Lambda invocation, so that its events can be found
// in the log.
func (r *Reporter) Begin(ctx context.Context, name string, now func() time.Time) *Run {
	id := "by-hand"
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		id = lc.AwsRequestID
	}
	run := &Run{reporter: r, id: id, now: now, log: r.Log.With("control", name, "run", id)}
	run.bus = &bus{api: r.API, name: r.BusName, lost: run.lost}
	return run
}

// stamp is what every event's detail begins with.
type stamp struct {
	Version int        `json:"version"`
	Run     string     `json:"run"`
	At      *time.Time `json:"at,omitempty"` // by AWS's clock; absent while no answer carried a date
}

func (r *Run) stamp() stamp {
	s := stamp{Version: Version, Run: r.id}
	if now := r.now(); !now.IsZero() {
		s.At = &now
	}
	return s
}

// Finding reports a finding. What is compliant is logged at debug level only and
// makes no event.
func (r *Run) Finding(ctx context.Context, f control.Finding) {
	level := slog.LevelInfo
	switch f.Verdict {
	case control.Compliant:
		r.log.DebugContext(ctx, "finding", "finding", f)
		return
	case control.Violation, control.Undetermined:
		level = slog.LevelWarn
	}
	r.log.Log(ctx, level, "finding", "finding", f)
	r.add(ctx, FindingEvent, f.Resource, struct {
		stamp
		control.Finding
	}{r.stamp(), f})
}

// Intent writes down what is about to be done. It passes by the log level, and
// returns the error of the write, because an action that is not on record must
// not be made.
func (r *Run) Intent(ctx context.Context, a control.Action) error {
	action, err := json.Marshal(a) // slog itself would log an error in its place, and not tell
	if err != nil {
		return fmt.Errorf("writing the intent: %w", err)
	}
	record := slog.NewRecord(time.Now(), slog.LevelInfo, "intent", 0)
	record.AddAttrs(slog.Any("action", rawJSON(action)))
	return r.log.Handler().Handle(ctx, record)
}

// Outcome reports what became of an action.
func (r *Run) Outcome(ctx context.Context, o control.Outcome) {
	level := slog.LevelInfo
	if o.Status == control.Failed || o.Status == control.RestoreNeeded {
		level = slog.LevelError
	}
	r.log.Log(ctx, level, "outcome", "outcome", o)
	r.add(ctx, OutcomeEvent, o.Resource, struct {
		stamp
		control.Outcome
	}{r.stamp(), o})
}

// Finish completes the summary, reports it, sends what is still queued and
// returns the summary. The error says which records were not delivered; they are
// in the log, whole.
func (r *Run) Finish(ctx context.Context, s control.Summary, sweep bool) (control.Summary, error) {
	r.bus.flush(ctx)
	s.Run = r.id
	s.At = r.stamp().At
	s.Undelivered = r.undelivered
	r.add(ctx, SummaryEvent, "", struct {
		Version int `json:"version"`
		control.Summary
	}{Version, s})
	r.bus.flush(ctx)

	s.Undelivered = r.undelivered
	r.log.InfoContext(ctx, "summary", "summary", s, "text", s.String())
	if err := writeMetrics(r.reporter.Out, s, sweep, time.Now()); err != nil {
		r.errs = append(r.errs, fmt.Errorf("writing metrics: %w", err))
	}
	if r.undelivered > 0 {
		r.errs = append(r.errs, fmt.Errorf("%d events were not delivered to bus %s; each is in the log as \"event not delivered\"", r.undelivered, r.reporter.BusName))
	}
	return s, errors.Join(r.errs...)
}

func (r *Run) add(ctx context.Context, detailType, resource string, detail any) {
	if err := r.bus.add(ctx, detailType, resource, detail); err != nil {
		r.errs = append(r.errs, err)
	}
}

func (r *Run) lost(entry types.PutEventsRequestEntry, err error) {
	r.undelivered++
	r.log.Error("event not delivered", "error", err.Error(),
		"detailType", aws.ToString(entry.DetailType), "detail", rawJSON(aws.ToString(entry.Detail)))
}

// rawJSON is logged as the JSON it is, not as a string.
type rawJSON string

func (j rawJSON) MarshalJSON() ([]byte, error) { return []byte(j), nil }

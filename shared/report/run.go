package report

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
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
	Run     string // id of runs that are no invocations of Lambda; by default "by-hand"
	API     API    // nil where there is no bus: the records are in Out alone
	BusName string
}

// Run reports on one run. It is a [control.Recorder].
type Run struct {
	reporter    *Reporter
	log         *slog.Logger
	bus         *bus
	id          string
	cause       string
	now         func() time.Time
	undelivered int
	errs        []error
}

// Begin starts the report of a run of a control. The cause is what woke the run, in
// the words of [control.Summary]: every finding tells it, so that who waits for news
// can tell what an event brought up from what each sweep finds again. The time of
// the records is told by now, which returns the zero time while it is not known.
//
// The run has the id of the Lambda invocation, so that its events can be found
// in the log.
func (r *Reporter) Begin(ctx context.Context, name, cause string, now func() time.Time) *Run {
	id := cmp.Or(r.Run, "by-hand")
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		id = lc.AwsRequestID
	}
	run := &Run{reporter: r, id: id, cause: cause, now: now, log: r.Log.With("control", name, "run", id)}
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
// makes no event. Events are sent by Finish, so that a slow bus does not take the
// time that acting needs; the log has the finding at once.
func (r *Run) Finding(ctx context.Context, f control.Finding) {
	f.Reason, f.Effect = Clip(f.Reason), Clip(f.Effect)
	level := slog.LevelInfo
	switch f.Verdict {
	case control.Compliant:
		r.log.DebugContext(ctx, "finding", "finding", f)
		return
	case control.Violation, control.Undetermined:
		level = slog.LevelWarn
	case control.Waived:
		if f.Notes != nil {
			level = slog.LevelWarn
		}
	}
	r.log.Log(ctx, level, "finding", "finding", f)
	r.add(FindingEvent, f.Resource, struct {
		stamp
		Cause string `json:"cause"`
		control.Finding
	}{r.stamp(), r.cause, f})
}

// Intent writes down what is about to be done. It passes by the log level, and
// returns the error of the write, because an action that is not on record must
// not be made.
func (r *Run) Intent(ctx context.Context, a control.Action) error {
	action, err := json.Marshal(a) // slog itself would log an error in its place, and not tell
	if err != nil {
		return fmt.Errorf("writing the intent: %w", err)
	}
	return r.always(ctx, slog.LevelInfo, "intent", slog.Any("action", rawJSON(action)))
}

// always writes a line whatever the log level is.
func (r *Run) always(ctx context.Context, level slog.Level, message string, attrs ...slog.Attr) error {
	record := slog.NewRecord(time.Now(), level, message, 0)
	record.AddAttrs(attrs...)
	return r.log.Handler().Handle(ctx, record)
}

// Remark logs what is neither a finding nor an action, and wants to be seen.
func (r *Run) Remark(ctx context.Context, message, text string) {
	r.log.WarnContext(ctx, message, "text", Clip(text))
}

// Outcome reports what became of an action. It is logged at once, whatever the log
// level is, because it carries the undo.
func (r *Run) Outcome(ctx context.Context, o control.Outcome) {
	o.Reason, o.Detail = Clip(o.Reason), Clip(o.Detail)
	level := slog.LevelInfo
	if o.Status == control.Failed || o.Status == control.RestoreNeeded {
		level = slog.LevelError
	}
	if err := r.always(ctx, level, "outcome", slog.Any("outcome", o)); err != nil {
		r.errs = append(r.errs, fmt.Errorf("writing an outcome: %w", err))
	}
	r.add(OutcomeEvent, o.Resource, struct {
		stamp
		control.Outcome
	}{r.stamp(), o})
}

// Finish completes the summary, reports it, sends what is still queued and
// returns the summary. The error says which records were not delivered; they are
// in the log, whole.
func (r *Run) Finish(ctx context.Context, s control.Summary, sweep bool) (control.Summary, error) {
	ctx, cancel := r.sending(ctx)
	defer cancel()
	r.bus.flush(ctx)
	s.Run = r.id
	s.At = r.stamp().At
	s.Undelivered = r.undelivered
	r.add(SummaryEvent, "", struct {
		Version int `json:"version"`
		control.Summary
	}{Version, s})
	r.bus.flush(ctx)

	s.Undelivered = r.undelivered
	if err := r.always(ctx, slog.LevelInfo, "summary", slog.Any("summary", s), slog.String("text", s.String())); err != nil {
		r.errs = append(r.errs, fmt.Errorf("writing the summary: %w", err))
	}
	if err := writeMetrics(r.reporter.Out, s, sweep, time.Now()); err != nil {
		r.errs = append(r.errs, err)
	}
	return s, errors.Join(append(r.errs, r.missed())...)
}

// Event queues an event of the program's own, for Send or Finish.
func (r *Run) Event(detailType string, detail any) { r.add(detailType, "", detail) }

// Send sends the queued events, for a run that has no summary. The error says that
// some were not delivered, this time or before; they are in the log, whole.
func (r *Run) Send(ctx context.Context) error {
	ctx, cancel := r.sending(ctx)
	defer cancel()
	r.bus.flush(ctx)
	return errors.Join(append(r.errs, r.missed())...)
}

// Log writes a line of the run's log.
func (r *Run) Log(ctx context.Context, level slog.Level, message string, args ...any) {
	r.log.Log(ctx, level, message, args...)
}

func (r *Run) missed() error {
	if r.undelivered == 0 {
		return nil
	}
	return fmt.Errorf("%d events were not delivered to bus %s; each is in the log as \"event not delivered\"", r.undelivered, r.reporter.BusName)
}

// sending returns the context in which events are sent. It leaves a little time
// before the deadline to write down those that were not.
func (r *Run) sending(ctx context.Context) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, deadline.Add(-2*time.Second))
	}
	return context.WithCancel(ctx)
}

func (r *Run) add(detailType, resource string, detail any) {
	if r.reporter.API == nil {
		return
	}
	if err := r.bus.add(detailType, resource, detail); err != nil {
		r.errs = append(r.errs, err)
	}
}

func (r *Run) lost(entry types.PutEventsRequestEntry, err error) {
	r.undelivered++
	r.log.Error("event not delivered", "error", Clip(err.Error()),
		"detailType", aws.ToString(entry.DetailType), "detail", rawJSON(aws.ToString(entry.Detail)))
}

// maxText bounds a sentence in a record, in bytes. What others wrote, such as
// the message of an error, may be in it and be of any length; and a line that is
// cut by CloudWatch is no JSON any more.
const maxText = 2000

// Clip returns a text, or the beginning of one that is too long for a record.
func Clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "") + " ..."
}

// rawJSON is logged as the JSON it is, not as a string.
type rawJSON string

func (j rawJSON) MarshalJSON() ([]byte, error) { return []byte(j), nil }

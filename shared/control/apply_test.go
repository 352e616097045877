package control_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/control"
)

// A world is what Apply works on. It writes down what is asked of it, in order,
// and answers with its fields.
type world struct {
	log  []string
	seen map[string][]control.Action // the actions of each kind of event
	soon []string                    // the kinds of events whose context is the one for beginning

	fresh     func(control.Action) control.Plan // the second reading; nil finds the action again
	notKept   error                             // what Intent returns
	answer    control.Answer
	err       error
	done      bool
	late      int            // looks that do not find yet what is done
	remark    string         // what the look after the write has to say
	restore   string         // what the look after the write finds lost
	undo      []control.Call // what would put it back
	unseen    error
	refuse    string // ID of an action that is refused whatever the answer is
	onRecheck func()
	onIntent  func()
}

// beginning is the key that marks a context for beginning new work.
type beginning struct{}

func (w *world) note(ctx context.Context, what string, a control.Action) {
	if w.seen == nil {
		w.seen = map[string][]control.Action{}
	}
	w.seen[what] = append(w.seen[what], a)
	if ctx.Value(beginning{}) != nil {
		w.soon = append(w.soon, what)
	}
	if ctx.Err() != nil {
		what += " too late"
	}
	w.log = append(w.log, what+" "+a.ID)
}

func (w *world) Recheck(ctx context.Context, a control.Action) control.Plan {
	w.note(ctx, "recheck", a)
	if w.onRecheck != nil {
		w.onRecheck()
	}
	if w.fresh == nil {
		return stillThere(a)
	}
	return w.fresh(a)
}

func (w *world) Intent(ctx context.Context, a control.Action) error {
	w.note(ctx, "intent", a)
	if w.onIntent != nil {
		w.onIntent()
	}
	return w.notKept
}

func (w *world) Write(ctx context.Context, a control.Action) (control.Answer, error) {
	w.note(ctx, "write", a)
	if a.ID == w.refuse {
		return control.Refused, errors.New("AWS says no")
	}
	return w.answer, w.err
}

func (w *world) Verify(ctx context.Context, a control.Action) (control.Look, error) {
	w.note(ctx, "verify", a)
	if w.late--; w.late >= 0 {
		return control.Look{}, nil
	}
	return control.Look{Done: w.done && a.ID != w.refuse, Remark: w.remark, Restore: w.restore, Undo: w.undo}, w.unseen
}

func (w *world) Outcome(ctx context.Context, o control.Outcome) {
	w.note(ctx, "outcome", o.Action)
}

func stillThere(a control.Action) control.Plan {
	return control.Plan{
		Looked:   1,
		Findings: []control.Finding{{ID: a.ID, Verdict: control.Violation}},
		Actions:  []control.Action{a},
	}
}

// obedient is a world in which every write works.
func obedient() *world { return &world{answer: control.Accepted, done: true} }

func apply(t *testing.T, w *world, ids ...string) []control.Outcome {
	t.Helper()
	return applyIn(t, t.Context(), w, ids...)
}

func applyIn(t *testing.T, begin context.Context, w *world, ids ...string) []control.Outcome {
	t.Helper()
	var actions []control.Action
	for _, id := range ids {
		actions = append(actions, control.Action{ID: id})
	}
	outcomes := control.Apply(t.Context(), begin, actions, w, w)
	if len(outcomes) != len(ids) {
		t.Fatalf("%d outcomes for %d actions", len(outcomes), len(ids))
	}
	return outcomes
}

// status is the part of an outcome that machines read.
type status struct {
	ID     string
	Status control.Status
	Code   string
}

func statuses(outcomes []control.Outcome) []status {
	var list []status
	for _, o := range outcomes {
		list = append(list, status{o.ID, o.Status, o.Code})
	}
	return list
}

func TestApplyKeepsTheOrderOfEvents(t *testing.T) {
	w := obedient()
	outcomes := apply(t, w, "a", "b")
	want := []string{
		"recheck a", "intent a", "write a", "verify a", "outcome a",
		"recheck b", "intent b", "write b", "verify b", "outcome b",
	}
	if diff := cmp.Diff(want, w.log); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]status{{"a", control.Applied, "verified"}, {"b", control.Applied, "verified"}}, statuses(outcomes)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

func TestApplyWithoutActionsDoesNothing(t *testing.T) {
	w := obedient()
	if outcomes := apply(t, w); len(outcomes) > 0 || w.log != nil {
		t.Errorf("outcomes %v, events %q, want none", outcomes, w.log)
	}
}

// AWS may show a change only after the look. So what was accepted, or has no answer,
// is never told as not done; and whatever a look found is told as done but where AWS
// says that it was not us.
func TestWhatMayHaveBeenDoneIsNeverToldAsNotDone(t *testing.T) {
	synctest.Test(t, whatMayHaveBeenDoneIsNeverToldAsNotDone)
}

func whatMayHaveBeenDoneIsNeverToldAsNotDone(t *testing.T) {
	refusal := errors.New("AWS says no")
	for answer, err := range map[control.Answer]error{control.Accepted: nil, control.Lost: refusal, control.Objected: refusal, control.Refused: refusal} {
		for _, unseen := range []error{nil, errors.New("the look failed")} {
			for _, found := range []bool{true, false} {
				want := answer == control.Accepted || answer == control.Lost || answer == control.Objected && (found || unseen != nil)
				o := apply(t, &world{answer: answer, err: err, done: found, unseen: unseen}, "a")[0]
				if done, _ := o.Done(); done != want {
					t.Errorf("answer %d, found %v, look %v: %s, %s (%s) says done %v", answer, found, unseen, o.Status, o.Code, o.Detail, done)
				}
			}
		}
	}
}

// The rows and columns of the table at judge.
func TestApplyConcludesFromTheAnswerAndTheLook(t *testing.T) {
	refusal, trouble := errors.New("AWS says no"), errors.New("the look failed")
	for _, test := range []struct {
		name   string
		answer control.Answer
		err    error
		done   bool
		unseen error
		status control.Status
		code   string
	}{
		{"accepted, done", control.Accepted, nil, true, nil, control.Applied, "verified"},
		{"accepted, not done", control.Accepted, nil, false, nil, control.Failed, "unverified"},
		{"accepted, could not look", control.Accepted, nil, false, trouble, control.Applied, "unverified"},
		{"refused, done", control.Refused, refusal, true, nil, control.AlreadyDone, "gone"},
		{"refused, not done", control.Refused, refusal, false, nil, control.Failed, "refused"},
		{"refused, could not look", control.Refused, refusal, false, trouble, control.Failed, "refused"},
		{"objected, done", control.Objected, refusal, true, nil, control.AlreadyDone, "refused"},
		{"objected, not done", control.Objected, refusal, false, nil, control.Failed, "refused"},
		{"objected, could not look", control.Objected, refusal, false, trouble, control.Failed, "unverified"},
		{"lost, done", control.Lost, refusal, true, nil, control.Applied, "answer-lost"},
		{"lost, not done", control.Lost, refusal, false, nil, control.Failed, "answer-lost"},
		{"lost, could not look", control.Lost, refusal, false, trouble, control.Failed, "unverified"},

		// A look that failed says nothing, whatever else it returned.
		{"accepted, done and could not look", control.Accepted, nil, true, trouble, control.Applied, "unverified"},
		{"refused, done and could not look", control.Refused, refusal, true, trouble, control.Failed, "refused"},
		{"objected, done and could not look", control.Objected, refusal, true, trouble, control.Failed, "unverified"},
		{"lost, done and could not look", control.Lost, refusal, true, trouble, control.Failed, "unverified"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := &world{answer: test.answer, err: test.err, done: test.done, unseen: test.unseen}
			var o control.Outcome
			synctest.Test(t, func(t *testing.T) { o = apply(t, w, "a")[0] })
			if o.Status != test.status || o.Code != test.code {
				t.Errorf("got %s, %s; want %s, %s", o.Status, o.Code, test.status, test.code)
			}
			if test.err != nil && !strings.Contains(o.Detail, test.err.Error()) {
				t.Errorf("detail %q does not say %q", o.Detail, test.err)
			}
			want := []string{"recheck a", "intent a", "write a", "verify a", "outcome a"}
			if strings.HasSuffix(test.name, ", not done") && test.status == control.Failed && test.code != "refused" {
				want = slices.Insert(want, 4, "verify a") // it may show late
			}
			if diff := cmp.Diff(want, w.log); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// What a look does not find it may find a moment later.
func TestApplyLooksAgainForWhatMayShowLate(t *testing.T) {
	trouble := errors.New("trouble")
	for _, test := range []struct {
		name   string
		w      world
		looks  int
		status control.Status
		code   string
	}{
		{"accepted, and it shows late", world{answer: control.Accepted, done: true, late: 1}, 2, control.Applied, "verified"},
		{"accepted, and it shows later", world{answer: control.Accepted, done: true, late: 2}, 2, control.Failed, "unverified"},
		{"accepted, and the second look fails", world{answer: control.Accepted, late: 1, unseen: trouble}, 2, control.Failed, "unverified"},
		{"lost, and it shows late", world{answer: control.Lost, err: trouble, done: true, late: 1}, 2, control.Applied, "answer-lost"},
		{"lost, and it shows later", world{answer: control.Lost, err: trouble, done: true, late: 2}, 2, control.Failed, "answer-lost"},
		{"refused", world{answer: control.Refused, err: trouble, done: true, late: 1}, 1, control.Failed, "refused"},
		{"objected", world{answer: control.Objected, err: trouble, done: true, late: 1}, 1, control.Failed, "refused"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				o := apply(t, &test.w, "a")[0]
				if took, want := time.Since(start), time.Duration(test.looks-1)*2*time.Second; took != want {
					t.Errorf("it took %s, want %s between the looks", took, want)
				}
				if looks := len(test.w.seen["verify"]); looks != test.looks || o.Status != test.status || o.Code != test.code {
					t.Errorf("after %d looks %s, %s; want %d, %s, %s", looks, o.Status, o.Code, test.looks, test.status, test.code)
				}
			})
		})
	}
}

// slowToLook is a world in which a look takes its time.
type slowToLook struct {
	*world
	takes time.Duration
}

func (w slowToLook) Verify(ctx context.Context, a control.Action) (control.Look, error) {
	time.Sleep(w.takes)
	return w.world.Verify(ctx, a)
}

// A second look has no more time than the first one left.
func TestApplyLooksAgainOnlyInTheTimeForTheLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{answer: control.Accepted}
		start := time.Now()
		o := control.Apply(t.Context(), t.Context(), []control.Action{{ID: "a"}}, slowToLook{w, 7 * time.Second}, w)[0]
		if took := time.Since(start); took != 8*time.Second || len(w.seen["verify"]) != 1 || o.Code != "unverified" {
			t.Errorf("after %s and %d looks %s, %s; want one look, 8 s and unverified", took, len(w.seen["verify"]), o.Status, o.Code)
		}
	})
}

func TestApplySaysWhatTheLookRemarks(t *testing.T) {
	w := &world{answer: control.Accepted, done: true, remark: "what was deleted could not be compared"}
	o := apply(t, w, "a")[0]
	if o.Status != control.Applied || !strings.HasSuffix(o.Detail, "; what was deleted could not be compared") {
		t.Errorf("%s: %s", o.Status, o.Detail)
	}
}

// What was lost with a write counts more than how the write went.
func TestApplySaysWhatHasToBeRestored(t *testing.T) {
	trouble := errors.New("trouble")
	undo := []control.Call{{Service: "codeartifact", Operation: "CreatePackageGroup"}}
	for name, w := range map[string]*world{
		"where the write was accepted":       {answer: control.Accepted, done: true},
		"where its answer was lost":          {answer: control.Lost, err: trouble},
		"where the look was cut off as well": {answer: control.Accepted, unseen: trouble},
	} {
		t.Run(name, func(t *testing.T) {
			w.restore, w.undo = "a tag was added", undo
			w.fresh = func(a control.Action) control.Plan {
				a.Undo = []control.Call{{Operation: "of the second reading"}}
				return stillThere(a)
			}
			want := control.Outcome{Action: control.Action{ID: "a", Undo: undo}, Status: control.RestoreNeeded, Code: "changed-meanwhile", Detail: "a tag was added"}
			if diff := cmp.Diff(want, apply(t, w, "a")[0]); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
		})
	}
}

func TestApplyDoesNotWriteWhere(t *testing.T) {
	finding := func(id string, v control.Verdict) control.Finding {
		return control.Finding{ID: id, Verdict: v, Reason: "the reason"}
	}
	for _, test := range []struct {
		name   string
		fresh  func(control.Action) control.Plan
		status control.Status
		code   string
		detail string
	}{
		{"the second reading is undetermined", func(a control.Action) control.Plan {
			return control.Plan{Findings: []control.Finding{finding(a.ID, control.Undetermined)}}
		}, control.Withheld, "undetermined", "the reason"},
		{"the second reading is undetermined and asks for it nevertheless", func(a control.Action) control.Plan {
			return control.Plan{Findings: []control.Finding{finding("the repository", control.Undetermined)}, Actions: []control.Action{a}}
		}, control.Withheld, "undetermined", "the reason"},
		{"the second reading is undetermined beside the violation", func(a control.Action) control.Plan {
			p := stillThere(a)
			p.Findings = append(p.Findings, finding("the repository", control.Undetermined))
			return p
		}, control.Withheld, "undetermined", "the reason"},
		{"the policy allows it now", func(a control.Action) control.Plan {
			return control.Plan{Looked: 1, Findings: []control.Finding{finding(a.ID, control.Compliant)}}
		}, control.Withheld, "no-longer-asked", "the reason"},
		{"a waiver is in force now", func(a control.Action) control.Plan {
			return control.Plan{Looked: 1, Findings: []control.Finding{finding(a.ID, control.Waived)}}
		}, control.Withheld, "no-longer-asked", "the reason"},
		{"a waiver is in force now and it asks for it nevertheless", func(a control.Action) control.Plan {
			return control.Plan{Looked: 1, Findings: []control.Finding{finding(a.ID, control.Waived)}, Actions: []control.Action{a}}
		}, control.Withheld, "no-longer-asked", "the reason"},
		{"a waiver is in force now beside the violation", func(a control.Action) control.Plan {
			p := stillThere(a)
			p.Findings = append([]control.Finding{finding(a.ID, control.Waived)}, p.Findings...)
			return p
		}, control.Withheld, "no-longer-asked", "the reason"},
		{"the resource is gone", func(control.Action) control.Plan {
			return control.Plan{}
		}, control.AlreadyDone, "gone", "did not find it"},
		{"it asks for another call", func(a control.Action) control.Plan {
			p := stillThere(a)
			p.Findings[0].Reason = "the reason"
			p.Actions[0].Call.Operation = "TagResource"
			return p
		}, control.Withheld, "no-longer-asked", "the reason"},
		{"only something else asks for an action", func(control.Action) control.Plan {
			return stillThere(control.Action{ID: "another"})
		}, control.AlreadyDone, "gone", "did not find it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := obedient()
			w.fresh = test.fresh
			o := apply(t, w, "a")[0]
			if diff := cmp.Diff(status{"a", test.status, test.code}, statuses([]control.Outcome{o})[0]); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
			if !strings.Contains(o.Detail, test.detail) {
				t.Errorf("detail %q does not say %q", o.Detail, test.detail)
			}
			if diff := cmp.Diff([]string{"recheck a", "outcome a"}, w.log); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestApplyDoesNotWriteWithoutARecordOfTheIntent(t *testing.T) {
	w := obedient()
	w.notKept = errors.New("disk full")
	o := apply(t, w, "a")[0]
	if o.Status != control.Withheld || o.Code != "not-recorded" || !strings.Contains(o.Detail, "disk full") {
		t.Errorf("outcome %s, %s, %q; want withheld, not-recorded and the error", o.Status, o.Code, o.Detail)
	}
	if diff := cmp.Diff([]string{"recheck a", "intent a", "outcome a"}, w.log); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestApplyGoesOnAfterAFailedAction(t *testing.T) {
	w := obedient()
	w.refuse = "b"
	outcomes := apply(t, w, "a", "b", "c")
	want := []status{{"a", control.Applied, "verified"}, {"b", control.Failed, "refused"}, {"c", control.Applied, "verified"}}
	if diff := cmp.Diff(want, statuses(outcomes)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

func TestApplyRecordsAndWritesTheActionAsTheSecondReadingHasIt(t *testing.T) {
	w := obedient()
	w.fresh = func(a control.Action) control.Plan {
		a.Before = "fresh"
		p := stillThere(a)
		p.Actions = append([]control.Action{{ID: "another"}}, p.Actions...)
		return p
	}
	outcomes := control.Apply(t.Context(), t.Context(), []control.Action{{ID: "a", Before: "stale"}}, w, w)
	fresh := []control.Action{{ID: "a", Before: "fresh"}}
	want := map[string][]control.Action{"recheck": {{ID: "a", Before: "stale"}}, "intent": fresh, "write": fresh, "verify": fresh, "outcome": fresh}
	if diff := cmp.Diff(want, w.seen); diff != "" {
		t.Errorf("actions that each step saw (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(fresh[0], outcomes[0].Action); diff != "" {
		t.Errorf("action of the outcome (-want +got):\n%s", diff)
	}
}

func TestApplyBeginsNothingAfterItsTime(t *testing.T) {
	begin, stop := context.WithCancel(t.Context())
	stop()
	w := obedient()
	outcomes := applyIn(t, begin, w, "a", "b")
	if diff := cmp.Diff([]status{{"a", control.Withheld, "deadline"}, {"b", control.Withheld, "deadline"}}, statuses(outcomes)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"outcome a", "outcome b"}, w.log); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// Whatever a reading says that was cut off, its action is late and not
// undetermined, gone or asked for.
func TestApplyDoesNotWriteWhereItsTimeEndsDuringTheSecondReading(t *testing.T) {
	for name, fresh := range map[string]func(control.Action) control.Plan{
		"and it still asks for the action": stillThere,
		"and it is undetermined": func(a control.Action) control.Plan {
			return control.Plan{Findings: []control.Finding{{ID: a.ID, Verdict: control.Undetermined}}}
		},
		"and it found nothing": func(control.Action) control.Plan { return control.Plan{} },
	} {
		t.Run(name, func(t *testing.T) {
			begin, stop := context.WithCancel(t.Context())
			defer stop()
			w := obedient()
			w.onRecheck, w.fresh = stop, fresh
			outcomes := applyIn(t, begin, w, "a", "b")
			if diff := cmp.Diff([]status{{"a", control.Withheld, "deadline"}, {"b", control.Withheld, "deadline"}}, statuses(outcomes)); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"recheck a", "outcome a", "outcome b"}, w.log); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestApplyFinishesWhatItBegan(t *testing.T) {
	begin, stop := context.WithCancel(t.Context())
	defer stop()
	w := obedient()
	w.onIntent = stop
	outcomes := applyIn(t, begin, w, "a", "b")
	if diff := cmp.Diff([]status{{"a", control.Applied, "verified"}, {"b", control.Withheld, "deadline"}}, statuses(outcomes)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	// None of these says "too late": the write is made in a context that lives on.
	want := []string{"recheck a", "intent a", "write a", "verify a", "outcome a", "outcome b"}
	if diff := cmp.Diff(want, w.log); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestOnlyTheSecondReadingAndTheIntentMustBeOverBeforeTheMargin(t *testing.T) {
	w := obedient()
	applyIn(t, context.WithValue(t.Context(), beginning{}, true), w, "a")
	if diff := cmp.Diff([]string{"recheck", "intent"}, w.soon); diff != "" {
		t.Errorf("steps in the context for beginning (-want +got):\n%s", diff)
	}
}

// endless is a world in which neither a write nor the look after it ends by itself.
type endless struct{ *world }

func (w endless) Write(ctx context.Context, _ control.Action) (control.Answer, error) {
	<-ctx.Done()
	return control.Lost, ctx.Err()
}

func (w endless) Verify(ctx context.Context, _ control.Action) (control.Look, error) {
	<-ctx.Done()
	return control.Look{}, ctx.Err()
}

// Five seconds of the margin are left for the report, which are enough for it whatever
// the bus does.
func TestAWriteAndTheLookAfterItFitIntoTheMargin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		w := endless{obedient()}
		start := time.Now()
		o := control.Apply(ctx, ctx, []control.Action{{ID: "a"}}, w, w)[0]
		if o.Status != control.Failed || o.Code != "unverified" {
			t.Errorf("outcome %s, %s; want failed, unverified", o.Status, o.Code)
		}
		if took := time.Since(start); took > control.Margin-5*time.Second {
			t.Errorf("they took %v of the margin of %v", took, control.Margin)
		}
	})
}

// mute is a world in which the second reading of one action never ends by itself.
type mute struct {
	*world
	about string // ID of the action
}

func (w mute) Recheck(ctx context.Context, a control.Action) control.Plan {
	if a.ID != w.about {
		return w.world.Recheck(ctx, a)
	}
	<-ctx.Done()
	return control.Plan{Findings: []control.Finding{{ID: a.ID, Verdict: control.Undetermined, Reason: "no answer"}}}
}

func TestASecondReadingThatNeverEndsDoesNotStopTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		w := mute{obedient(), "b"}
		start := time.Now()
		outcomes := control.Apply(t.Context(), begin, []control.Action{{ID: "a"}, {ID: "b"}, {ID: "c"}}, w, w)
		want := []status{{"a", control.Applied, "verified"}, {"b", control.Withheld, "undetermined"}, {"c", control.Applied, "verified"}}
		if diff := cmp.Diff(want, statuses(outcomes)); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		if took := time.Since(start); took != 15*time.Second {
			t.Errorf("it took %v, want 15s", took)
		}
	})
}

func TestPhases(t *testing.T) {
	t.Run("leave a quarter of the time for acting, and the margin for the report", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second+control.Margin)
			defer cancel()
			look, begin, stop := control.Phases(ctx)
			defer stop()
			start := time.Now()
			<-look.Done()
			if got := time.Since(start); got != 75*time.Second || begin.Err() != nil {
				t.Errorf("reading ended after %v, want 75s; the time to begin: %v", got, begin.Err())
			}
			<-begin.Done()
			if got := time.Since(start); got != 100*time.Second || ctx.Err() != nil {
				t.Errorf("the time to begin ended after %v, want 100s; the run: %v", got, ctx.Err())
			}
		})
	})
	t.Run("are over at once where less than the margin is left", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), control.Margin)
		defer cancel()
		look, begin, stop := control.Phases(ctx)
		defer stop()
		if look.Err() == nil || begin.Err() == nil {
			t.Errorf("reading: %v, beginning: %v; want both to be over", look.Err(), begin.Err())
		}
	})
	t.Run("have no end where the run has none", func(t *testing.T) {
		look, begin, stop := control.Phases(t.Context())
		for name, phase := range map[string]context.Context{"reading": look, "beginning": begin} {
			if deadline, ok := phase.Deadline(); ok || phase.Err() != nil {
				t.Errorf("%s: deadline %v, error %v, want neither", name, deadline, phase.Err())
			}
		}
		stop()
		if look.Err() == nil || begin.Err() == nil {
			t.Error("they do not end when they are stopped")
		}
	})
	t.Run("end when they are stopped", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		look, begin, stop := control.Phases(ctx)
		stop()
		if look.Err() == nil || begin.Err() == nil || ctx.Err() != nil {
			t.Errorf("reading: %v, beginning: %v, the run: %v; want the run alone to go on", look.Err(), begin.Err(), ctx.Err())
		}
	})
}

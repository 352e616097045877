package scheduler

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"

	"portcullis/shared/localaws"
)

// A Service tells of schedules, which are set up in Go. It starts none: that is [Every].
type Service struct {
	world     *localaws.World
	schedules map[place]Schedule
}

type place struct{ account, region, name string }

// A Schedule is one of the group "default".
type Schedule struct {
	Name       string
	State      string // ENABLED if empty
	Expression string
	Target     string // ARN of what is started
	Role       string // ARN of the role that starts it
}

// New adds the API of the scheduler to a World.
func New(w *localaws.World) *Service {
	s := &Service{world: w, schedules: map[place]Schedule{}}
	w.Serve("scheduler", localaws.RESTJSON, s.route)
	return s
}

// Set makes a schedule, or changes the one that has its name.
func (s *Service) Set(account, region string, sc Schedule) {
	sc.State = cmp.Or(sc.State, "ENABLED")
	s.world.Hold(func(time.Time) { s.schedules[place{account, region, sc.Name}] = sc })
}

// Remove deletes a schedule.
func (s *Service) Remove(account, region, name string) {
	s.world.Hold(func(time.Time) { delete(s.schedules, place{account, region, name}) })
}

func (s *Service) route(r *http.Request, _ []byte) (localaws.Operation, error) {
	name, found := strings.CutPrefix(r.URL.Path, "/schedules/")
	if r.Method != http.MethodGet || !found || strings.Contains(name, "/") {
		return localaws.Operation{}, failed(http.StatusNotFound, "UnknownOperationException", "no operation %s %s", r.Method, r.URL.Path)
	}
	group := cmp.Or(r.URL.Query().Get("groupName"), "default")
	op := localaws.Operation{Name: "GetSchedule", Input: map[string]any{"Name": name, "GroupName": group}}
	op.Run = func(c localaws.Caller) (any, bool, error) { return s.get(c, group, name) }
	return op, nil
}

// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_GetSchedule.html
func (s *Service) get(c localaws.Caller, group, name string) (any, bool, error) {
	sc, found := s.schedules[place{c.Account, c.Region, name}]
	if !found || group != "default" {
		return nil, false, failed(http.StatusNotFound, "ResourceNotFoundException", "Schedule %s does not exist.", name)
	}
	return map[string]any{
		"Arn":  fmt.Sprintf("arn:aws:scheduler:%s:%s:schedule/default/%s", c.Region, c.Account, name),
		"Name": name, "GroupName": group, "State": sc.State, "ScheduleExpression": sc.Expression,
		"Target": map[string]any{"Arn": sc.Target, "RoleArn": sc.Role},
	}, false, nil
}

func failed(status int, code, format string, args ...any) error {
	return &localaws.Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

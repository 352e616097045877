package lambda

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"portcullis/shared/localaws"
)

// A Service tells by requests how functions are configured, which is set up in Go. It runs none: that is [Start].
type Service struct {
	world     *localaws.World
	functions map[place]Configuration
	mappings  map[place]Mapping
}

type place struct{ account, region, name string }

// A Configuration is that of a function.
type Configuration struct {
	Name       string
	State      string // Active if empty
	LastUpdate string // Successful if empty
	Env        map[string]string
	Layers     []string // ARNs of versions of layers
	Reserved   *int     // reserved concurrency; nil is none
}

// A Mapping has a function called with what comes into a queue.
type Mapping struct {
	ID       string
	State    string // Enabled if empty
	Source   string // ARN of the queue
	Function string // name of the function
}

// New adds the API of Lambda to a World, as far as it tells of configurations.
func New(w *localaws.World) *Service {
	s := &Service{world: w, functions: map[place]Configuration{}, mappings: map[place]Mapping{}}
	w.Serve("lambda", localaws.RESTJSON, s.route)
	return s
}

// Set configures a function, in the place of what was said before.
func (s *Service) Set(account, region string, f Configuration) {
	f.State, f.LastUpdate = cmp.Or(f.State, "Active"), cmp.Or(f.LastUpdate, "Successful")
	f.Env, f.Layers = maps.Clone(f.Env), slices.Clone(f.Layers)
	s.world.Hold(func(time.Time) { s.functions[place{account, region, f.Name}] = f })
}

// Change changes the configuration of a function that there is.
func (s *Service) Change(account, region, name string, change func(*Configuration)) {
	s.world.Hold(func(time.Time) {
		f := s.functions[place{account, region, name}]
		f.Env = maps.Clone(f.Env)
		change(&f)
		s.functions[place{account, region, name}] = f
	})
}

// Remove deletes a function.
func (s *Service) Remove(account, region, name string) {
	s.world.Hold(func(time.Time) { delete(s.functions, place{account, region, name}) })
}

// SetMapping makes or changes an event source mapping.
func (s *Service) SetMapping(account, region string, m Mapping) {
	m.State = cmp.Or(m.State, "Enabled")
	s.world.Hold(func(time.Time) { s.mappings[place{account, region, m.ID}] = m })
}

func (s *Service) route(r *http.Request, _ []byte) (localaws.Operation, error) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	key := r.Method + " " + strings.Join(slices.Delete(slices.Clone(parts), min(2, len(parts)), min(3, len(parts))), "/")
	op := localaws.Operation{Input: map[string]any{}}
	var run func(place) (any, error)
	switch key {
	case "GET 2015-03-31/functions/configuration":
		op.Name, run = "GetFunctionConfiguration", s.configuration
	case "GET 2019-09-30/functions/concurrency":
		op.Name, run = "GetFunctionConcurrency", s.concurrency
	case "GET 2015-03-31/event-source-mappings":
		op.Name, run = "GetEventSourceMapping", s.mapping
	}
	if run == nil || len(parts) < 3 {
		return op, failed("UnknownOperationException", "no operation %s %s", r.Method, r.URL.Path)
	}
	op.Input["Name"] = parts[2]
	op.Run = func(c localaws.Caller) (any, bool, error) {
		out, err := run(place{c.Account, c.Region, parts[2]})
		return out, false, err
	}
	return op, nil
}

func (p place) functionARN() string {
	return fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s", p.region, p.account, p.name)
}

func (s *Service) function(p place) (Configuration, error) {
	f, found := s.functions[p]
	if !found {
		return f, failed("ResourceNotFoundException", "Function not found: %s", p.functionARN())
	}
	return f, nil
}

// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html
func (s *Service) configuration(p place) (any, error) {
	f, err := s.function(p)
	if err != nil {
		return nil, err
	}
	layers := []any{}
	for _, arn := range f.Layers {
		layers = append(layers, map[string]any{"Arn": arn, "CodeSize": 1})
	}
	return map[string]any{
		"FunctionName": f.Name, "FunctionArn": p.functionARN(), "State": f.State, "LastUpdateStatus": f.LastUpdate,
		"Environment": map[string]any{"Variables": f.Env}, "Layers": layers,
	}, nil
}

// concurrency answers an empty object where nothing is reserved.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConcurrency.html
func (s *Service) concurrency(p place) (any, error) {
	f, err := s.function(p)
	if err != nil || f.Reserved == nil {
		return map[string]any{}, err
	}
	return map[string]any{"ReservedConcurrentExecutions": *f.Reserved}, nil
}

// https://docs.aws.amazon.com/lambda/latest/api/API_GetEventSourceMapping.html
func (s *Service) mapping(p place) (any, error) {
	m, found := s.mappings[p]
	if !found {
		return nil, failed("ResourceNotFoundException", "The resource you requested does not exist.")
	}
	return map[string]any{
		"UUID": m.ID, "State": m.State, "EventSourceArn": m.Source, "FunctionArn": place{p.account, p.region, m.Function}.functionARN(),
	}, nil
}

// Of the errors played here all are that something is not there.
func failed(code, format string, args ...any) error {
	return &localaws.Error{Status: http.StatusNotFound, Code: code, Message: fmt.Sprintf(format, args...)}
}

package lambda

import (
	"io"
	"net/http"
	"strconv"
	"time"
)

// maxPayload is Lambda's bound on the answer of a synchronous invocation.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxPayload = 6 << 20

func (p *process) runtimeAPI() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", p.serveNext)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", p.serveAnswer(false))
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", p.serveAnswer(true))
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted) // the process ends after it, and its end is what is reported
	})
	return mux
}

func (p *process) serveNext(w http.ResponseWriter, r *http.Request) {
	p.asked.Do(func() { p.ready(time.Since(p.started)) })
	select {
	case p.asks <- struct{}{}:
	case <-r.Context().Done():
		return
	}
	select {
	case inv := <-p.events:
		p.mu.Lock()
		p.current = inv.requestID
		p.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", inv.requestID)
		w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", inv.arn)
		w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(inv.deadline.UnixMilli(), 10))
		_, _ = w.Write(inv.payload)
	case <-r.Context().Done():
	}
}

// serveAnswer takes one answer for the event under way. The runtime ends its process if the status is not 202.
func (p *process) serveAnswer(failed bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPayload))
		if err != nil {
			http.Error(w, `{"errorType":"RequestEntityTooLarge"}`, http.StatusRequestEntityTooLarge)
			return
		}
		p.mu.Lock()
		expected := p.current == r.PathValue("id")
		if expected {
			p.current = ""
		}
		p.mu.Unlock()
		if !expected {
			http.Error(w, `{"errorType":"InvalidRequestID"}`, http.StatusBadRequest)
			return
		}
		p.answers <- reply{payload, failed}
		w.WriteHeader(http.StatusAccepted)
	}
}

package lambda

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTheRuntimeAPITakesOneAnswerToTheEventUnderWay(t *testing.T) {
	p := &process{answers: make(chan reply, 2), current: "one"}
	for _, test := range []struct {
		name, path, body string
		status           int
	}{
		{"an answer to another event", "/2018-06-01/runtime/invocation/two/response", "{}", http.StatusBadRequest},
		{"an answer that is too long", "/2018-06-01/runtime/invocation/one/response", strings.Repeat("x", maxPayload+1),
			http.StatusRequestEntityTooLarge},
		{"an answer", "/2018-06-01/runtime/invocation/one/response", "{}", http.StatusAccepted},
		{"a second answer", "/2018-06-01/runtime/invocation/one/error", "{}", http.StatusBadRequest},
		{"an error of the init phase", "/2018-06-01/runtime/init/error", "{}", http.StatusAccepted},
	} {
		w := httptest.NewRecorder()
		p.runtimeAPI().ServeHTTP(w, httptest.NewRequest(http.MethodPost, test.path, strings.NewReader(test.body)))
		if w.Code != test.status {
			t.Errorf("%s: got %d, not %d", test.name, w.Code, test.status)
		}
	}
	if len(p.answers) != 1 {
		t.Errorf("%d answers were taken", len(p.answers))
	}
}

package awsio

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"

	"portcullis/shared/control"
)

// home is where the tests are deployed.
func home() control.Scope { return control.Scope{Account: "111122223333", Region: "eu-west-1"} }

func environment() map[string]string {
	return map[string]string{
		"ACCOUNT_ID": "111122223333", "AWS_REGION": "eu-west-1",
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token",
	}
}

func lookup(env map[string]string) func(string) string {
	return func(name string) string { return env[name] }
}

// open returns the AWS that answers at a URL, as a deployment in a mode has it.
func open(t *testing.T, url string, mode control.Mode) *AWS {
	t.Helper()
	env := environment()
	env["AWS_ENDPOINT_URL"] = url
	a, err := FromEnvironment("external-connections", lookup(env), mode)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.http.transport.CloseIdleConnections)
	return a
}

// session opens the way home, as a deployment in the given mode does.
func (a *AWS) session(t *testing.T, mode control.Mode) *Session {
	t.Helper()
	a.mode = mode
	s, err := a.Session(home())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A server answers like AWS on a real socket, and keeps what it was asked.
type server struct {
	*AWS
	url string

	mu   sync.Mutex
	seen []string // method and path of each request
}

func serve(t *testing.T, handler http.HandlerFunc) *server {
	t.Helper()
	s := &server{}
	web := httptest.NewServer(s.keeping(handler))
	t.Cleanup(web.Close)
	s.url = web.URL
	s.AWS = open(t, s.url, control.Monitor)
	return s
}

// serveInBubble is serve without sockets, for tests in a bubble of package
// synctest. There the delays and time limits of many seconds take no time.
func serveInBubble(t *testing.T, handler http.HandlerFunc) *server {
	t.Helper()
	s := &server{url: "http://127.0.0.1"}
	wire := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	web := &http.Server{Handler: s.keeping(handler)}
	go func() { _ = web.Serve(wire) }()
	t.Cleanup(func() { _ = web.Close() })
	s.AWS = open(t, s.url, control.Monitor)
	s.http.transport.DialContext = wire.dial
	return s
}

func (s *server) keeping(handler http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.seen = append(s.seen, r.Method+" "+r.URL.Path)
		s.mu.Unlock()
		handler(w, r)
	})
}

func (s *server) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

// pipes is a network of one address, inside the process.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.IPAddr{} }

// The answers.

const repository = `{"repository":{"name":"npm-store","domainName":"corp","externalConnections":[],"upstreams":[]}}`

func answer(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func fault(status int, code string) http.HandlerFunc {
	return answer(status, `{"message":"no"}`, "X-Amzn-ErrorType", code)
}

const page = "<html><body>Please sign in</body></html>"

func works() http.HandlerFunc { return answer(http.StatusOK, repository) }

// hang answers only when the client has gone.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// stall sends the beginning of an answer, and the rest only when the client has gone.
func stall(w http.ResponseWriter, r *http.Request) {
	_, _ = w.Write([]byte(repository[:20]))
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

// closed ends the connection without an answer. On a socket it resets it.
func closed(w http.ResponseWriter, _ *http.Request) {
	conn := hijack(w)
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// truncated ends the connection in the middle of an answer.
func truncated(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", strconv.Itoa(len(repository)))
	_, _ = w.Write([]byte(repository[:len(repository)-1]))
	w.(http.Flusher).Flush()
	_ = hijack(w).Close()
}

func hijack(w http.ResponseWriter) net.Conn {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	return conn
}

// inTurn answers the first requests each in its way, and all others in the last.
func inTurn(handlers ...http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		now := handlers[0]
		if len(handlers) > 1 {
			handlers = handlers[1:]
		}
		mu.Unlock()
		now(w, r)
	}
}

func times(n int, h http.HandlerFunc, last http.HandlerFunc) http.HandlerFunc {
	var list []http.HandlerFunc
	for range n {
		list = append(list, h)
	}
	return inTurn(append(list, last)...)
}

// The calls.

func describe(ctx context.Context, cfg aws.Config) error {
	out, err := codeartifact.NewFromConfig(cfg).DescribeRepository(ctx, &codeartifact.DescribeRepositoryInput{
		Domain: aws.String("corp"), DomainOwner: aws.String("111122223333"), Repository: aws.String("npm-store"),
	})
	if err == nil && (out.Repository == nil || aws.ToString(out.Repository.Name) != "npm-store") {
		return errors.New("the answer is not the one that was sent")
	}
	return err
}

func disconnect(ctx context.Context, cfg aws.Config) error {
	_, err := codeartifact.NewFromConfig(cfg).DisassociateExternalConnection(ctx, &codeartifact.DisassociateExternalConnectionInput{
		Domain: aws.String("corp"), DomainOwner: aws.String("111122223333"), Repository: aws.String("npm-store"),
		ExternalConnection: aws.String("public:npmjs"),
	})
	return err
}

func mentions(err error, part string) bool { return err != nil && strings.Contains(err.Error(), part) }

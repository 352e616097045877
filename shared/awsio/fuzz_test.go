package awsio

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"golang.org/x/time/rate"

	"portcullis/shared/control"
)

// canned is a network that gives every request the same answer.
type canned struct {
	status int
	header http.Header
	body   []byte
}

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: c.status, Status: http.StatusText(c.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: c.header,
		ContentLength: int64(len(c.body)), Body: io.NopCloser(strings.NewReader(string(c.body))), Request: r,
	}, nil
}

// FuzzAnswer: whatever is answered, in each of the three protocols that are spoken, is
// taken for a refusal only where it names one in AWS's words, for a success only by its
// status, and for the time only where it is both. What it asks to wait is bounded, and
// what is told of it is one line.
func FuzzAnswer(f *testing.F) {
	const date, id = "Tue, 01 Sep 2026 12:00:00 GMT", "r-1"
	envelope := func(code string) string {
		return "<ErrorResponse><Error><Type>Sender</Type><Code>" + code + "</Code><Message>no</Message></Error><RequestId>r-1</RequestId></ErrorResponse>"
	}
	for _, a := range []struct {
		status                  int
		kind, date, id, waiting string
		body                    string
	}{
		{200, "", date, id, "", repository}, {200, "", date, id, "", page}, {200, "", date, id, "", "{}"}, {200, "", date, id, "", "null"}, {200, "", "noon", "", "", ""},
		{200, "", date, id, "", `{"Arn":"x","Policy":null}`}, {200, "ResourceNotFoundException", date, id, "", repository[:40]},
		{200, "", date, id, "", "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"},
		{404, "ResourceNotFoundException", date, id, "", `{"message":"no"}`}, {404, "", date, id, "", page}, {404, "", "", "", "", `{"__type":"com.amazonaws.events#ResourceNotFoundException","message":"a\nb"}`},
		{403, "AccessDeniedException:http://internal.amazon.com/", date, id, "", "{}"}, {403, "", date, id, "", envelope("ExpiredToken")}, {403, "", "", "", "", page},
		{429, "ThrottlingException", date, id, "3", "{}"}, {429, "", "", "", "9223372036854775807", page}, {503, "", date, id, "-1", page}, {500, "InternalServerException", date, id, "1.5", "{}"},
		{409, "ConflictException", date, id, " 1", `{"code":"ConflictException"}`}, {301, "", date, id, "", ""}, {418, "x", "Tuesday, 01-Sep-26 12:00:00 PST", id, "9999999999999", envelope("Throttling")},
	} {
		f.Add(a.status, a.kind, a.date, a.id, a.waiting, []byte(a.body))
	}
	deployment, err := FromEnvironment("external-connections", lookup(environment()), control.Enforce)
	if err != nil {
		f.Fatal(err)
	}
	calls := map[string]func(context.Context, aws.Config) error{
		"codeartifact": func(ctx context.Context, c aws.Config) error {
			_, err := codeartifact.NewFromConfig(c).DescribeRepository(ctx, &codeartifact.DescribeRepositoryInput{Domain: aws.String("corp"), Repository: aws.String("npm-store")})
			return err
		},
		"eventbridge": func(ctx context.Context, c aws.Config) error {
			_, err := eventbridge.NewFromConfig(c).DescribeEventBus(ctx, nil)
			return err
		},
		"sts": func(ctx context.Context, c aws.Config) error {
			_, err := sts.NewFromConfig(c).GetCallerIdentity(ctx, nil)
			return err
		},
	}
	f.Fuzz(func(t *testing.T, status int, kind, date, id, waiting string, body []byte) {
		if status < 200 || status > 599 { // what is no status never comes out of net/http
			status = 200 + (status&0x7fffffff)%400
		}
		header := http.Header{"X-Amzn-Errortype": {kind}, "Date": {date}, "X-Amzn-Requestid": {id}, "Retry-After": {waiting}}
		// What names a code in a roundabout way is not looked for here.
		said := folded(kind + " " + string(body))
		plain := !strings.ContainsAny(said, `\&`) && !strings.Contains(said, "<!") && !strings.Contains(said, "<?")
		for service, call := range calls {
			transport := &http.Transport{TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}
			transport.RegisterProtocol("https", canned{status, header, body})
			deployment.http, deployment.pacers = httpClient{transport}, &pacers{reads: rate.Inf, writes: rate.Inf, by: map[lane]*pacer{}}
			session, err := deployment.Session(home())
			if err != nil {
				t.Fatal(err)
			}
			err = call(t.Context(), session.Writes) // which tries once
			class, success := Classify(err), status < 300

			if err == nil && !success {
				t.Errorf("%s: status %d is taken for a success", service, status)
			}
			got := Answer(err)
			switch {
			case success && err != nil && got != control.Lost:
				t.Errorf("%s: status %d, and answer %d of error %v", service, status, got, err)
			case got == control.Refused && plain && !slices.ContainsFunc(codes(""), func(c string) bool { return strings.Contains(said, folded(c)) }):
				t.Errorf("%s: refused, which nobody said: %v", service, err)
			}
			// Each of these is acted on, or tells a person what to do.
			for _, only := range []Class{NotFound, Conflict, Invalid, Credentials} {
				if class == only && plain && !slices.ContainsFunc(codes(only), func(c string) bool { return strings.Contains(said, folded(c)) }) {
					t.Errorf("%s: %s, which nobody said: %v", service, only, err)
				}
			}
			if class == Timeout || class == Unreachable || class == Deadline {
				t.Errorf("%s: there was an answer, and it is %s: %v", service, class, err)
			}

			now := session.Clock.Now()
			if (err != nil || id == "" || date == "") && !now.IsZero() {
				t.Errorf("%s: error %v, id %q, date %q, and the time is %v", service, err, id, date, now)
			}
			if at, e := time.Parse(http.TimeFormat, date); e == nil && err == nil && id != "" && !now.Equal(at) {
				t.Errorf("%s: date %q, and the time is %v", service, date, now)
			}

			if err == nil {
				continue
			}
			asked := retryAfter(err)
			if asked < 0 || asked > maxDelay {
				t.Errorf("%s: it waits %v for %q", service, asked, waiting)
			}
			if digits.MatchString(waiting) && len(strings.TrimLeft(waiting, "0")) > 1 && len(waiting) < 19 && asked != maxDelay {
				t.Errorf("%s: it was asked to wait %s, and waits %v", service, waiting, asked)
			}
			for attempt := -1; attempt < 8; attempt++ {
				if delay, e := (patient{}).RetryDelay(attempt, err); e != nil || delay < asked || delay > maxDelay {
					t.Errorf("%s: attempt %d waits %v, error %v", service, attempt, delay, e)
				}
			}
			for _, ctx := range []context.Context{t.Context(), ByHand(t.Context())} {
				if failure, told := Failure(ctx, "asking", err); failure != class || !strings.HasPrefix(told, "asking: ") || strings.Contains(told, "\n") {
					t.Errorf("%s: %s is told as %s: %q", service, class, failure, told)
				}
			}
		}
	})
}

// folded makes letters equal that the SDK does not tell apart in a code.
func folded(s string) string { return strings.ToLower(strings.ToUpper(s)) }

// codes are the codes of a class, or of all.
func codes(of Class) []string {
	var list []string
	for code, class := range byCode {
		if of == "" || class == of {
			list = append(list, code)
		}
	}
	return list
}

// FuzzEnvironment: what the deployment says of members and caps is refused with what to
// set, or reaches an account that is written there and no other, and keeps a pace.
func FuzzEnvironment(f *testing.F) {
	const org = "o-a1b2c3d4e5"
	for _, e := range [][8]string{
		{"", member, "", "portcullis-eu-west-1", "s3cret", "", "", member}, {"", " 999988887777, 444455556666 ,", "", "r", "x", "0", "5", stranger},
		{org, "", stranger, "r", "x", "10", "1", stranger}, {org, "", "", "r", "x", "", "", "44445555666６"}, {org, member, "", "r", "x", "", "", ""},
		{"", "4444", "", "r", "x", "", "", "4444"}, {"", member, member, "r", "x", "-1", "", member}, {"", member, "", "", "", "", "1e9", member},
		{"r-a1b2", "", "", "r", "x", "99999999999", "", ""}, {"", "444455556666\n", "", "r", "x", "", "", member}, {"", "", "111122223333", "", "", "", "", ""},
	} {
		f.Add(e[0], e[1], e[2], e[3], e[4], e[5], e[6], e[7])
	}
	f.Fuzz(func(t *testing.T, organization, listed, excluded, roles, externalID, reads, writes, account string) {
		env := environment()
		env["ORGANIZATION_ID"], env["MEMBER_ACCOUNTS"], env["EXCLUDED_ACCOUNTS"], env["MEMBER_ROLES"], env["EXTERNAL_ID"] = organization, listed, excluded, roles, externalID
		env["READS_PER_SECOND"], env["WRITES_PER_SECOND"] = reads, writes
		a, err := FromEnvironment("external-connections", lookup(env), control.Monitor)
		if err != nil {
			if a != nil || !slices.ContainsFunc([]string{"ORGANIZATION_ID", "_ACCOUNTS", "MEMBER_ROLES", "_PER_SECOND"}, func(name string) bool { return strings.Contains(err.Error(), name) }) {
				t.Errorf("%+v beside error %v", a, err)
			}
			return
		}
		m := a.Members()
		for _, id := range slices.Concat(m.Listed, m.Excluded) {
			if len(id) != 12 || strings.Trim(id, "0123456789") != "" || !strings.Contains(listed+","+excluded, id) {
				t.Errorf("account %q of %q and %q", id, listed, excluded)
			}
		}
		if organization != "" && m.Listed != nil || (organization != "" || m.Listed != nil) && (roles == "" || externalID == "") {
			t.Errorf("%+v", m)
		}
		for _, id := range append([]string{account, home().Account}, m.Listed...) {
			session, err := a.Session(control.Scope{Account: id, Region: home().Region})
			admitted := len(id) == 12 && strings.Trim(id, "0123456789") == "" && !strings.Contains(excluded, id) && (organization != "" || strings.Contains(listed, id))
			if (err == nil) != (admitted || id == home().Account) || (session != nil) != (err == nil) {
				t.Errorf("account %q, %+v: a way in is %v", id, m, err)
			}
			if session != nil && id != home().Account && session.Role() != "arn:aws:iam::"+id+":role/"+roles+"-read" {
				t.Errorf("account %q is read as %q", id, session.Role())
			}
		}
		for value, limit := range map[string]rate.Limit{reads: a.pacers.reads, writes: a.pacers.writes} {
			if limit <= 0 || limit == rate.Inf && strings.Trim(value, "0") != "" || limit != rate.Inf && limit > 1<<31 {
				t.Errorf("cap %q is %v", value, limit)
			}
		}
	})
}

// Package sts is the STS of a [localaws.World]: it gives out the credentials of roles to those whom the roles trust.
//
// A role exists once it was made with [localaws.World.Role]; whom it trusts is said here with [Service.Trust]. Signatures
// are not verified anywhere in the World, so what is checked is what a deployment can get wrong: the role, the principal,
// the external id and, where the caller is a limited role, its own permission.
package sts

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"time"

	"portcullis/shared/localaws"
)

// A Service is the STS of a World. It is the same in every Region.
type Service struct {
	world  *localaws.World
	trusts map[localaws.Role]Trust
}

// A Trust is the trust policy of a role.
type Trust struct {
	// Principals are the exact ARNs of those who may assume the role: another role, or arn:aws:iam::ACCOUNT:root for the
	// credentials of an account. Unlike in IAM the root stands for nobody else in its account.
	Principals []string
	ExternalID string // which they must send; empty where none is asked for
}

// New adds STS to a World.
func New(w *localaws.World) *Service {
	s := &Service{world: w, trusts: map[localaws.Role]Trust{}}
	w.Serve("sts", localaws.Query, s.route)
	return s
}

// Trust says who may assume a role, in the place of what was said before. Nobody may until it is said, nor after the role
// was removed. Sessions that are open stay so.
func (s *Service) Trust(r localaws.Role, t Trust) {
	t.Principals = slices.Clone(t.Principals)
	s.world.Hold(func(time.Time) { s.trusts[r] = t })
}

const version = "2011-06-15"

func (s *Service) route(_ *http.Request, body []byte) (localaws.Operation, error) {
	op, form, err := localaws.ReadQuery(body, version)
	if err != nil {
		return op, err
	}
	switch op.Name {
	case "AssumeRole":
		// CloudTrail counts it among the reads.
		op.Resource = form.Get("RoleArn")
		op.Run = func(c localaws.Caller) (any, bool, error) { return s.assumeRole(c, form) }
	case "GetCallerIdentity":
		op.Open = true // nobody can be denied it
		op.Run = func(c localaws.Caller) (any, bool, error) { return callerIdentity(c), false, nil }
	default:
		return op, localaws.UnknownAction(op.Name, version)
	}
	return op, nil
}

type callerIdentityResult struct {
	XMLName xml.Name `xml:"GetCallerIdentityResult"`
	ARN     string   `xml:"Arn"`
	UserID  string   `xml:"UserId"`
	Account string
}

// callerIdentity tells the caller of itself.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
func callerIdentity(c localaws.Caller) callerIdentityResult {
	out := callerIdentityResult{ARN: c.ARN(), UserID: c.Account, Account: c.Account}
	if c.Principal != "" {
		out.UserID = roleID + ":" + c.Session
	}
	return out
}

// roleID stands for the unique id of every role.
const roleID = "AROALOCAL"

type assumeRoleResult struct {
	XMLName         xml.Name `xml:"AssumeRoleResult"`
	AccessKeyID     string   `xml:"Credentials>AccessKeyId"`
	SecretAccessKey string   `xml:"Credentials>SecretAccessKey"`
	SessionToken    string   `xml:"Credentials>SessionToken"`
	Expiration      string   `xml:"Credentials>Expiration"`
	UserID          string   `xml:"AssumedRoleUser>AssumedRoleId"`
	ARN             string   `xml:"AssumedRoleUser>Arn"`
}

// assumeRole opens a session. A session is valid as long as its role is there. Its Expiration is by the real clock, and not
// by the World's: an SDK holds it against the real clock to know when to ask anew, and would find credentials of a World
// that stands in another year spent at once, or good for ever. So nothing expires here by itself.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func (s *Service) assumeRole(c localaws.Caller, form url.Values) (any, bool, error) {
	duration, err := validate(c, form)
	if err != nil {
		return nil, false, err
	}
	arn, session := form.Get("RoleArn"), form.Get("RoleSessionName")
	role, found := c.FindRole(arn)
	trust := s.trusts[role]
	caller := c.Principal
	if caller == "" {
		caller = c.ARN()
	}
	if !found || !slices.Contains(trust.Principals, caller) || trust.ExternalID != "" && form.Get("ExternalId") != trust.ExternalID {
		// The same whatever the reason, so that nothing can be learnt from it.
		return nil, false, &localaws.Error{Status: http.StatusForbidden, Code: "AccessDenied",
			Message: fmt.Sprintf("User: %s is not authorized to perform: sts:AssumeRole on resource: %s", c.ARN(), arn)}
	}
	credentials := c.NewSession(role, session)
	assumed := localaws.Caller{Principal: arn, Session: session}
	return assumeRoleResult{
		AccessKeyID: credentials.AccessKeyID, SecretAccessKey: credentials.SecretAccessKey, SessionToken: credentials.SessionToken,
		Expiration: time.Now().Add(duration).UTC().Format(time.RFC3339),
		UserID:     roleID + ":" + session, ARN: assumed.ARN(),
	}, false, nil
}

// parameters are those that are taken here, with what the API's model says about them. What else a request could ask for,
// such as a session policy, would make the session something that is not played here, and is refused.
var parameters = map[string]*regexp.Regexp{
	"RoleArn":         regexp.MustCompile(`\A\S{20,1000}\S{0,1000}\S{0,48}\z`), // Go counts to 1,000 in one repetition
	"RoleSessionName": regexp.MustCompile(`\A[\w+=,.@-]{2,64}\z`),
	"ExternalId":      regexp.MustCompile(`\A[\w+=,.@:/-]{2,1000}[\w+=,.@:/-]{0,224}\z`),
	"DurationSeconds": regexp.MustCompile(`\A[0-9]{1,9}\z`),
}

// The bounds of a session. A session that a role opens lasts an hour at most; so does any other here, because an hour is
// what a role allows unless it is set up otherwise.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining
const (
	shortest = 15 * time.Minute
	longest  = time.Hour
)

func validate(c localaws.Caller, form url.Values) (time.Duration, error) {
	for name, values := range form {
		if name == "Action" || name == "Version" {
			continue
		}
		allowed := parameters[name]
		if allowed == nil {
			return 0, invalid("the parameter %s is not taken here", name)
		}
		if len(values) != 1 || !allowed.MatchString(values[0]) {
			return 0, invalid("1 validation error detected: the value of %s does not match %s", name, allowed)
		}
	}
	for _, name := range []string{"RoleArn", "RoleSessionName"} {
		if !form.Has(name) {
			return 0, invalid("1 validation error detected: %s is required", name)
		}
	}
	if !form.Has("DurationSeconds") {
		return longest, nil
	}
	seconds, _ := strconv.Atoi(form.Get("DurationSeconds")) // it is a number, see above
	duration := time.Duration(seconds) * time.Second
	switch {
	case duration < shortest:
		return 0, invalid("1 validation error detected: DurationSeconds %d is less than %.0f", seconds, shortest.Seconds())
	case duration > longest && c.Principal != "":
		return 0, invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	case duration > longest:
		return 0, invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	return duration, nil
}

func invalid(format string, args ...any) error {
	return &localaws.Error{Status: http.StatusBadRequest, Code: "ValidationError", Message: fmt.Sprintf(format, args...)}
}

// Package signin finds out as whom somebody at a terminal calls AWS: which
// credentials, by the conventions of the AWS CLI and the SDKs, which account they
// are of, and in which Regions to look.
//
// It alone knows the SDK's search for credentials. Nothing that runs in Lambda may
// import it.
package signin

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"

	"portcullis/shared/awsio"
	"portcullis/shared/control"
)

// searchTime bounds the search for credentials. Some kinds of them ask a service
// that may not be there.
const searchTime = 30 * time.Second

// askTime bounds the one question whose credentials these are, with all attempts. A
// person waits, and what does not answer now will hardly answer all that is asked next.
const askTime = 10 * time.Second

// Options are what a command line says. Each has the meaning that it has for the
// AWS CLI.
type Options struct {
	Profile  string   // empty: AWS_PROFILE, or the default one
	Regions  []string // none: AWS_REGION, or that of the profile
	Endpoint string   // empty: AWS_ENDPOINT_URL, or that of the profile, or AWS's own

	// Token asks the person for the code of an MFA device. Nil where nobody can be
	// asked.
	Token func() (string, error)
}

// Login is a person's way into AWS.
type Login struct {
	Account string // that the credentials are of
	ARN     string // of the user or role session
	Regions []string

	credentials aws.CredentialsProvider
	endpoint    string
}

// In finds credentials, and asks AWS whose they are, in every Region. An error says
// what to do about it.
func In(ctx context.Context, o Options) (*Login, error) {
	search, cancel := context.WithTimeout(ctx, searchTime)
	defer cancel()
	load := []func(*config.LoadOptions) error{
		config.WithLogger(logging.Nop{}), // what it would say is not about what the person asked for
		config.WithAssumeRoleCredentialOptions(func(a *stscreds.AssumeRoleOptions) { a.TokenProvider = o.Token })}
	if o.Profile != "" {
		load = append(load, config.WithSharedConfigProfile(o.Profile))
	}
	cfg, err := config.LoadDefaultConfig(search, load...)
	if err != nil {
		return nil, explainConfig(err)
	}
	l := &Login{Regions: o.Regions, credentials: cfg.Credentials, endpoint: o.Endpoint}
	if l.endpoint == "" {
		l.endpoint = aws.ToString(cfg.BaseEndpoint)
	}
	if l.endpoint != "" && !isAddress(l.endpoint) {
		return nil, fmt.Errorf("%.80q is no place to send credentials to; write the https:// address of an endpoint as --endpoint-url or AWS_ENDPOINT_URL, or an http:// one of this machine", l.endpoint)
	}
	if len(l.Regions) == 0 && cfg.Region != "" {
		l.Regions = []string{cfg.Region}
	}
	if len(l.Regions) == 0 {
		return nil, errors.New("no Region is set; name one with --region, or set AWS_REGION")
	}
	l.Regions = each(l.Regions)
	for _, r := range l.Regions {
		if !regexp.MustCompile(`^[a-z]+(-[a-z]+)+-[0-9]+$`).MatchString(r) {
			return nil, fmt.Errorf("%.40q is not the name of a Region; write one such as --region eu-west-1", r)
		}
	}
	if _, err := cfg.Credentials.Retrieve(search); err != nil {
		return nil, explainCredentials(ctx, err)
	}
	for _, r := range l.Regions {
		if err := l.identify(ctx, r); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// isAddress tells whether something may be called there. Every call of [awsio] is held
// to the same again; here it can be said which option is meant.
func isAddress(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil || u.Hostname() == "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && awsio.IsLoopback(u.Hostname())
}

// each leaves out what comes again: a Region that is named twice is one Region.
func each(names []string) []string {
	var list []string
	for _, name := range names {
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// AWS returns the way into one Region.
func (l *Login) AWS(region string, mode control.Mode) *awsio.AWS {
	return awsio.ForPerson(l.credentials, control.Scope{Account: l.Account, Region: region}, l.endpoint, mode)
}

// identify asks whose credentials these are.
func (l *Login) identify(ctx context.Context, region string) error {
	a := l.AWS(region, control.Monitor)
	session, err := a.Session(a.Home())
	if err != nil {
		return err
	}
	out, err := sts.NewFromConfig(session.Reads).GetCallerIdentity(awsio.WithBudget(ctx, askTime), &sts.GetCallerIdentityInput{})
	if err != nil {
		class, reason := awsio.Failure(ctx, fmt.Sprintf("asking AWS in Region %s whose credentials these are", region), err)
		switch {
		case class == awsio.Unreachable:
			reason += "; see that --region, or AWS_REGION, is the name of one"
		case (class == awsio.Other || class == awsio.Unavailable) && l.endpoint != "":
			reason += "; see where --endpoint-url, or AWS_ENDPOINT_URL, leads"
		}
		return errors.New(reason)
	}
	if l.Account == "" {
		l.Account, l.ARN = aws.ToString(out.Account), aws.ToString(out.Arn)
	}
	if l.Account == "" || aws.ToString(out.Account) != l.Account {
		return fmt.Errorf("in Region %s AWS says that the credentials are of account %q, not of %q; see where --endpoint-url leads", region, aws.ToString(out.Account), l.Account)
	}
	return nil
}

func explainConfig(err error) error {
	var missing config.SharedConfigProfileNotExistError
	if errors.As(err, &missing) {
		return fmt.Errorf("there is no profile %q; `aws configure list-profiles` lists those there are", missing.Profile)
	}
	return fmt.Errorf("reading the AWS configuration: %w; mend ~/.aws/config, ~/.aws/credentials or the AWS_ variables", err)
}

func explainCredentials(ctx context.Context, err error) error {
	text := err.Error()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case strings.Contains(text, "no EC2 IMDS role found") || strings.Contains(text, "failed to refresh cached credentials, static credentials are empty"):
		return errors.New("there are no AWS credentials; name a profile with --profile, set AWS_PROFILE, or sign in, for example with `aws sso login`")
	default:
		return fmt.Errorf("getting AWS credentials: %s; sign in again, for example with `aws sso login`, and see that it is the right profile", strings.ReplaceAll(text, "\n", "; "))
	}
}

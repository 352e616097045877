package simulate

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/codeartifact"

	"portcullis/shared/localaws"
	"portcullis/shared/localaws/cloudtrail"
	"portcullis/shared/localaws/codeartifact"
	"portcullis/shared/localaws/eventbridge"
	"portcullis/shared/localaws/proton"
	"portcullis/shared/localaws/sts"
)

const (
	hub    = "111122223333"
	web    = "222233334444"
	lab    = "333344445555"
	region = "eu-west-1"
	bus    = "portcullis"
)

// everybody is all accounts, and what each calls its domain.
var everybody = []string{hub, web, lab}

var domainOf = map[string]string{hub: "corp", web: "web", lab: "lab"}

var (
	repositories = []string{"app", "gate", "store", "tool"}
	registries   = []string{"public:npmjs", "public:pypi", "public:maven-central"}
	patterns     = []string{"/maven/*", "/maven/com.acme/*", "/npm/*", "/npm/acme/*", "/npm/acme/ui$", "/npm/acme/ui-*", "/npm/acme~", "/npm/other/*"}
	environments = []string{"dev", "prod", "test"}
)

// A pkg names a package, whether or not it exists.
type pkg struct{ format, namespace, name string }

// probes are the packages that are looked at for what they may do. Some of them
// look like others.
var probes = []pkg{
	{"npm", "acme", "ui"}, {"npm", "acme", "ui-kit"}, {"npm", "ac-me", "ui"}, {"npm", "acme", "UI"}, {"npm", "Acme", "core"},
	{"npm", "", "lodash"}, {"npm", "other", "x"}, {"maven", "com.acme", "core"}, {"maven", "com-acme", "core"}, {"maven", "org.x", "y"},
}

// stage is a local AWS with an organization in it, and Portcullis in one account.
type stage struct {
	world    *localaws.World
	artifact *codeartifact.Service
	proton   *proton.Service
	trust    *sts.Service
	rules    *rules // what is deployed
	judged   *rules // what a run is judged by that begins in a new process
	policy   string // path of the file

	mail      []eventbridge.Event // events that were told, and may be delivered
	queue     []message           // of package-origins
	handled   []message           // what it took off; it may come again
	packages  map[home]bool
	requests  []*request
	processes map[string]*process
	runs      int
	events    *eventbridge.Service

	broken  broken                       // what is wrong with the program, to see whether the judge sees it
	open    func(move) (*record, string) // what a run is about, and its payload; nil for none
	line    *line
	running []*record // the run that is under way, or was just now, and the one beside it
	others  sync.WaitGroup
	failed  error // why a run could not begin
	serving *call
	aim     string // ARN of what a run is at, while somebody is quicker; empty otherwise
}

// home is where a package is.
type home struct {
	owner, repository string
	pkg               pkg
}

// request is a connection of Proton, as far as the API does not tell of it in Go.
type request struct {
	id, from, to, name  string
	requested, modified time.Time
}

func start() time.Time { return time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC) }

// newStage builds the stage in a World, which was made outside the bubble because it
// listens on loopback.
func newStage(w *localaws.World, r *rules, page int, b broken, folder string) (*stage, error) {
	s := &stage{
		world: w, artifact: codeartifact.New(w), events: eventbridge.New(w), broken: b,
		packages: map[home]bool{}, policy: filepath.Join(folder, "policy.yaml"),
	}
	s.proton = proton.New(w, s.events)
	s.proton.SetQuota(1000)
	s.proton.SetPageLimit(page)
	s.artifact.SetPageLimit(page)
	s.events.AddBus(hub, region, bus)
	keep := func(events []eventbridge.Event) []eventbridge.Event {
		s.mail = append(s.mail, events...)
		s.enqueue(events)
		return nil
	}
	cloudtrail.New(w, s.artifact, s.events).Deliver(keep)
	s.proton.Deliver(keep)
	w.OnCall(s.heard)
	w.OnAnswer(s.answered)
	s.trust = sts.New(w)
	for _, account := range everybody[1:] {
		var all []string
		for _, control := range controls {
			all = append(all, w.Role(hub, "simulated-"+control).ARN())
		}
		s.trust.Trust(w.Role(account, "simulated-read"), sts.Trust{Principals: all, ExternalID: "an-external-id"})
	}
	for _, account := range everybody {
		d := s.artifact.AddDomain(account, region, domainOf[account])
		d.AddRepository(repositories[2])
	}
	return s, s.deploy(r)
}

// deploy deploys Portcullis, or deploys it anew. What ran before is not asked any more.
func (s *stage) deploy(r *rules) error {
	s.judged, s.processes = r, map[string]*process{}
	if s.rules != nil && s.broken.stale {
		return nil
	}
	if s.broken.deployed != nil {
		r = s.broken.deployed(*r)
	}
	s.rules = r
	for _, control := range controls {
		own := s.world.Role(hub, "simulated-"+control)
		for _, account := range everybody[1:] {
			write := sts.Trust{ExternalID: "an-external-id"}
			if r.writers[account] {
				write.Principals = []string{own.ARN()}
			}
			s.trust.Trust(s.world.Role(account, "simulated-"+control+"-write"), write)
		}
	}
	return os.WriteFile(s.policy, []byte(r.yaml()), 0o600)
}

// environment is what a deployment gives to a function.
func (s *stage) environment(control string) map[string]string {
	who := s.world.Role(hub, "simulated-"+control).Session("function")
	return map[string]string{
		"ACCOUNT_ID": hub, "AWS_REGION": region, "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
		"AWS_ACCESS_KEY_ID": who.AccessKeyID, "AWS_SECRET_ACCESS_KEY": who.SecretAccessKey, "AWS_SESSION_TOKEN": who.SessionToken,
		"ENFORCEMENT_MODE": s.rules.mode(control), "EVENT_BUS": bus, "POLICY_FILE": s.policy,
		"ROLE_ARN":        s.world.Role(hub, "simulated-"+control).ARN(),
		"MEMBER_ACCOUNTS": web + "," + lab, "MEMBER_ROLES": "simulated", "EXTERNAL_ID": "an-external-id",
		"READS_PER_SECOND": "0", "WRITES_PER_SECOND": "0",
		"AWS_LAMBDA_LOG_LEVEL": map[bool]string{true: "DEBUG"}[control == origins], // else it is silent about what is guarded
	}
}

func (s *stage) domain(account string) codeartifact.Domain {
	return s.artifact.Domain(account, region, domainOf[account])
}

// packagesAPI is CodeArtifact for a person in an account.
func (s *stage) packagesAPI(account string) *sdk.Client {
	who := s.world.Account(account)
	return sdk.New(sdk.Options{
		Region: region, BaseEndpoint: aws.String("http://127.0.0.1:1"), HTTPClient: &http.Client{Transport: direct{s.world}},
		Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: who.AccessKeyID, SecretAccessKey: who.SecretAccessKey, SessionToken: who.SessionToken}, nil
		}),
	})
}

// protonCall is a call of Proton by a person in an account.
func (s *stage) protonCall(account, operation string, input map[string]string) map[string]any {
	body, _ := json.Marshal(input) //nolint:errchkjson // strings always encode
	req, _ := http.NewRequest(http.MethodPost, "http://127.0.0.1:1/", strings.NewReader(string(body)))
	req.Header.Set("X-Amz-Target", "AwsProton20200720."+operation)
	req.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/20261120/%s/proton/aws4_request, SignedHeaders=host, Signature=x", s.world.Account(account).AccessKeyID, region))
	resp, err := direct{s.world}.RoundTrip(req)
	if err != nil {
		return nil
	}
	var out struct{ EnvironmentAccountConnection map[string]any }
	if json.NewDecoder(resp.Body).Decode(&out) != nil || resp.StatusCode != http.StatusOK {
		return nil
	}
	return out.EnvironmentAccountConnection
}

// step is one thing that somebody does. Its numbers choose among what there is, so
// that it means something whatever came before.
type step struct{ What, A, B, C, D int }

func (st step) account() string { return everybody[st.A%len(everybody)] }

func pick[T any](from []T, i int) T { return from[i%len(from)] }

// deeds are what people, pipelines and infrastructure code do. Each returns what it
// was, in words.
var deeds = []func(s *stage, st step) string{
	func(s *stage, st step) string { // a person connects a repository
		owner, name := st.account(), pick(repositories, st.B)
		d := s.domain(owner)
		administrator := owner
		if st.D%5 == 0 {
			administrator = pick(everybody, st.A+1+st.D%2)
		}
		d.AddRepositoryOf(administrator, name).Upstream()
		return s.associate(owner, name, pick(registries, st.C))
	},
	func(s *stage, st step) string { // infrastructure code puts back what its configuration names
		owner := st.account()
		for _, name := range repositories[:1+st.B%2] {
			s.domain(owner).AddRepository(name)
			s.associate(owner, name, pick(registries, st.C))
		}
		return "infrastructure code of " + owner + " is applied: it names connections of " + strings.Join(repositories[:1+st.B%2], ", ")
	},
	func(s *stage, st step) string {
		r := s.domain(st.account()).Repository(pick(repositories, st.B))
		if at := strings.Split(s.aim, ":repository/"+r.Domain.Name+"/"); len(at) == 2 {
			r.Name = at[1]
		}
		r.Connect()
		if st.D%2 == 0 {
			return "somebody disconnects " + r.ARN()
		}
		return "somebody disconnects " + r.ARN() + "; then " + s.associate(st.account(), r.Name, pick(registries, st.C))
	},
	func(s *stage, st step) string {
		r := s.domain(st.account()).AddRepository(pick(repositories, st.B))
		r.Connect()
		r.Upstream(pick(repositories, st.C))
		return r.ARN() + " draws from " + pick(repositories, st.C)
	},
	func(s *stage, st step) string {
		name := pick(repositories, st.B)
		s.domain(st.account()).Repository(name).Remove()
		for h := range s.packages {
			if h.owner == st.account() && h.repository == name {
				delete(s.packages, h)
			}
		}
		return "repository " + name + " of " + st.account() + " is deleted"
	},
	addGroup, addGroup, addGroup,
	func(s *stage, st step) string { // look-alikes of the third are blocked as long as it is there, and then match the second
		d := s.domain(st.account())
		for _, r := range restrictions {
			d.PackageGroup("/maven/*").Add().SetMode(r, codeartifact.Block)
			d.PackageGroup("/maven/com-acme/*").Add().SetMode(r, codeartifact.Allow)
		}
		return d.PackageGroup("/maven/com.acme/core$").Add().ARN() + " is made beside an open one that looks like it, under one that is closed"
	},
	func(s *stage, st step) string {
		g := s.group(st)
		g.Remove()
		return "somebody deletes " + g.ARN()
	},
	func(s *stage, st step) string {
		g := s.group(st)
		g.Remove()
		s.world.Advance(time.Second)
		g.Add()
		return "somebody makes " + g.ARN() + " anew"
	},
	setMode, setMode,
	func(s *stage, st step) string {
		g := s.group(st)
		key := pick([]string{"portcullis:keep", "team:owned", "team", "aws:cloudformation:stack-id"}, st.C)
		if st.D%3 == 0 {
			g.Untag(key)
			return "the tag " + key + " is taken off " + g.ARN()
		}
		g.Tag(key, "x")
		return "the tag " + key + " is set on " + g.ARN()
	},
	func(s *stage, st step) string {
		g := s.group(st)
		if st.D%2 == 0 {
			g.Untag(markTag)
			return "our mark is taken off " + g.ARN()
		}
		since, created := s.world.Now().Add(-time.Duration(st.C)*time.Hour).Format(time.RFC3339), g.State().Created.UnixMilli()
		value := pick([]string{"x", fmt.Sprintf("%s/%d", since, created), fmt.Sprintf("%s/%d", since, created+1)}, st.D/2)
		g.Tag(markTag, value)
		return "somebody sets the mark " + value + " on " + g.ARN()
	},
	func(s *stage, st step) string {
		g := s.group(st)
		g.Inform(pick([]string{"", "of the web team", "do not delete"}, st.C), pick([]string{"", "web@example.com"}, st.D))
		return g.ARN() + " is described anew"
	},
	func(s *stage, st step) string {
		p := pick(probes, st.B)
		for range probes {
			if pattern, _, _ := s.domain(st.account()).Effective(p.format, p.namespace, p.name); s.aim == "" || s.domain(st.account()).PackageGroup(pattern).ARN() == s.aim {
				break
			}
			st.B++
			p = pick(probes, st.B)
		}
		name := pick(repositories, st.C)
		s.domain(st.account()).AddRepository(name)
		s.domain(st.account()).AddPackage(name, p.format, p.namespace, p.name)
		s.packages[home{st.account(), name, p}] = true
		return fmt.Sprintf("a pipeline publishes %v in %s of %s", p, name, st.account())
	},
	func(s *stage, st step) string {
		p := pick(probes, st.B)
		for _, name := range repositories {
			s.domain(st.account()).RemovePackage(name, p.format, p.namespace, p.name)
			delete(s.packages, home{st.account(), name, p})
		}
		return fmt.Sprintf("%v is removed from %s", p, st.account())
	},
	ask, ask, ask,
	func(s *stage, st step) string {
		r := s.request(st)
		if r == nil {
			return "nothing to accept"
		}
		if s.protonCall(r.to, "AcceptEnvironmentAccountConnection", map[string]string{"id": r.id}) != nil {
			r.modified = s.world.Now()
		}
		return "somebody in " + r.to + " accepts " + r.id
	},
	func(s *stage, st step) string {
		r := s.request(st)
		if r == nil {
			return "nothing to update"
		}
		if s.protonCall(r.from, "UpdateEnvironmentAccountConnection", map[string]string{"id": r.id, "roleArn": roleOf(r.from, st.C)}) != nil {
			r.modified = s.world.Now()
		}
		return "somebody in " + r.from + " changes the role of " + r.id
	},
	func(s *stage, st step) string {
		r := s.request(st)
		if r == nil || s.proton.Connection(region, r.id).Status() != proton.Connected {
			return "nothing to use"
		}
		s.proton.AddEnvironment(r.to, region, r.name).Connect(s.proton.Connection(region, r.id))
		return "environment " + r.name + " of " + r.to + " uses " + r.id
	},
	func(s *stage, st step) string {
		r := s.request(st)
		if r == nil {
			return "nothing to delete"
		}
		s.proton.Connection(region, r.id).Remove()
		return "somebody in " + r.from + " deletes " + r.id
	},
}

// guarding is the deed that sets modes.
const guarding = 11

func (st step) do(s *stage) string { return pick(deeds, st.What)(s, st) }

func (s *stage) associate(owner, name, registry string) string {
	r := s.domain(owner).Repository(name)
	_, err := s.packagesAPI(r.Administrator()).AssociateExternalConnection(context.Background(), &sdk.AssociateExternalConnectionInput{
		Domain: aws.String(domainOf[owner]), DomainOwner: &owner, Repository: &name, ExternalConnection: &registry,
	})
	if err != nil {
		return "somebody tries to connect " + r.ARN() + " to " + registry
	}
	return "somebody connects " + r.ARN() + " to " + registry
}

// group chooses a package group: the one that a run is at, if it is at one.
func (s *stage) group(st step) codeartifact.PackageGroup {
	for _, owner := range everybody {
		d := s.domain(owner)
		for _, pattern := range d.PackageGroups() {
			if g := d.PackageGroup(pattern); g.ARN() == s.aim {
				return g
			}
		}
	}
	d := s.domain(st.account())
	there := d.PackageGroups()
	if st.D%4 != 3 && len(there) > 1 { // mostly one that is there, and not the root
		there = slices.DeleteFunc(there, func(p string) bool { return p == "/*" })
		return d.PackageGroup(pick(there, st.B))
	}
	return d.PackageGroup(pick(patterns, st.B))
}

func addGroup(s *stage, st step) string {
	g := s.domain(st.account()).PackageGroup(pick(patterns, st.B))
	if st.D%2 == 0 {
		g.Add()
	} else if _, err := s.packagesAPI(st.account()).CreatePackageGroup(context.Background(), &sdk.CreatePackageGroupInput{
		Domain: aws.String(domainOf[st.account()]), PackageGroup: &g.Pattern,
	}); err != nil {
		return "somebody tries to make " + g.ARN()
	}
	return g.ARN() + " is made"
}

func setMode(s *stage, st step) string {
	g := s.group(st)
	if st.D%5 == 0 {
		g = s.domain(st.account()).PackageGroup("/*")
	}
	modes := []codeartifact.Mode{codeartifact.Inherit, codeartifact.Allow, codeartifact.AllowSpecific, codeartifact.Block, codeartifact.Block}
	mode := pick(modes, st.C)
	if g.Pattern == "/*" && mode == codeartifact.Inherit {
		mode = codeartifact.Block
	}
	which := restrictions
	if st.D%2 == 0 {
		which = []codeartifact.Restriction{pick(restrictions, st.D/2)}
	}
	for _, r := range which {
		if mode == codeartifact.AllowSpecific {
			g.SetMode(r, mode, pick(repositories, st.C))
		} else {
			g.SetMode(r, mode)
		}
	}
	if st.C%2 == 0 { // a call that CloudTrail tells of
		_, _ = s.packagesAPI(g.Domain.Owner).UpdatePackageGroup(context.Background(), &sdk.UpdatePackageGroupInput{ // which may be gone
			Domain: &g.Domain.Name, PackageGroup: &g.Pattern, Description: aws.String("changed"),
		})
	}
	return fmt.Sprintf("%v of %s are set to %s", which, g.ARN(), mode)
}

func ask(s *stage, st step) string {
	from, to, name := st.account(), pick(everybody, st.A+1+st.B%2), pick(environments, st.C)
	got := s.protonCall(from, "CreateEnvironmentAccountConnection", map[string]string{
		"environmentName": name, "managementAccountId": to, "roleArn": roleOf(from, st.D),
	})
	if id, ok := got["id"].(string); ok {
		s.requests = append(s.requests, &request{id: id, from: from, to: to, name: name, requested: s.world.Now(), modified: s.world.Now()})
	}
	return fmt.Sprintf("%s asks %s for environment %s", from, to, name)
}

func (s *stage) request(st step) *request {
	for _, r := range s.requests {
		if strings.HasSuffix(s.aim, r.id) {
			return r
		}
	}
	if len(s.requests) == 0 {
		return nil
	}
	return pick(s.requests, st.B)
}

func roleOf(account string, i int) string {
	return "arn:aws:iam::" + account + ":role/" + pick([]string{"proton", "rogue"}, i)
}

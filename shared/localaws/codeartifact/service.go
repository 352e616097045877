package codeartifact

import (
	"regexp"
	"time"

	"portcullis/shared/localaws"
)

// A Service is the CodeArtifact of every account and Region of a World.
type Service struct {
	world      *localaws.World
	operations []operation
	patterns   map[string]*regexp.Regexp // by member name
	quotas     Quotas
	pageSize   int
	pageLimit  int // 0 is none
	// consistencyDelay is how far reads are behind when package groups come or go.
	consistencyDelay time.Duration
	formats          map[string]string // package format by connection name

	domains      map[place]*sorted[*domain]     // by owner
	repositories map[place]*sorted[*repository] // by administrator
}

// Quotas are what AWS lets an account have in one Region.
// https://docs.aws.amazon.com/codeartifact/latest/ug/service-limits.html
type Quotas struct {
	Domains, RepositoriesPerDomain, UpstreamsPerRepository int
}

// New adds CodeArtifact to a World, with AWS's default quotas, empty.
func New(w *localaws.World) *Service {
	s := &Service{
		world:        w,
		operations:   operations(),
		patterns:     patterns(),
		quotas:       Quotas{Domains: 10, RepositoriesPerDomain: 1000, UpstreamsPerRepository: 10},
		pageSize:     100,
		formats:      publicConnections(),
		domains:      map[place]*sorted[*domain]{},
		repositories: map[place]*sorted[*repository]{},
	}
	w.Serve("codeartifact", localaws.RESTJSON, s.route)
	return s
}

// publicConnections are the external connections that AWS offers, with the format of their packages.
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_AssociateExternalConnection.html
func publicConnections() map[string]string {
	return map[string]string{
		"public:npmjs":               "npm",
		"public:nuget-org":           "nuget",
		"public:pypi":                "pypi",
		"public:maven-central":       "maven",
		"public:maven-googleandroid": "maven",
		"public:maven-gradleplugins": "maven",
		"public:maven-commonsware":   "maven",
		"public:maven-clojars":       "maven",
		"public:ruby-gems-org":       "ruby",
		"public:crates-io":           "cargo",
	}
}

// SetQuotas replaces the quotas. They bind the API, not the setup.
func (s *Service) SetQuotas(q Quotas) {
	s.world.Hold(func(time.Time) { s.quotas = q })
}

// SetPageSize sets how many items a page holds when the request does not say. AWS does not document its number; it is
// 100 here until set.
func (s *Service) SetPageSize(n int) {
	s.world.Hold(func(time.Time) { s.pageSize = n })
}

// SetPageLimit sets how many items a page holds at most, also if the request asks for more: AWS may always send fewer. There
// is no limit until set, and none at 0.
func (s *Service) SetPageLimit(n int) {
	s.world.Hold(func(time.Time) { s.pageLimit = n })
}

// SetConsistencyDelay sets for how long, by the World's clock, reads do not see that a package group was created or
// deleted: lists, descriptions, associations and what is enforced. AWS documents that delay, but not its length; it is 0
// here until set. Writes work on what is there, changes of a group that is seen are seen at once, and so is what the
// setup does.
func (s *Service) SetConsistencyDelay(d time.Duration) {
	s.world.Hold(func(time.Time) { s.consistencyDelay = d })
}

// OfferConnection adds an external connection to those that AWS offers, as AWS itself does from time to time.
func (s *Service) OfferConnection(name, packageFormat string) {
	s.world.Hold(func(time.Time) { s.formats[name] = packageFormat })
}

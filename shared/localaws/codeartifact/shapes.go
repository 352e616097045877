package codeartifact

import "time"

// The shapes of the answers, as in the API reference. Timestamps are numbers: seconds since 1970, with a fraction.

type domainSummary struct {
	ARN           string  `json:"arn"`
	CreatedTime   float64 `json:"createdTime"`
	EncryptionKey string  `json:"encryptionKey"`
	Name          string  `json:"name"`
	Owner         string  `json:"owner"`
	Status        string  `json:"status"`
}

type domainDescription struct {
	domainSummary
	AssetSizeBytes  int64  `json:"assetSizeBytes"`
	RepositoryCount int    `json:"repositoryCount"`
	S3BucketARN     string `json:"s3BucketArn"`
}

// repositorySummary is all that the lists tell: neither external connections nor upstreams.
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_RepositorySummary.html
type repositorySummary struct {
	AdministratorAccount string  `json:"administratorAccount"`
	ARN                  string  `json:"arn"`
	CreatedTime          float64 `json:"createdTime"`
	Description          string  `json:"description,omitempty"`
	DomainName           string  `json:"domainName"`
	DomainOwner          string  `json:"domainOwner"`
	Name                 string  `json:"name"`
}

// repositoryDescription has both lists also when they are empty, as in AWS's samples.
// https://docs.aws.amazon.com/codeartifact/latest/ug/create-repo.html
type repositoryDescription struct {
	repositorySummary
	ExternalConnections []externalConnection `json:"externalConnections"`
	Upstreams           []upstream           `json:"upstreams"`
}

type externalConnection struct {
	Name          string `json:"externalConnectionName"`
	PackageFormat string `json:"packageFormat,omitempty"`
	Status        string `json:"status"`
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func (d *domain) summary() domainSummary {
	return domainSummary{
		ARN: d.arn, CreatedTime: seconds(d.created), EncryptionKey: d.encryptionKey,
		Name: d.name, Owner: d.owner, Status: "Active",
	}
}

func (d *domain) description() domainDescription {
	return domainDescription{
		domainSummary:   d.summary(),
		RepositoryCount: len(d.repositories.items),
		S3BucketARN:     "arn:aws:s3:::assets-" + d.owner + "-" + d.region,
	}
}

func (r *repository) summary() repositorySummary {
	return repositorySummary{
		AdministratorAccount: r.administrator, ARN: r.arn, CreatedTime: seconds(r.created), Description: r.description,
		DomainName: r.domain.name, DomainOwner: r.domain.owner, Name: r.name,
	}
}

func (s *Service) description(r *repository) repositoryDescription {
	d := repositoryDescription{
		repositorySummary:   r.summary(),
		ExternalConnections: []externalConnection{},
		Upstreams:           []upstream{},
	}
	for _, name := range r.connections {
		// The model's one status is "Available"; AWS's samples print it in capitals.
		d.ExternalConnections = append(d.ExternalConnections, externalConnection{name, s.formats[name], "Available"})
	}
	for _, name := range r.upstreams {
		d.Upstreams = append(d.Upstreams, upstream{name})
	}
	return d
}

package codeartifact

// The shapes of package groups and packages, as in the API reference.

type groupReference struct {
	ARN     string `json:"arn"`
	Pattern string `json:"pattern"`
}

// groupDescription is that of the lists as well: PackageGroupSummary has the same members.
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_PackageGroupDescription.html
type groupDescription struct {
	groupReference
	ContactInfo         string          `json:"contactInfo,omitempty"`
	CreatedTime         float64         `json:"createdTime"`
	Description         string          `json:"description,omitempty"`
	DomainName          string          `json:"domainName"`
	DomainOwner         string          `json:"domainOwner"`
	OriginConfiguration groupOrigin     `json:"originConfiguration"`
	Parent              *groupReference `json:"parent,omitempty"`
}

type groupOrigin struct {
	Restrictions map[Restriction]groupRestriction `json:"restrictions"`
}

// groupRestriction counts the repositories of the group's own list, also when it has none [assumed].
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_PackageGroupOriginRestriction.html
type groupRestriction struct {
	Mode              Mode            `json:"mode"`
	EffectiveMode     Mode            `json:"effectiveMode"`
	InheritedFrom     *groupReference `json:"inheritedFrom,omitempty"`
	RepositoriesCount int             `json:"repositoriesCount"`
}

type packageName struct {
	Format    string `json:"format"`
	Namespace string `json:"namespace,omitempty"`
	Package   string `json:"package"`
}

type packageSummary struct {
	packageName
	OriginConfiguration packageOrigin `json:"originConfiguration"`
}

// packageDescription calls name what the summary calls package.
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_PackageDescription.html
type packageDescription struct {
	Format              string        `json:"format"`
	Namespace           string        `json:"namespace,omitempty"`
	Name                string        `json:"name"`
	OriginConfiguration packageOrigin `json:"originConfiguration"`
}

type packageOrigin struct {
	Restrictions packageRestrictions `json:"restrictions"`
}

type packageRestrictions struct {
	Publish  string `json:"publish"`
	Upstream string `json:"upstream"`
}

type publishOutput struct {
	packageName
	Asset           asset  `json:"asset"`
	Status          string `json:"status"`
	Version         string `json:"version"`
	VersionRevision string `json:"versionRevision"`
}

// disposeOutput has both maps also when they are empty, as in AWS's sample.
// https://docs.aws.amazon.com/cli/latest/reference/codeartifact/dispose-package-versions.html
type disposeOutput struct {
	SuccessfulVersions map[string]successfulVersion `json:"successfulVersions"`
	FailedVersions     map[string]failedVersion     `json:"failedVersions"`
}

type successfulVersion struct {
	Revision string `json:"revision"`
	Status   string `json:"status"`
}

type failedVersion struct {
	ErrorCode    string `json:"errorCode"`
	ErrorMessage string `json:"errorMessage"`
}

type asset struct {
	Name   string            `json:"name"`
	Hashes map[string]string `json:"hashes"`
	Size   int               `json:"size"`
}

func (g *group) reference() groupReference {
	pattern := g.pattern.String()
	return groupReference{groupARN(g.domain.owner, g.domain.region, g.domain.name, pattern), pattern}
}

func (t *tree) description(g *group) groupDescription {
	d := groupDescription{
		groupReference: g.reference(), CreatedTime: seconds(g.created), Description: g.description, ContactInfo: g.contact,
		DomainName: g.domain.name, DomainOwner: g.domain.owner,
		OriginConfiguration: groupOrigin{map[Restriction]groupRestriction{}},
	}
	if parent := t.parent(g); parent != nil {
		reference := parent.reference()
		d.Parent = &reference
	}
	for _, r := range restrictions() {
		effective, from := t.effective(g, r)
		restriction := groupRestriction{
			Mode: g.controls[r].Mode, EffectiveMode: effective.Mode, RepositoriesCount: len(g.controls[r].Repositories)}
		if from != g {
			reference := from.reference()
			restriction.InheritedFrom = &reference
		}
		d.OriginConfiguration.Restrictions[r] = restriction
	}
	return d
}

func (c coordinate) packageName() packageName { return packageName{c.format, c.namespace, c.name} }

func (p *pkg) origin() packageOrigin {
	return packageOrigin{packageRestrictions{p.publish, p.upstream}}
}

func (p *pkg) summary() packageSummary { return packageSummary{p.packageName(), p.origin()} }

func (p *pkg) description() packageDescription {
	return packageDescription{p.format, p.namespace, p.name, p.origin()}
}

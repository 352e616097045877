package codeartifact

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// A pkg is a package in a repository, with or without versions.
type pkg struct {
	coordinate
	publish, upstream string // its own origin controls: ALLOW or BLOCK
	versions          map[string]version
}

type version struct{ status, revision string }

func (p *pkg) key() string { return p.path() }

// A presence is a package of a domain: the repositories have it together.
type presence struct {
	coordinate
	variation    string
	repositories int
}

// key begins with the variation, so that what a group can hold, strongly or weakly, is in one piece.
func (p *presence) key() string { return p.variation + " " + p.path() }

// addPackage finds a package, or makes it with the origin controls of one whose first version was published.
// https://docs.aws.amazon.com/codeartifact/latest/ug/package-origin-controls.html
func (r *repository) addPackage(c coordinate) *pkg {
	if p, found := r.packages.find(c.path()); found {
		return p
	}
	p := &pkg{coordinate: c, publish: "ALLOW", upstream: "BLOCK", versions: map[string]version{}}
	r.packages.insert(p)
	held := &presence{coordinate: c, variation: variation(c.path())}
	if known, found := r.domain.packages.find(held.key()); found {
		held = known
	} else {
		r.domain.packages.insert(held)
	}
	held.repositories++
	return p
}

func (r *repository) removePackage(p *pkg) {
	r.packages.remove(p)
	r.domain.leave(p)
}

// leave takes a package off the domain when no repository has it any more.
func (d *domain) leave(p *pkg) {
	held, _ := d.packages.find((&presence{coordinate: p.coordinate, variation: variation(p.path())}).key())
	if held.repositories--; held.repositories == 0 {
		d.packages.remove(held)
	}
}

// pkg finds the package of a request, by its normalized name.
func (s *Service) pkg(rq request, need Access) (*repository, *pkg, error) {
	r, err := s.repository(rq, need)
	if err != nil {
		return nil, nil, err
	}
	c, err := rq.coordinate()
	if err != nil {
		return nil, nil, err
	}
	p, found := r.packages.find(c.normal().path())
	if !found {
		return nil, nil, noPackage(r, c)
	}
	return r, p, nil
}

func (s *Service) describePackage(rq request) (any, bool, error) {
	_, p, err := s.pkg(rq, Read)
	if err != nil {
		return nil, false, err
	}
	return struct {
		Package packageDescription `json:"package"`
	}{p.description()}, false, nil
}

func (s *Service) deletePackage(rq request) (any, bool, error) {
	r, p, err := s.pkg(rq, Write)
	if err != nil {
		return nil, false, err
	}
	r.removePackage(p)
	return struct {
		DeletedPackage packageSummary `json:"deletedPackage"`
	}{p.summary()}, true, nil
}

// listPackages compares the namespace by its beginning, too.
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_ListPackages.html
func (s *Service) listPackages(rq request) (any, bool, error) {
	r, err := s.repository(rq, Read)
	if err != nil {
		return nil, false, err
	}
	packages, next, err := page(s, rq, &r.packages, func(p *pkg) bool {
		return (rq.Format == "" || rq.Format == p.format) &&
			strings.HasPrefix(p.namespace, rq.Namespace) && strings.HasPrefix(p.name, rq.PackagePrefix) &&
			(rq.Publish == "" || rq.Publish == p.publish) && (rq.Upstream == "" || rq.Upstream == p.upstream)
	})
	if err != nil {
		return nil, false, err
	}
	out := struct {
		Packages  []packageSummary `json:"packages"`
		NextToken *string          `json:"nextToken,omitempty"`
	}{[]packageSummary{}, next}
	for _, p := range packages {
		out.Packages = append(out.Packages, p.summary())
	}
	return out, false, nil
}

// putPackageOriginConfiguration makes a package without versions if there is none.
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_PutPackageOriginConfiguration.html
func (s *Service) putPackageOriginConfiguration(rq request) (any, bool, error) {
	r, err := s.repository(rq, Write)
	if err != nil {
		return nil, false, err
	}
	c, err := rq.coordinate()
	if err != nil {
		return nil, false, err
	}
	publish, upstream := rq.Restrictions["publish"], rq.Restrictions["upstream"]
	if len(rq.Restrictions) != 2 || !s.matches("publish", publish) || !s.matches("upstream", upstream) {
		return nil, false, invalid("FIELD_VALIDATION_FAILED", "restrictions are not publish and upstream, ALLOW or BLOCK")
	}
	before := len(r.packages.items)
	p := r.addPackage(c.normal())
	changed := len(r.packages.items) > before || p.publish != publish || p.upstream != upstream
	p.publish, p.upstream = publish, upstream
	return struct {
		OriginConfiguration packageOrigin `json:"originConfiguration"`
	}{p.origin()}, changed, nil
}

// publishPackageVersion takes generic packages, as AWS does, and keeps of an asset nothing. What the package's own
// origin controls or those of its group block is a ConflictException, as a version that exists or did is [assumed].
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_PublishPackageVersion.html
func (s *Service) publishPackageVersion(rq request) (any, bool, error) {
	r, err := s.repository(rq, Write)
	if err != nil {
		return nil, false, err
	}
	c, err := rq.coordinate()
	sum := sha256.Sum256(rq.asset)
	switch {
	case err != nil:
		return nil, false, err
	case rq.Format != "generic":
		return nil, false, invalid("OTHER", "only generic packages can be published here, and not %s", rq.Format)
	case hex.EncodeToString(sum[:]) != rq.AssetSHA256:
		return nil, false, invalid("OTHER", "assetSHA256 is not the hash of the content")
	}
	if _, _, controls := r.domain.shown(rq.Now).enforced(c); !controls[Publish].allows(r.name) {
		return nil, false, conflict("package", c.name, fmt.Sprintf("the package group of '%s' blocks publishing", c.path()))
	}
	if p, found := r.packages.find(c.path()); found {
		switch {
		case p.publish == "BLOCK":
			return nil, false, conflict("package", c.name, fmt.Sprintf("package '%s' blocks publishing", c.path()))
		case p.versions[rq.PackageVersion].status == "Published":
			return nil, false, conflict("package-version", rq.PackageVersion,
				fmt.Sprintf("version %s of '%s' is published", rq.PackageVersion, c.path()))
		case p.versions[rq.PackageVersion].status == "Disposed":
			return nil, false, conflict("package-version", rq.PackageVersion,
				fmt.Sprintf("version %s of '%s' was disposed of", rq.PackageVersion, c.path()))
		}
	}
	status := "Published"
	if rq.Unfinished {
		status = "Unfinished"
	}
	r.addPackage(c).versions[rq.PackageVersion] = version{status, rq.RequestID}
	return publishOutput{
		packageName: c.packageName(), Version: rq.PackageVersion, VersionRevision: rq.RequestID, Status: status,
		Asset: asset{rq.AssetName, map[string]string{"SHA-256": rq.AssetSHA256}, len(rq.asset)},
	}, true, nil
}

// disposePackageVersions leaves the package where it is, also if no other version of it is left. Disposing once more
// succeeds [assumed].
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_DisposePackageVersions.html
func (s *Service) disposePackageVersions(rq request) (any, bool, error) {
	_, p, err := s.pkg(rq, Write)
	if err != nil {
		return nil, false, err
	}
	out, changed := disposeOutput{map[string]successfulVersion{}, map[string]failedVersion{}}, false
	for _, name := range rq.Versions {
		v, found := p.versions[name]
		revision, chosen := rq.VersionRevisions[name]
		switch {
		case !found:
			out.FailedVersions[name] = failedVersion{"NOT_FOUND", "there is no such version"}
		case rq.ExpectedStatus != "" && rq.ExpectedStatus != v.status:
			out.FailedVersions[name] = failedVersion{"MISMATCHED_STATUS", "the version is " + v.status}
		case chosen && revision != v.revision:
			out.FailedVersions[name] = failedVersion{"MISMATCHED_REVISION", "the version is of revision " + v.revision}
		default:
			changed = changed || v.status != "Disposed"
			p.versions[name] = version{"Disposed", v.revision}
			out.SuccessfulVersions[name] = successfulVersion{v.revision, "Disposed"}
		}
	}
	return out, changed, nil
}

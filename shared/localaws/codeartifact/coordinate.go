package codeartifact

import "strings"

// A coordinate names a package in a domain.
type coordinate struct{ format, namespace, name string }

func (c coordinate) path() string { return "/" + c.format + "/" + c.namespace + "/" + c.name }

// namespaceOf says whether the packages of a format can have a namespace, whether they must, and whether there is such
// a format.
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_DescribePackage.html
func namespaceOf(format string) (allowed, required, known bool) {
	switch format {
	case "generic", "maven", "swift":
		return true, true, true
	case "npm":
		return true, false, true
	case "cargo", "nuget", "pypi", "ruby":
		return false, false, true
	}
	return false, false, false
}

// coordinate is the package that a request names.
func (rq request) coordinate() (coordinate, error) {
	allowed, required, _ := namespaceOf(rq.Format)
	switch {
	case !allowed && rq.Namespace != "":
		return coordinate{}, invalid("FIELD_VALIDATION_FAILED", "%s packages have no namespace", rq.Format)
	case required && rq.Namespace == "":
		return coordinate{}, invalid("FIELD_VALIDATION_FAILED", "%s packages have a namespace", rq.Format)
	}
	return coordinate{rq.Format, rq.Namespace, rq.Package}, nil
}

// normal is the coordinate as CodeArtifact stores it.
// https://docs.aws.amazon.com/codeartifact/latest/ug/nuget-name-normalization.html
// https://docs.aws.amazon.com/codeartifact/latest/ug/python-name-normalization.html
// https://docs.aws.amazon.com/codeartifact/latest/ug/swift-name-normalization.html
func (c coordinate) normal() coordinate {
	switch c.format {
	case "nuget":
		c.name = strings.ToLower(c.name)
	case "pypi":
		c.name = squeeze(strings.ToLower(c.name), '-')
	case "swift":
		c.namespace, c.name = strings.ToLower(c.namespace), strings.ToLower(c.name)
	}
	return c
}

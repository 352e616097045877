package codeartifact

import (
	"fmt"
	"slices"
)

// associateExternalConnection takes one connection per repository, and none beside upstreams.
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_AssociateExternalConnection.html
func (s *Service) associateExternalConnection(rq request) (any, bool, error) {
	r, err := s.repository(rq, Write)
	if err != nil {
		return nil, false, err
	}
	if s.formats[rq.ExternalConnection] == "" {
		return nil, false, invalid("OTHER", "there is no external connection %q", rq.ExternalConnection)
	}
	if len(r.connections) > 0 {
		// Seen with a 400 in https://github.com/awsdocs/aws-cloudformation-user-guide/pull/1127. It is neither a conflict
		// nor a quota, and holds for the connection that is already there as well [assumed].
		return nil, false, invalid("OTHER", "ExternalConnections for repositories are currently limited to 1")
	}
	if len(r.upstreams) > 0 {
		return nil, false, upstreamsAndConnection(r.name)
	}
	r.connections = []string{rq.ExternalConnection}
	return repositoryOutput{s.description(r)}, true, nil
}

// disassociateExternalConnection answers 404 for a connection that is not there. The resource type cannot say which of
// the two is missing, because the API has none for a connection.
// https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_DisassociateExternalConnection.html
func (s *Service) disassociateExternalConnection(rq request) (any, bool, error) {
	r, err := s.repository(rq, Write)
	if err != nil {
		return nil, false, err
	}
	i := slices.Index(r.connections, rq.ExternalConnection)
	if i < 0 {
		return nil, false, notFound("repository", r.name,
			fmt.Sprintf("Repository '%s' has no external connection '%s'", r.name, rq.ExternalConnection))
	}
	r.connections = slices.Delete(r.connections, i, i+1)
	return repositoryOutput{s.description(r)}, true, nil
}

func upstreamsAndConnection(repository string) error {
	return invalid("OTHER", "Repository '%s' can have upstream repositories or an external connection, not both", repository)
}

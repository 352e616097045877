package proton

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// An environment is in a management account, and provisioned there or through a connection.
type environment struct {
	account, region, name            string
	created                          time.Time
	connectionID, environmentAccount string // empty, or of the connection, whatever has become of it
}

func (e *environment) key() string { return e.name }

// usersOf names the environments that use a connection.
func (s *Service) usersOf(c *connection) []string {
	var names []string
	for _, e := range s.environments {
		if e.region == c.region && e.connectionID == c.id {
			names = append(names, e.name)
		}
	}
	return names
}

// listEnvironments lists the caller's own environments. The account that one is provisioned in does not see it.
// https://docs.aws.amazon.com/proton/latest/APIReference/API_ListEnvironments.html
func (s *Service) listEnvironments(rq request) (any, bool, error) {
	var found []*environment
	for _, e := range s.environments {
		if e.account == rq.Account && e.region == rq.Region {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b *environment) int { return strings.Compare(a.name, b.name) })
	found, next, err := page(s, rq, found)
	if err != nil {
		return nil, false, err
	}
	out := struct {
		Environments []environmentSummary `json:"environments"`
		NextToken    *string              `json:"nextToken,omitempty"`
	}{[]environmentSummary{}, next}
	for _, e := range found {
		out.Environments = append(out.Environments, e.summary())
	}
	return out, false, nil
}

// https://docs.aws.amazon.com/proton/latest/APIReference/API_EnvironmentSummary.html
type environmentSummary struct {
	ARN                            string  `json:"arn"`
	CreatedAt                      float64 `json:"createdAt"`
	DeploymentStatus               string  `json:"deploymentStatus"`
	EnvironmentAccountConnectionID string  `json:"environmentAccountConnectionId,omitempty"`
	EnvironmentAccountID           string  `json:"environmentAccountId,omitempty"`
	LastDeploymentAttemptedAt      float64 `json:"lastDeploymentAttemptedAt"`
	LastDeploymentSucceededAt      float64 `json:"lastDeploymentSucceededAt"`
	Name                           string  `json:"name"`
	TemplateMajorVersion           string  `json:"templateMajorVersion"`
	TemplateMinorVersion           string  `json:"templateMinorVersion"`
	TemplateName                   string  `json:"templateName"`
}

// summary makes up the template and the deployment.
func (e *environment) summary() environmentSummary {
	return environmentSummary{
		ARN:       fmt.Sprintf("arn:aws:proton:%s:%s:environment/%s", e.region, e.account, e.name),
		CreatedAt: seconds(e.created), LastDeploymentAttemptedAt: seconds(e.created), LastDeploymentSucceededAt: seconds(e.created),
		DeploymentStatus: "SUCCEEDED", Name: e.name, TemplateMajorVersion: "1", TemplateMinorVersion: "0", TemplateName: "template",
		EnvironmentAccountConnectionID: e.connectionID, EnvironmentAccountID: e.environmentAccount,
	}
}

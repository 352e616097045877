// Package iam is the IAM of a [localaws.World], as far as one reads from it what roles may do. What is set up here is only
// told: what a role is really allowed in the World is said with [localaws.Role].
package iam

import (
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"portcullis/shared/localaws"
)

// A Service is the IAM of a World. It is the same in every Region.
type Service struct {
	world *localaws.World
	roles map[place]*role
}

type place struct{ account, name string }

type role struct {
	inline   map[string]string // documents by the name of the policy
	attached []string          // ARNs
}

// New adds IAM to a World.
func New(w *localaws.World) *Service {
	s := &Service{world: w, roles: map[place]*role{}}
	w.Serve("iam", localaws.Query, s.route)
	return s
}

// A Role is a handle on a role.
type Role struct {
	service *Service
	place   place
}

// Role returns a role, which exists from now on.
func (s *Service) Role(account, name string) Role {
	p := place{account, name}
	s.world.Hold(func(time.Time) {
		if s.roles[p] == nil {
			s.roles[p] = &role{inline: map[string]string{}}
		}
	})
	return Role{s, p}
}

// Put gives the role a policy of its own, as JSON.
func (r Role) Put(policy, document string) {
	r.service.world.Hold(func(time.Time) { r.service.roles[r.place].inline[policy] = document })
}

// Attach gives the role a managed policy.
func (r Role) Attach(arn string) {
	r.service.world.Hold(func(time.Time) {
		of := r.service.roles[r.place]
		of.attached = append(of.attached, arn)
	})
}

// Remove deletes the role.
func (r Role) Remove() {
	r.service.world.Hold(func(time.Time) { delete(r.service.roles, r.place) })
}

const version = "2010-05-08"

func (s *Service) route(_ *http.Request, body []byte) (localaws.Operation, error) {
	op, form, err := localaws.ReadQuery(body, version)
	if err != nil {
		return op, err
	}
	run := map[string]func(*role, url.Values) (any, error){
		"GetRolePolicy": get, "ListRolePolicies": list, "ListAttachedRolePolicies": listAttached,
	}[op.Name]
	if run == nil {
		return op, localaws.UnknownAction(op.Name, version)
	}
	op.Run = func(c localaws.Caller) (any, bool, error) {
		for name := range form {
			if !slices.Contains([]string{"Action", "Version", "RoleName", "PolicyName"}, name) {
				return nil, false, failed(http.StatusBadRequest, "ValidationError", "the parameter %s is not taken here", name)
			}
		}
		r := s.roles[place{c.Account, form.Get("RoleName")}]
		if r == nil {
			return nil, false, failed(http.StatusNotFound, "NoSuchEntity", "The role with name %s cannot be found.", form.Get("RoleName"))
		}
		out, err := run(r, form)
		return out, false, err
	}
	return op, nil
}

type getResult struct {
	XMLName        xml.Name `xml:"GetRolePolicyResult"`
	RoleName       string
	PolicyName     string
	PolicyDocument string
}

// get answers the document in the encoding of URLs, in which a space is %20.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html
func get(r *role, form url.Values) (any, error) {
	document, found := r.inline[form.Get("PolicyName")]
	if !found {
		return nil, failed(http.StatusNotFound, "NoSuchEntity", "The role policy with name %s cannot be found.", form.Get("PolicyName"))
	}
	return getResult{
		RoleName: form.Get("RoleName"), PolicyName: form.Get("PolicyName"),
		PolicyDocument: strings.ReplaceAll(url.QueryEscape(document), "+", "%20"),
	}, nil
}

type listResult struct {
	XMLName     xml.Name `xml:"ListRolePoliciesResult"`
	PolicyNames []string `xml:"PolicyNames>member"`
	IsTruncated bool
}

// list answers on one page: AWS has 100 on one, and no role can have as many.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRolePolicies.html
func list(r *role, _ url.Values) (any, error) {
	return listResult{PolicyNames: slices.Sorted(maps.Keys(r.inline))}, nil
}

type listAttachedResult struct {
	XMLName     xml.Name   `xml:"ListAttachedRolePoliciesResult"`
	Attached    []attached `xml:"AttachedPolicies>member"`
	IsTruncated bool
}

type attached struct {
	PolicyName string
	PolicyARN  string `xml:"PolicyArn"`
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAttachedRolePolicies.html
func listAttached(r *role, _ url.Values) (any, error) {
	var out listAttachedResult
	for _, arn := range r.attached {
		out.Attached = append(out.Attached, attached{arn[strings.LastIndex(arn, "/")+1:], arn})
	}
	return out, nil
}

func failed(status int, code, format string, args ...any) error {
	return &localaws.Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

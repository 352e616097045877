package portcullis_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"portcullis/internal/cloudformation"
)

// memberWriter returns the name of the role in member.yaml with which a control writes.
func (k deployed) memberWriter() string { return k.prefix + "WriteRole" }

// membersRights compares the roles of a member with those of the hub, statement by statement: what the hub may do in its
// own account, it may do in a member, under the same conditions, and where the member enforces nothing more than read.
func membersRights(p project, c *complaints) {
	for _, s := range p.members {
		var kinds []string
		for _, r := range s.Resources {
			kinds = append(kinds, r.Kind)
		}
		slices.Sort(kinds)
		c.equal("kinds of resources in a member", slices.Compact(kinds), []string{"AWS::Events::Rule", "AWS::IAM::Role"})

		reads := map[string][]string{} // resources by action
		roles := []string{"ForwardRole", "ReadRole"}
		for _, k := range controls() {
			hub := p.deploy(c, map[string]string{k.mode: k.modes()[len(k.modes())-1], "AWS::AccountId": memberAccount})
			inHub := granted(hub, k.prefix+"Role", c)
			for _, action := range methods(k.service, k.reader) {
				reads[action] = inHub[action]
			}
			if k.in(s) != "enforce" {
				continue
			}
			roles = append(roles, k.memberWriter())
			writes := methods(k.service, k.writer)
			want := slices.DeleteFunc(asWritten(hub, k.prefix+"Role"), func(written any) bool {
				return !slices.ContainsFunc(cloudformation.Strings(cloudformation.At(written, "Action")), func(action string) bool { return slices.Contains(writes, action) })
			})
			c.equal("statements of "+k.memberWriter()+", and those of the hub", asWritten(s, k.memberWriter()), want)
			c.equal("rights of "+k.memberWriter(), slices.Sorted(maps.Keys(granted(s, k.memberWriter(), c))), slices.Sorted(slices.Values(writes)))
		}
		slices.Sort(roles)
		c.equal("roles of a member", s.Of("AWS::IAM::Role"), roles)
		c.equal("rights of ReadRole", granted(s, "ReadRole", c), reads)
		c.equal("rights of ForwardRole in a member", granted(s, "ForwardRole", c), map[string][]string{"events:PutEvents": {hubBus}})
		for _, st := range slices.Concat(statements(s, "ReadRole", c), statements(s, "ForwardRole", c)) {
			if st.effect != "Allow" || st.conditions != nil {
				c.addf("ReadRole or ForwardRole of a member has a statement that denies, or that holds under a condition only: %v", st)
			}
		}
	}
	bounded, err := p.member.Deploy(with(inMember, with(enforcements()[len(enforcements())-1], map[string]string{"PermissionsBoundaryArn": "arn:boundary"})))
	if err != nil {
		c.addf("%v", err)
	}
	for _, role := range bounded.Of("AWS::IAM::Role") {
		c.equal("boundary of "+role+" in a member", bounded.Get(role, "PermissionsBoundary"), "arn:boundary")
	}
}

// membersTrust builds the names of the hub's roles from template.yaml, and those of a member's as the hub's rights have
// them, so that a name which only one of them knows shows.
func membersTrust(p project, c *complaints) {
	const longest = "a-name-of-22-letters-x"
	hub := p.hubs[len(p.hubs)-1]
	for _, s := range p.members {
		var functions []any
		for _, k := range controls() {
			functions = append(functions, fmt.Sprintf("arn:aws:iam::%s:role/%v", hubAccount, hub.Get(k.prefix+"Role", "RoleName")))
		}
		trusts := func(role, name string, functions ...any) {
			c.equal("name of "+role, s.Get(role, "RoleName"), name)
			c.equal("who may assume "+role, s.Get(role, "AssumeRolePolicyDocument"), any(object{"Version": "2012-10-17", "Statement": []any{object{
				"Effect": "Allow", "Principal": object{"AWS": "arn:aws:iam::" + hubAccount + ":root"}, "Action": "sts:AssumeRole",
				"Condition": object{"StringEquals": object{"sts:ExternalId": "between-us"}, "ArnEquals": object{"aws:PrincipalArn": functions}},
			}}}))
			c.keys(role, s.Resources[role].Properties, "AssumeRolePolicyDocument", "Description", "Policies", "RoleName")
		}
		trusts("ReadRole", "portcullis-eu-west-1-read", functions...)
		for i, k := range controls() {
			if k.in(s) == "enforce" {
				trusts(k.memberWriter(), "portcullis-eu-west-1-"+k.name+"-write", functions[i])
				if rights := granted(hub, k.prefix+"Role", c)["sts:AssumeRole"]; !match(rights, "arn:aws:iam::"+memberAccount+":role/"+fmt.Sprint(s.Get(k.memberWriter(), "RoleName"))) {
					c.addf("%sRole may assume %v, and %s has another name", k.prefix, rights, k.memberWriter())
				}
			}
		}
		c.equal("who may assume ForwardRole of a member", s.Get("ForwardRole", "AssumeRolePolicyDocument"), any(object{"Version": "2012-10-17", "Statement": []any{object{
			"Effect": "Allow", "Principal": object{"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole",
			"Condition": object{"StringEquals": object{"aws:SourceAccount": memberAccount}},
		}}}))
		c.keys("ForwardRole of a member", s.Resources["ForwardRole"].Properties, "AssumeRolePolicyDocument", "Description", "Policies")
	}
	// IAM takes 64 characters:
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
	for _, t := range []cloudformation.Template{p.template, p.member} {
		s, err := t.Deploy(with(inMember, with(enforcements()[len(enforcements())-1], map[string]string{
			"AWS::StackName": longest, "HubStackName": longest, "AWS::Region": "ap-southeast-2",
		})))
		if err != nil {
			c.addf("%v", err)
		}
		for _, role := range s.Of("AWS::IAM::Role") {
			if name, _ := s.Get(role, "RoleName").(string); len(name) > 64 {
				c.addf("%s is called %s, which has %d characters", role, name, len(name))
			}
		}
	}
}

// hubBus is the bus of the hub, as a member has to write it.
const hubBus = "arn:aws:events:eu-west-1:" + hubAccount + ":event-bus/portcullis"

// forwarded asks with everything that may wake a control: what a rule on the bus waits for has to get there. And nothing
// gets there that no rule can want: whoever forwards pays for each event.
func forwarded(p project, c *complaints) {
	hub, member := p.usual, p.members[0]
	c.equal("what a member forwards, and the hub", member.Get("Forward", "EventPattern"), hub.Get("Forward", "EventPattern"))
	c.keys("Forward", hub.Resources["Forward"].Properties, "Description", "EventPattern", "Targets") // on the default bus, and always
	c.keys("Forward of a member", member.Resources["Forward"].Properties, "Description", "EventPattern", "Targets")
	c.equal("where the hub forwards to", hub.Get("Forward", "Targets", 0, "Arn"), "<Bus.Arn>") // failuresAreKept knows the rest
	c.equal("name of the bus", hub.Get("Bus", "Name"), "portcullis")
	c.equal("where a member forwards to", member.Get("Forward", "Targets"), []any{object{"Id": "hub", "Arn": hubBus, "RoleArn": "<ForwardRole.Arn>"}})

	forward := patternOf(hub, "Forward", c)
	for name, event := range eventsOfAWS(c) {
		wanted := slices.ContainsFunc(controls(), func(k deployed) bool { return matches(rulesOf(k, hub, c), event) })
		got, err := forward.Match(event)
		if err != nil {
			continue // no rule matches it either, which the test of the rules says
		}
		switch {
		case wanted && !got:
			c.addf("%s is not forwarded, and a control waits for it", name)
		case !wanted && got && !strings.Contains(name, " of another service") && !strings.Contains(name, "another source"):
			c.addf("%s is forwarded, and no control waits for it", name)
		}
	}
}

package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Schema returns the JSON Schema of the policy file, for editors and other tools. It describes the shape: keys, kinds of
// values and how they are spelled. What needs more than one look at one value is told by Parse alone, such as an id that is
// taken, a pattern that is no glob, or a package URL that CodeArtifact has no format for. What Parse takes, the schema takes.
func Schema() []byte {
	root := object("The policy that Portcullis keeps. A file with any mistake is refused whole.", keys{
		"version":    {required, shape{"const": 1, "description": "The version of this format."}},
		"limits":     {required, limitsShape()},
		"enforce_on": {optional, enforceOnShape()},

		"external_connections": {optional, externalShape()},
		"package_groups":       {optional, groupsShape()},
		"package_origins":      {optional, originsShape()},
		"proton_connections":   {optional, protonShape()},
	})
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Portcullis policy"
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("encoding the schema, which is made of text, numbers, lists and maps: %v", err))
	}
	return append(text, '\n')
}

type shape map[string]any

// keys are those of a mapping, and whether each must be there.
type keys map[string]struct {
	required bool
	shape    shape
}

func object(description string, k keys) shape {
	properties, must := shape{}, []string{}
	for key, value := range k {
		properties[key] = value.shape
		if value.required {
			must = append(must, key)
		}
	}
	slices.Sort(must)
	return shape{"type": "object", "description": description, "properties": properties, "required": must, "additionalProperties": false}
}

func array(description string, items shape) shape {
	return shape{"type": "array", "description": description, "items": items}
}

// some is a list of at least one.
func some(description string, items shape) shape {
	s := array(description, items)
	s["minItems"] = 1
	return s
}

// words is text with something to be seen in it.
func words(description string) shape {
	return shape{"type": "string", "description": description, "pattern": `\S`}
}

// spelled is text of a pattern, with space around it or not.
func spelled(description, pattern string) shape {
	return shape{"type": "string", "description": description, "pattern": `^\s*(` + pattern + `)\s*$`}
}

// choice is one of some words. The list is for editors, which offer it; the pattern allows for space around them.
func choice(description string, of ...string) shape {
	return shape{"description": description, "anyOf": []shape{{"enum": of}, {"type": "string", "pattern": `^\s*(` + strings.Join(of, "|") + `)\s*$`}}}
}

// The spellings, as regular expressions.
const (
	globSpelling     = `[A-Za-z0-9._\-:*?\[\]^\\]+`
	accountSpelling  = `[0-9]{12}`
	durationSpelling = `([1-9][0-9]{0,3}|10000)[dh]`
	groupSpelling    = `/[^\s]*[*~$]`
	roleSpelling     = `arn:aws:iam::[0-9]{12}:role/[^\s]+`
)

func domainsShape() shape {
	return some("Globs on the name of the domain.", spelled("A glob on the name of a domain.", globSpelling))
}

func accountsShape(description string) shape {
	return some(description, spelled("The id of an account, in quotes.", accountSpelling))
}

func limitsShape() shape {
	return object("The most writes that one run may make. The smaller of the two counts; over it, nothing is done.", keys{
		"count": {required, shape{"type": "integer", "minimum": 0, "maximum": 1000, "description": "A number of writes. 0: never write."}},
		"share": {required, spelled("A share of the resources that the run looked at, rounded up, such as 10%. 0%: never write.", `(0*100(\.0*)?|0*[0-9]{0,2}(\.[0-9]*)?)%`)},
	})
}

func enforceOnShape() shape {
	area := object("A set of domains. A resource must fit each key that is there.", keys{
		"domains":  {optional, domainsShape()},
		"accounts": {optional, accountsShape("Ids of the accounts that own the domain.")},
	})
	area["minProperties"] = 1
	return array("Where to enforce. Elsewhere Portcullis only monitors. Without this key, the deployed mode alone decides.", area)
}

// with adds keys to others.
func with(k, more keys) keys {
	maps.Copy(k, more)
	return k
}

func termKeys() keys {
	return keys{
		"id":      {optional, spelled("The name under which the waiver is reported.", `[A-Za-z0-9._\-]{1,64}`)},
		"owner":   {required, words("Who answers for it.")},
		"expires": {required, spelled("The last day on which it holds, UTC, such as 2027-01-31; or the time of its end, such as 2027-01-31T12:00:00Z.", `[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt].+)?`)},
	}
}

func ruleKeys(reason bool) keys {
	return keys{
		"repositories": {required, some("Globs on domain/repository.", spelled("A glob on domain/repository. * does not cross the slash.", globSpelling+`/`+globSpelling))},
		"connections":  {required, some("Globs on the name of the connection.", spelled("A glob on the name of a connection, such as "+strings.Join(knownConnections(), ", ")+".", globSpelling))},
		"accounts":     {optional, accountsShape("Ids of the accounts that own the domain. Without it: any account.")},
		"reason":       {reason, words("Why this is needed.")},
	}
}

func externalShape() shape {
	return object("Which CodeArtifact repositories may have an external connection. What nothing allows is a violation.", keys{
		"allow":   {required, array("What is allowed for good.", object("A rule.", ruleKeys(optional)))},
		"waivers": {optional, array("What is permitted for a while.", object("A waiver.", with(ruleKeys(required), termKeys())))},
	})
}

func groupsShape() shape {
	return object("Which package groups may be pruned.", keys{
		"min_age": {required, spelled("A group younger than this is kept. Days, or hours as in 36h.", durationSpelling)},
		"grace":   {required, spelled("How long a group must have been seen to be dead. Days, or hours as in 36h.", durationSpelling)},
		"keep": {optional, array("Groups to keep whatever they hold.", object("A rule that keeps groups.", keys{
			"groups":  {required, some("Patterns of package groups, letter for letter.", spelled("The pattern of a group as CodeArtifact shows it; ** at the end stands for anything.", groupSpelling))},
			"domains": {optional, domainsShape()},
			"reason":  {optional, words("Why it is kept.")},
		}))},
		"keep_tag":   {optional, words("The key of one more tag that keeps a group.")},
		"children":   {optional, choice("Whether a group that has child groups may go.", "keep", "prune")},
		"lookalikes": {optional, choice("Whether a group may go although look-alikes of its names are blocked only by it.", "keep", "ignore")},
	})
}

func originsShape() shape {
	bound := func(what string) shape {
		return shape{"description": what + `: "block", or the only repositories that may be open to it.`, "anyOf": []shape{
			{"type": "string", "pattern": `^\s*block\s*$`},
			some("Names of repositories, without the domain.", spelled("The name of a repository.", `[A-Za-z0-9][A-Za-z0-9._\-]{1,99}`)),
		}}
	}
	guard := object("What must hold for one package, whether or not it exists yet.", keys{
		"package":           {required, spelled("A package URL without a version, such as pkg:npm/%40acme/ui.", `[pP][kK][gG]:.+`)},
		"domains":           {required, domainsShape()},
		"accounts":          {optional, accountsShape("Ids of the accounts that own the domain. Without it: any account.")},
		"group":             {optional, spelled("The pattern of the package group that it must resolve to.", groupSpelling)},
		"publish":           {optional, bound("Who may publish it")},
		"external_upstream": {optional, bound("Who may get it from a public registry")},
		"internal_upstream": {optional, bound("Who may get it from another repository")},
		"reason":            {optional, words("Why it is guarded.")},
	})
	guard["anyOf"] = []shape{
		{"required": []string{"group"}}, {"required": []string{"publish"}},
		{"required": []string{"external_upstream"}}, {"required": []string{"internal_upstream"}},
	}
	return object("Packages that must be guarded by their package group.", keys{
		"guard": {required, array("The guards. Where several speak of one package, all must hold.", guard)},
	})
}

func protonShape() shape {
	approvalKeys := func(reason bool) keys {
		roles := func(description string) shape {
			return some(description, spelled("A glob on the ARN of a role.", roleSpelling))
		}
		return keys{
			"environment_accounts": {required, accountsShape("Ids of the accounts that ask.")},
			"management_accounts":  {required, accountsShape("Ids of the accounts that they ask.")},
			"environments":         {required, some("Globs on the name of the environment.", spelled("A glob on the name of an environment.", globSpelling))},
			"roles":                {optional, roles("Each role that the connection shows must match one of these. Without it: any role.")},
			"codebuild_roles":      {optional, roles("The same for the CodeBuild role, which no list shows.")},
			"reason":               {reason, words("Why this is needed.")},
		}
	}
	return object("Which environment account connections of AWS Proton are approved.", keys{
		"approve":        {required, array("What is approved for good.", object("An approval.", approvalKeys(optional)))},
		"waivers":        {optional, array("What is permitted for a while.", object("A waiver.", with(approvalKeys(required), termKeys())))},
		"rejected_after": {required, spelled("How long a rejected request may lie in the environment account. Days, or hours as in 36h.", durationSpelling)},
		"pending_after":  {required, spelled("How long a request may wait there. Days, or hours as in 36h.", durationSpelling)},
		"connected":      {optional, choice("What is done about a connected one that nothing approves.", "report", "delete")},
	})
}

// Package cloudformation carries out a template as CloudFormation and SAM do, as far
// as the templates of this repository need it. It is for tests, which look at what
// is deployed under given parameters, and for setting that up in a local AWS.
package cloudformation

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Template is a template as CloudFormation reads it, with every short tag
// such as !Ref X in its long form, {"Ref": "X"}.
type Template map[string]any

// Read refuses what CloudFormation would take for something else: it
// reads YAML 1.1, in which a bare off is false and a bare date is no text.
func Read(text string) (Template, error) {
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		return nil, err
	}
	root, err := value(document.Content[0])
	if err != nil {
		return nil, err
	}
	return Template(root.(map[string]any)), nil
}

var yaml11Boolean = regexp.MustCompile(`^(?i:y|yes|n|no|on|off)$`)

func value(n *yaml.Node) (any, error) {
	v, err := untagged(n)
	if err != nil || !strings.HasPrefix(n.Tag, "!") || strings.HasPrefix(n.Tag, "!!") {
		return v, err
	}
	switch function := n.Tag[1:]; function {
	case "Ref", "Condition":
		return map[string]any{function: v}, nil
	case "GetAtt":
		resource, attribute, _ := strings.Cut(v.(string), ".")
		return map[string]any{"Fn::GetAtt": []any{resource, attribute}}, nil
	default:
		return map[string]any{"Fn::" + function: v}, nil
	}
}

func untagged(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.MappingNode:
		object := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i]
			if _, twice := object[key.Value]; twice {
				return nil, fmt.Errorf("line %d: key %s stands there twice", key.Line, key.Value)
			}
			v, err := value(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			object[key.Value] = v
		}
		return object, nil
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, element := range n.Content {
			v, err := value(element)
			if err != nil {
				return nil, err
			}
			list[i] = v
		}
		return list, nil
	case yaml.ScalarNode:
		if n.Style == 0 && yaml11Boolean.MatchString(n.Value) || n.Tag == "!!timestamp" {
			return nil, fmt.Errorf("line %d: write %q in quotes, or CloudFormation takes it for something else", n.Line, n.Value)
		}
		if n.Tag == "!!int" || n.Tag == "!!bool" {
			var v any
			err := n.Decode(&v)
			return v, err
		}
		return n.Value, nil
	default:
		return nil, fmt.Errorf("line %d: CloudFormation knows no anchors and aliases", n.Line)
	}
}

// Stack is what a template comes to under given parameters: only the resources
// that exist, with every function carried out. What only AWS can fill in stays
// as a name in angle brackets: <Bus> for !Ref Bus, <Bus.Arn> for !GetAtt Bus.Arn.
type Stack struct {
	Parameters map[string]any
	Resources  map[string]Resource
}

// Resource is one of a stack.
type Resource struct {
	Kind       string
	Attributes map[string]any // all but Properties
	Properties map[string]any
}

// Deploy makes a stack. It refuses a function that it does not know, a name that
// does not exist under these parameters, and parameters that the template's own
// rules refuse. Parameters may also say what AWS says otherwise, as AWS::AccountId.
func (t Template) Deploy(parameters map[string]string) (Stack, error) {
	d := deployment{t: t, values: map[string]any{
		"AWS::AccountId": "111122223333", "AWS::Partition": "aws", "AWS::Region": "eu-west-1", "AWS::StackName": "portcullis",
	}}
	for name, p := range t.Section("Parameters") {
		d.values[name] = At(p, "Default")
		if v, ok := parameters[name]; ok {
			d.values[name] = v
		}
	}
	for name, v := range parameters {
		if strings.HasPrefix(name, "AWS::") {
			d.values[name] = v
		}
	}
	d.assert()
	s := Stack{d.values, map[string]Resource{}}
	for name, r := range t.Section("Resources") {
		if condition, ok := At(r, "Condition").(string); ok && !d.condition(condition) {
			continue
		}
		s.Resources[name] = Resource{Kind: At(r, "Type").(string)}
	}
	d.stack = s
	for name, r := range s.Resources {
		written := maps.Clone(t.Section("Resources")[name].(map[string]any))
		r.Properties, _ = d.eval(written["Properties"]).(map[string]any)
		if r.Kind == "AWS::Serverless::Function" {
			globals, _ := d.eval(At(t["Globals"], "Function")).(map[string]any)
			r.Properties = merge(globals, r.Properties)
		}
		delete(written, "Properties")
		r.Attributes = written
		s.Resources[name] = r
	}
	d.eval(t["Outputs"])
	if len(d.problems) > 0 {
		return s, fmt.Errorf("under %v: %s", parameters, strings.Join(d.problems, "; "))
	}
	return s, nil
}

// assert asks the rules of the template about the parameters.
func (d *deployment) assert() {
	for name, rule := range d.t.Section("Rules") {
		if when := At(rule, "RuleCondition"); when != nil && d.eval(when) != true {
			continue
		}
		assertions, _ := At(rule, "Assertions").([]any)
		for _, assertion := range assertions {
			if d.eval(At(assertion, "Assert")) != true {
				d.problems = append(d.problems, fmt.Sprintf("%s refuses: %v", name, At(assertion, "AssertDescription")))
			}
		}
	}
}

// merge lays b over a, objects key by key, as SAM does with Globals.
func merge(a, b map[string]any) map[string]any {
	merged := maps.Clone(a)
	for key, v := range b {
		below, isObject := merged[key].(map[string]any)
		if above, ok := v.(map[string]any); ok && isObject {
			v = merge(below, above)
		}
		merged[key] = v
	}
	return merged
}

// Section returns a part of the template, such as its Parameters.
func (t Template) Section(name string) map[string]any {
	section, _ := t[name].(map[string]any)
	return section
}

type deployment struct {
	t        Template
	values   map[string]any // of parameters and pseudo parameters
	stack    Stack
	problems []string
}

// noValue is AWS::NoValue: whatever has it is left out.
type noValue struct{}

func (d *deployment) eval(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 1 {
			for name, argument := range v {
				condition, isName := argument.(string)
				switch {
				case name == "Ref" || strings.HasPrefix(name, "Fn::"):
					return d.call(name, argument)
				case name == "Condition" && isName:
					return d.condition(condition)
				}
			}
		}
		object := map[string]any{}
		for key, inner := range v {
			if inner = d.eval(inner); inner != (any)(noValue{}) {
				object[key] = inner
			}
		}
		return object
	case []any:
		list := []any{}
		for _, element := range v {
			if element = d.eval(element); element != (any)(noValue{}) {
				list = append(list, element)
			}
		}
		return list
	default:
		return v
	}
}

func (d *deployment) call(function string, argument any) any {
	list, _ := argument.([]any)
	switch function {
	case "Ref":
		return d.name(argument.(string), "")
	case "Fn::GetAtt":
		return d.name(list[0].(string), list[1].(string))
	case "Fn::If":
		if d.condition(list[0].(string)) {
			return d.eval(list[1])
		}
		return d.eval(list[2])
	case "Fn::Equals":
		return fmt.Sprint(d.eval(list[0])) == fmt.Sprint(d.eval(list[1]))
	case "Fn::Not":
		return d.eval(list[0]) != true
	case "Fn::Or":
		return slices.ContainsFunc(list, func(either any) bool { return d.eval(either) == true })
	case "Fn::Join":
		return strings.Join(Strings(d.eval(list[1])), fmt.Sprint(list[0]))
	case "Fn::Split":
		parts := []any{}
		for part := range strings.SplitSeq(fmt.Sprint(d.eval(list[1])), fmt.Sprint(list[0])) {
			parts = append(parts, part)
		}
		return parts
	case "Fn::FindInMap":
		found := At(d.t["Mappings"], list[0].(string), fmt.Sprint(d.eval(list[1])), list[2].(string))
		if found == nil {
			d.problems = append(d.problems, fmt.Sprintf("there is no %v in the mappings", list))
		}
		return found
	case "Fn::Sub":
		return d.sub(argument)
	default:
		d.problems = append(d.problems, "function "+function+" is not known here")
		return nil
	}
}

var variable = regexp.MustCompile(`\$\{([^}]+)\}`)

func (d *deployment) sub(argument any) any {
	text, ok := argument.(string)
	own := map[string]any{}
	if list, isList := argument.([]any); isList && !ok {
		text, own = list[0].(string), list[1].(map[string]any)
	}
	return variable.ReplaceAllStringFunc(text, func(match string) string {
		name := match[2 : len(match)-1]
		if v, ok := own[name]; ok {
			return fmt.Sprint(d.eval(v))
		}
		resource, attribute, _ := strings.Cut(name, ".")
		return fmt.Sprint(d.name(resource, attribute))
	})
}

func (d *deployment) name(name, attribute string) any {
	if name == "AWS::NoValue" {
		return noValue{}
	}
	if v, ok := d.values[name]; ok && attribute == "" {
		return v
	}
	if _, ok := d.stack.Resources[name]; !ok {
		d.problems = append(d.problems, name+" does not exist")
	}
	if attribute == "" {
		return "<" + name + ">"
	}
	return "<" + name + "." + attribute + ">"
}

func (d *deployment) condition(name string) bool {
	condition, ok := d.t.Section("Conditions")[name]
	if !ok {
		d.problems = append(d.problems, "there is no condition "+name)
	}
	return d.eval(condition) == true
}

// Of returns the resources of a kind, in the order of their names.
func (s Stack) Of(kind string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(s.Resources)) {
		if s.Resources[name].Kind == kind {
			names = append(names, name)
		}
	}
	return names
}

// Get returns a property of a resource, or nil.
func (s Stack) Get(name string, path ...any) any { return At(s.Resources[name].Properties, path...) }

// At walks down objects by key and lists by index. It returns nil where the way ends.
func At(v any, path ...any) any {
	for _, step := range path {
		switch s := step.(type) {
		case string:
			object, _ := v.(map[string]any)
			v = object[s]
		case int:
			list, _ := v.([]any)
			if s >= len(list) {
				return nil
			}
			v = list[s]
		}
	}
	return v
}

// Strings returns a string, or a list of strings, as a list.
func Strings(v any) []string {
	if s, ok := v.(string); ok {
		return []string{s}
	}
	list, _ := v.([]any)
	var all []string
	for _, element := range list {
		all = append(all, fmt.Sprint(element))
	}
	return all
}

package witness

import (
	"fmt"
	"slices"
	"strconv"
)

// excused is where localaws leaves a model on purpose, since AWS may as well.
var excused = map[string]bool{
	// A request may go without this role, if it has the one of CodeBuild; the model requires it of every answer all the same.
	"proton EnvironmentAccountConnection.RoleArn":        true,
	"proton EnvironmentAccountConnectionSummary.RoleArn": true,
	// Statuses that tests set up, for those that AWS may add.
	"proton EnvironmentAccountConnectionStatus FROZEN":    true,
	"proton EnvironmentAccountConnectionStatus SUSPENDED": true,
}

// A checker holds one answer against a model.
type checker struct {
	model  *model
	failed bool // the answer is an error
	found  []string
}

func (c *checker) add(where, format string, args ...any) {
	c.found = append(c.found, where+": "+fmt.Sprintf(format, args...))
}

// shape holds a value against a structure.
func (c *checker) shape(where, name string, value any) {
	members, ok := value.(map[string]any)
	if !ok {
		c.add(where, "%T is no structure", value)
		return
	}
	s := c.model.structs[name]
	wire := c.model.wire[name]
	seen := map[string]bool{}
	for key, v := range members {
		if c.failed && (key == "__type" || key == "message" || key == "Message" || key == "Type" || key == "Code") {
			seen["Message"] = true
			continue // the protocols have these, whatever the model says
		}
		field, known := wire[key]
		if !known {
			c.add(where, "the model has no member %q", key)
			continue
		}
		seen[field] = true
		if v == nil {
			c.add(where, "the member %q is null, which no service sends", key)
			continue
		}
		c.value(where+"."+key, s[field].kind, v)
	}
	for field, f := range s {
		if f.required && !seen[field] && !excused[c.model.service+" "+name+"."+field] {
			c.add(where, "the member %s is required and not there", field)
		}
	}
}

// value holds a value against a type.
func (c *checker) value(where string, k kind, value any) {
	if c.model.xml && value == "" && (k.of == aStruct || k.of == aList || k.of == aMap) {
		return // an element without content is also how XML writes an empty list
	}
	switch k.of {
	case aStruct:
		c.shape(where, k.name, value)
	case aList:
		list, ok := value.([]any)
		if !ok {
			c.add(where, "%T is no list", value)
		}
		for i, v := range list {
			c.value(where+"["+strconv.Itoa(i)+"]", *k.element, v)
		}
	case aMap:
		entries, ok := value.(map[string]any)
		if !ok {
			c.add(where, "%T is no map", value)
		}
		for key, v := range entries {
			c.value(where+"["+key+"]", *k.element, v)
		}
	case anEnum:
		text, ok := value.(string)
		if !ok || !slices.Contains(c.model.enums[k.name], text) && !excused[c.model.service+" "+k.name+" "+text] {
			c.add(where, "%v is not one of %v", value, c.model.enums[k.name])
		}
	case aString:
		if _, ok := value.(string); !ok {
			c.add(where, "%T is no text", value)
		}
	case aNumber, aTime:
		_, number := value.(float64)
		// In XML everything is text.
		text, isText := value.(string)
		if !number && (!c.model.xml || !isText || text == "") {
			c.add(where, "%T is no number", value)
		}
	case aBool:
		text, isText := value.(string)
		if _, ok := value.(bool); !ok && (!c.model.xml || !isText || text != "true" && text != "false") {
			c.add(where, "%T is not true or false", value)
		}
	}
}

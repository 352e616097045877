package witness

import (
	"encoding/xml"
	"fmt"

	"portcullis/shared/localaws"
)

// A node is an element of XML.
type node struct {
	XMLName  xml.Name
	Text     string `xml:",chardata"`
	Children []node `xml:",any"`
}

// decodeXML reads an answer of the Query protocol: <XResponse><XResult>…</XResult><ResponseMetadata>…, or
// <ErrorResponse><Error>…</Error><RequestId>….
func decodeXML(c localaws.Call, body []byte) (any, error) {
	var root node
	if err := xml.Unmarshal(body, &root); err != nil {
		return nil, fmt.Errorf("the body is no XML: %w", err)
	}
	outer, inner, id := c.Operation+"Response", c.Operation+"Result", "ResponseMetadata"
	if c.Status >= 300 {
		outer, inner, id = "ErrorResponse", "Error", "RequestId"
	}
	if root.XMLName.Local != outer || len(root.Children) != 2 || root.Children[0].XMLName.Local != inner ||
		root.Children[1].XMLName.Local != id {
		return nil, fmt.Errorf("the answer is not <%s> with <%s> and <%s>", outer, inner, id)
	}
	result := root.Children[0].value()
	if text, empty := result.(string); empty && text == "" {
		return map[string]any{}, nil
	}
	return result, nil
}

// value is what encoding/json would make of the same in JSON. A list has elements of the name member. An empty element may be an empty
// list, or an empty text: it counts as text.
func (n node) value() any {
	if len(n.Children) == 0 {
		return n.Text
	}
	if n.Children[0].XMLName.Local == "member" {
		list := []any{}
		for _, c := range n.Children {
			if c.XMLName.Local == "member" {
				list = append(list, c.value())
			}
		}
		return list
	}
	members := map[string]any{}
	for _, c := range n.Children {
		members[c.XMLName.Local] = c.value()
	}
	return members
}

package witness

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"sync"
)

// A model is what the source of one module says of the service.
type model struct {
	service string
	xml     bool                         // the protocol is Query
	structs map[string]map[string]field  // by the names of the struct and its field
	wire    map[string]map[string]string // names of fields, by the names of the struct and of the member on the wire
	enums   map[string][]string
	errors  map[string]string // structs, by code
}

type field struct {
	kind     kind
	required bool
}

// A kind is the type of a member.
type kind struct {
	of      int
	name    string // of a structure or an enumeration
	element *kind
}

const (
	anything = iota // it is not looked at
	aString
	aNumber
	aBool
	aTime
	anEnum
	aStruct
	aList
	aMap
)

var models = struct {
	sync.Mutex
	read map[string]func() (*model, error)
}{read: map[string]func() (*model, error){}}

// modelOf reads the module of a service, once.
func modelOf(service string) (*model, error) {
	models.Lock()
	read := models.read[service]
	if read == nil {
		read = sync.OnceValues(func() (*model, error) { return readModel(service) })
		models.read[service] = read
	}
	models.Unlock()
	return read()
}

func readModel(service string) (*model, error) {
	name, known := modules[service]
	if !known {
		return nil, fmt.Errorf("the SDK's module for %q is not known here", service)
	}
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/"+name).Output() //nolint:gosec // G204: the names are above
	if err != nil {
		return nil, fmt.Errorf("finding the module of %s: %w", name, err)
	}
	m := &model{service: service, structs: map[string]map[string]field{}, wire: map[string]map[string]string{}, enums: map[string][]string{}, errors: map[string]string{}}
	root := os.DirFS(strings.TrimSpace(string(dir)))
	var members map[string]bool
	for _, pattern := range []string{"types/*.go", "api_op_*.go", "deserializers.go", "schemas/schemas.go"} {
		files, err := fs.Glob(root, pattern)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			text, err := fs.ReadFile(root, file)
			if err != nil {
				return nil, err
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return nil, err
			}
			if path.Dir(file) == "schemas" {
				members = schemaMembers(parsed)
			}
			m.read(parsed)
		}
	}
	for name, fields := range m.structs {
		for field, f := range fields {
			f.kind = m.resolve(f.kind)
			fields[field] = f
		}
		if members != nil {
			m.wire[name] = named(fields, members)
		}
	}
	return m, nil
}

// read takes what one file says: structs and enumerations, codes of errors, and names on the wire.
func (m *model) read(file *ast.File) {
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					m.declared(s)
				case *ast.ValueSpec:
					m.constant(s)
				}
			}
		case *ast.FuncDecl:
			if d.Name.Name == "ErrorCode" {
				m.coded(d)
			} else if strings.Contains(d.Name.Name, "_deserialize") {
				m.deserializer(d)
			}
		}
	}
}

func (m *model) declared(s *ast.TypeSpec) {
	structure, ok := s.Type.(*ast.StructType)
	if !ok {
		return
	}
	fields := map[string]field{}
	for _, f := range structure.Fields.List {
		if len(f.Names) == 1 && f.Names[0].IsExported() && f.Names[0].Name != "ResultMetadata" && f.Names[0].Name != "ErrorCodeOverride" {
			fields[f.Names[0].Name] = field{kindOf(f.Type), strings.Contains(f.Doc.Text(), "This member is required.")}
		}
	}
	m.structs[s.Name.Name] = fields
}

func (m *model) constant(s *ast.ValueSpec) {
	of, ok := s.Type.(*ast.Ident)
	if !ok || len(s.Values) != 1 {
		return
	}
	if literal, ok := s.Values[0].(*ast.BasicLit); ok && literal.Kind == token.STRING {
		value, _ := strconv.Unquote(literal.Value) // the compiler has read it
		m.enums[of.Name] = append(m.enums[of.Name], value)
	}
}

// coded reads: func (e *ConflictException) ErrorCode() string { … return "ConflictException" … }
func (m *model) coded(d *ast.FuncDecl) {
	receiver, ok := d.Recv.List[0].Type.(*ast.StarExpr)
	if !ok {
		return
	}
	name := receiver.X.(*ast.Ident).Name
	ast.Inspect(d, func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			code, _ := strconv.Unquote(literal.Value)
			m.errors[code] = name
		}
		return true
	})
}

// deserializer reads: func …(v **types.Repository, …) { … case "arn": … sv.Arn = … }
// In the Query protocol the case is strings.EqualFold("Arn", …).
func (m *model) deserializer(d *ast.FuncDecl) {
	if len(d.Type.Params.List) == 0 {
		return
	}
	pointer, _ := d.Type.Params.List[0].Type.(*ast.StarExpr)
	if pointer == nil {
		return
	}
	again, _ := pointer.X.(*ast.StarExpr)
	if again == nil {
		return
	}
	m.xml = m.xml || strings.HasPrefix(d.Name.Name, "awsAwsquery_")
	of := kindOf(again).name
	if m.wire[of] == nil {
		m.wire[of] = map[string]string{}
	}
	ast.Inspect(d.Body, func(n ast.Node) bool {
		clause, ok := n.(*ast.CaseClause)
		if !ok {
			return true
		}
		field := assigned(clause.Body)
		for _, value := range clause.List {
			if call, ok := value.(*ast.CallExpr); ok && len(call.Args) == 2 {
				value = call.Args[0]
			}
			if literal, ok := value.(*ast.BasicLit); ok && literal.Kind == token.STRING && field != "" {
				member, _ := strconv.Unquote(literal.Value)
				m.wire[of][member] = field
			}
		}
		return true
	})
}

// assigned returns the field of sv that the statements set.
func assigned(body []ast.Stmt) (field string) {
	for _, s := range body {
		ast.Inspect(s, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && field == "" {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "sv" {
					field = sel.Sel.Name
				}
			}
			return true
		})
	}
	return field
}

// schemaMembers reads: Shape_Member = Shape.AddMember("Member", …)
func schemaMembers(file *ast.File) map[string]bool {
	members := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "AddMember" {
			if literal, ok := call.Args[0].(*ast.BasicLit); ok {
				name, _ := strconv.Unquote(literal.Value)
				members[name] = true
			}
		}
		return true
	})
	return members
}

// named finds the names on the wire of fields, which begin with a capital in Go, among all those of a module.
func named(fields map[string]field, members map[string]bool) map[string]string {
	wire := map[string]string{}
	for name := range fields {
		for _, member := range []string{name, strings.ToLower(name[:1]) + name[1:]} {
			if members[member] {
				wire[member] = name
				break
			}
		}
	}
	return wire
}

// kindOf reads a type. A name that is no struct turns out to be an enumeration, or something that is not looked at, when
// everything has been read.
func kindOf(e ast.Expr) kind {
	switch e := e.(type) {
	case *ast.StarExpr:
		return kindOf(e.X)
	case *ast.ArrayType:
		element := kindOf(e.Elt)
		if id, ok := e.Elt.(*ast.Ident); ok && id.Name == "byte" {
			return kind{of: aString}
		}
		return kind{of: aList, element: &element}
	case *ast.MapType:
		element := kindOf(e.Value)
		return kind{of: aMap, element: &element}
	case *ast.SelectorExpr:
		if e.Sel.Name == "Time" {
			return kind{of: aTime}
		}
		return kind{of: aStruct, name: e.Sel.Name}
	case *ast.Ident:
		switch e.Name {
		case "string":
			return kind{of: aString}
		case "bool":
			return kind{of: aBool}
		case "int32", "int64", "float32", "float64":
			return kind{of: aNumber}
		}
		return kind{of: aStruct, name: e.Name}
	}
	return kind{}
}

func (m *model) resolve(k kind) kind {
	if k.element != nil {
		element := m.resolve(*k.element)
		k.element = &element
	}
	if k.of == aStruct && m.structs[k.name] == nil {
		k.of = anything
		if m.enums[k.name] != nil {
			k.of = anEnum
		}
	}
	return k
}

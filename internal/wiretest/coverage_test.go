package wiretest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caro-mesh/caro-node/protocol"
)

const (
	wire   = "../../protocol" // package protocol and the folders below it
	module = "../.."
)

// sources parses Go files of a folder and of those below it.
func sources(t *testing.T, root string, want func(name string) bool) []*ast.File {
	t.Helper()
	var files []*ast.File
	set := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !want(filepath.Base(path)) {
			return err
		}
		f, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		files = append(files, f)
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatal(len(files), err)
	}
	return files
}

func isTest(name string) bool { return strings.HasSuffix(name, "_test.go") }

// constants returns the constants that are declared in a file of package protocol, of the type (any when empty).
func constants(t *testing.T, file, typ string) map[string]string {
	t.Helper()
	out := make(map[string]string)
	for _, f := range sources(t, wire, func(name string) bool { return name == file }) {
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				if id, ok := v.Type.(*ast.Ident); typ != "" && (!ok || id.Name != typ) {
					continue
				}
				for i, n := range v.Names {
					out[n.Name] = ""
					if lit, ok := v.Values[i].(*ast.BasicLit); ok {
						out[n.Name] = lit.Value
					}
				}
			}
		}
	}
	return out
}

// functions returns the names of all test functions.
func functions(t *testing.T) map[string]bool {
	t.Helper()
	out := make(map[string]bool)
	for _, f := range sources(t, wire, isTest) {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				out[fn.Name.Name] = true
			}
		}
	}
	return out
}

// messages returns the message types as the source declares them, so that none is overlooked.
func messages(t *testing.T) map[string]protocol.MsgType {
	t.Helper()
	out := make(map[string]protocol.MsgType)
	for name, value := range constants(t, "envelope.go", "MsgType") {
		n, err := strconv.ParseUint(value, 0, 16)
		if err != nil {
			t.Fatalf("%s = %s: %v", name, value, err)
		}
		out[name] = protocol.MsgType(n)
	}
	if len(out) < 10 {
		t.Fatalf("only %d message types were found", len(out))
	}
	return out
}

func TestEveryMessageHasANameALimitVectorsAFuzzTargetAndAPropertyTest(t *testing.T) {
	tests := functions(t)
	all := messages(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		m := all[name]
		t.Run(name, func(t *testing.T) {
			if name != "Msg"+m.String() && name != "Msg"+strings.TrimPrefix(m.String(), "Key") {
				t.Errorf("it is called %q", m)
			}
			if protocol.MaxSize(m) == 0 {
				t.Error("its size has no limit: add it to sizes in protocol/limits.go")
			}
			if f := "Fuzz" + m.String(); !tests[f] {
				t.Errorf("its payload is not fuzzed: there is no %s", f)
			}
			if f := "TestEvery" + m.String() + "SurvivesTheWire"; !tests[f] {
				t.Errorf("no property of its payload is tested: there is no %s", f)
			}
			paths, err := filepath.Glob(filepath.Join(wire, "*", Path(m)))
			if err != nil || len(paths) != 1 {
				t.Fatalf("its vectors are in %v (%v), want one file protocol/*/%s", paths, err, Path(m))
			}
			f := Read(t, paths[0])
			if len(f.Vectors) == 0 || len(f.Refused) == 0 || f.Type != uint16(m) || f.Limit != protocol.MaxSize(m) {
				t.Errorf("%s holds %d vectors and %d refusals of type 0x%04x with limit %d", paths[0], len(f.Vectors), len(f.Refused), f.Type, f.Limit)
			}
			for _, v := range f.Vectors {
				f.Verify(t, v)
			}
		})
	}
}

func TestFramingIsFuzzed(t *testing.T) {
	if tests := functions(t); !tests["FuzzReadFrame"] || !tests["FuzzOpenEnvelope"] {
		t.Error("the framing or the envelope is not fuzzed")
	}
}

func TestEveryLimitIsNamedInATest(t *testing.T) {
	named := make(map[string]bool)
	for _, f := range sources(t, module, isTest) {
		ast.Inspect(f, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				named[id.Name] = true
			}
			return true
		})
	}
	all := constants(t, "limits.go", "")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !named[name] {
			t.Errorf("%s of protocol/limits.go stands in no test", name)
		}
	}
	t.Logf("%d limits", len(all))
}

package caronode_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// maxLines is the most a file may have: beyond it, it holds more than one idea.
const maxLines = 450

// layer says which folders of this module a folder may import. A name that ends in "/..." stands for the folder and
// everything below it.
type layer struct {
	folder string
	owns   string
	may    []string
	tool   bool // for tests and tools only
}

type reach struct {
	from, to []string
	why      string
}

type dependency struct {
	path string
	how  depth
	why  string
}

// depth says whether a [dependency] is one package or a tree of them.
type depth bool

const (
	onlyItself          depth = false
	withEverythingBelow depth = true
)

// pkg is what `go list -json` tells about a package.
type pkg struct {
	ImportPath string
	Imports    []string
	Error      *struct{ Err string }
}

// graph holds packages by import path.
type graph map[string]*pkg

// folder returns the package's folder within the module; ok is false for packages of others.
func (p *pkg) folder() (folder string, ok bool) {
	if p.ImportPath == module {
		return "", true
	}
	return strings.CutPrefix(p.ImportPath, module+"/")
}

// own returns the folders of this module's packages, sorted.
func (g graph) own() []string {
	var folders []string
	for _, p := range g {
		if f, ok := p.folder(); ok {
			folders = append(folders, f)
		}
	}
	slices.Sort(folders)
	return folders
}

func importPath(folder string) string { return path.Join(module, folder) }

// inFolder reports whether folder is pattern, or matches it when it ends in "/...".
func inFolder(folder, pattern string) bool {
	if pattern == anything {
		return true
	}
	if tree, ok := strings.CutSuffix(pattern, "/..."); ok {
		return folder == tree || strings.HasPrefix(folder, tree+"/")
	}
	return folder == pattern
}

func inAny(folder string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return inFolder(folder, p) })
}

// layerOf returns the layer that names the folder itself, or else a tree that holds it.
func layerOf(folder string, layers []layer) (layer, bool) {
	for _, l := range layers {
		if l.folder == folder {
			return l, true
		}
	}
	for _, l := range layers {
		if inFolder(folder, l.folder) {
			return l, true
		}
	}
	return layer{}, false
}

func isTool(folder string, layers []layer) bool {
	l, ok := layerOf(folder, layers)
	return ok && l.tool
}

func checkLayers(g graph, layers []layer) (violations []string) {
	for _, folder := range g.own() {
		p := g[importPath(folder)]
		if p.Error != nil {
			violations = append(violations, fmt.Sprintf("%s cannot be read, so its imports are unknown: %s", name(folder), p.Error.Err))
		}
		l, ok := layerOf(folder, layers)
		if !ok {
			violations = append(violations, fmt.Sprintf("%s has no place: add it to the table of layers, with what it owns and what it may import", name(folder)))
			continue
		}
		for _, imported := range p.Imports {
			below, ok := (&pkg{ImportPath: imported}).folder()
			switch {
			case !ok:
			case isTool(below, layers) && !l.tool:
				violations = append(violations, fmt.Sprintf("%s imports %s, which is for tests and tools and must not be part of the program", name(folder), below))
			case !inAny(below, l.may):
				violations = append(violations, fmt.Sprintf("%s (%s) imports %s; it may import %s, because imports point downwards only",
					name(folder), l.owns, below, orNothing(l.may)))
			}
		}
	}
	return violations
}

func name(folder string) string {
	if folder == "" {
		return "the root package"
	}
	return folder
}

func orNothing(names []string) string {
	if len(names) == 0 {
		return "nothing of this module"
	}
	return strings.Join(names, ", ")
}

func checkReach(g graph, r reach) (violations []string) {
	for _, folder := range g.own() {
		if !inAny(folder, r.from) {
			continue
		}
		chains := g.chains(importPath(folder))
		for _, target := range g.own() {
			if chain := chains[importPath(target)]; len(chain) > 1 && inAny(target, r.to) {
				violations = append(violations, fmt.Sprintf("%s reaches %s (%s), which it must not: %s", folder, target, arrows(chain), r.why))
			}
		}
	}
	return violations
}

func checkDependencies(g graph, root string, unwanted []dependency) (violations []string) {
	chains := g.chains(root)
	for _, p := range slices.Sorted(maps.Keys(chains)) {
		for _, d := range unwanted {
			if p == d.path || (d.how == withEverythingBelow && strings.HasPrefix(p, d.path+"/")) {
				violations = append(violations, fmt.Sprintf("the binary contains %s (%s): %s", p, arrows(chains[p]), d.why))
			}
		}
	}
	return violations
}

// chains returns a shortest chain of imports from root to every package that it reaches.
func (g graph) chains(root string) map[string][]string {
	found := map[string][]string{root: {root}}
	for queue := []string{root}; len(queue) > 0; queue = queue[1:] {
		p := g[queue[0]]
		if p == nil {
			continue
		}
		for _, next := range p.Imports {
			if found[next] == nil {
				found[next] = append(slices.Clone(found[queue[0]]), next)
				queue = append(queue, next)
			}
		}
	}
	return found
}

func arrows(chain []string) string {
	short := make([]string, len(chain))
	for i, c := range chain {
		short[i] = strings.TrimPrefix(c, module+"/")
	}
	return strings.Join(short, " → ")
}

// listPackages returns this module's packages and all that they import, as a build for goos sees them.
func listPackages(t *testing.T, goos string) graph {
	t.Helper()
	// Reading it also tells the test cache that the result depends on it; it cannot see what go list reads.
	if mod, err := os.ReadFile("go.mod"); err != nil || !bytes.HasPrefix(mod, []byte("module "+module+"\n")) {
		t.Fatalf("this is not the root of module %s: %v", module, err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps", "-json=ImportPath,Imports,Error", "./...")
	cmd.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	g := graph{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("output of go list: %v", err)
		}
		g[p.ImportPath] = &p
	}
	if g[module] == nil || g[module+"/protocol"] == nil {
		t.Fatalf("go list named %d packages, and not those of this module", len(g))
	}
	return g
}

// file is one parsed Go file of this module.
type file struct {
	path  string // within the module, with slashes
	set   *token.FileSet
	ast   *ast.File
	lines int
}

func (f *file) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

func (f *file) folder() string {
	if dir := path.Dir(f.path); dir != "." {
		return dir
	}
	return ""
}

func parseSource(path string, source []byte) (*file, error) {
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, path, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	return &file{path, set, parsed, bytes.Count(source, []byte("\n"))}, nil
}

// parseModule returns every Go file of this module, whatever system it is built for.
func parseModule(t *testing.T) []*file {
	t.Helper()
	var files []*file
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); p != "." && (strings.HasPrefix(n, ".") || n == "testdata" || n == "node_modules" || isModule(p)) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		source, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		f, err := parseSource(filepath.ToSlash(p), source)
		if err != nil {
			return err
		}
		files = append(files, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// isModule reports whether a folder below the root is a module of its own.
func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// What touches a stream or a topic, by the way in which it can be seen in the source.
var (
	streamMethods = []string{"NewStream", "SetStreamHandler", "SetStreamHandlerMatch"}
	topicMethods  = []string{"Join", "Subscribe", "Publish", "RegisterTopicValidator"}
	streamTypes   = map[string][]string{
		network: {"Stream", "StreamHandler"},
		pubsub:  {"Topic", "Subscription"},
	}
)

const onlyProtocol = "only protocol/… reads and writes streams and topics, so that nothing reaches the wire without a signature, a policy and an audit record"

// checkStreams finds what touches streams and topics: the methods, called or not, and the types.
func checkStreams(f *file) (violations []string) {
	imported, usesTopics := map[string]string{}, false
	for _, spec := range f.ast.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // does not parse otherwise
		}
		imported[localName(spec, p)] = p
		usesTopics = usesTopics || p == pubsub
		if spec.Name != nil && spec.Name.Name == "." && streamTypes[p] != nil {
			violations = append(violations, fmt.Sprintf("%s imports all names of %s; %s", f.path, p, onlyProtocol))
		}
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		what := sel.Sel.Name
		of := ""
		if x, ok := sel.X.(*ast.Ident); ok {
			of = imported[x.Name]
		}
		switch {
		case of != "": // a name of another package: strings.Join, network.Stream
			ok = slices.Contains(streamTypes[of], what)
		case what == "Join": // of a pubsub router; nothing else that we use has such a method
			ok = true
		default:
			ok = slices.Contains(streamMethods, what) || (usesTopics && slices.Contains(topicMethods, what))
		}
		if ok {
			violations = append(violations, fmt.Sprintf("%s uses %s; %s", f.set.Position(sel.Pos()), what, onlyProtocol))
		}
		return true
	})
	return violations
}

// localName returns the name by which a file refers to an imported package.
func localName(spec *ast.ImportSpec, importPath string) string {
	if spec.Name != nil {
		return spec.Name.Name
	}
	if importPath == pubsub {
		return "pubsub" // unlike its path
	}
	base := path.Base(importPath)
	if len(base) > 1 && base[0] == 'v' && strings.Trim(base[1:], "0123456789") == "" {
		base = path.Base(path.Dir(importPath))
	}
	return strings.TrimPrefix(base, "go-")
}

func checkComments(files []*file) (violations []string) {
	commented := map[string]bool{}
	for _, f := range files {
		commented[f.folder()] = commented[f.folder()] || (f.ast.Doc != nil && strings.TrimSpace(f.ast.Doc.Text()) != "")
	}
	for _, folder := range slices.Sorted(maps.Keys(commented)) {
		if !commented[folder] {
			violations = append(violations, fmt.Sprintf("%s has no package comment: say in its first sentence what it owns, so that a reader need not guess", name(folder)))
		}
	}
	return violations
}

func checkLength(f *file) []string {
	if f.isTest() || f.lines <= maxLines {
		return nil
	}
	return []string{fmt.Sprintf("%s has %d lines, more than %d: files of this size hold more than one idea and grow into god files; split it", f.path, f.lines, maxLines)}
}

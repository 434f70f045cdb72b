package wiretest

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// grouped writes a number as people read it.
func grouped(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// span writes a duration as people read it.
func span(d time.Duration) string {
	switch {
	case d%(24*time.Hour) == 0:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%g s", d.Seconds())
}

// limits computes the constants of limits.go, exported or not.
func limits(t *testing.T) map[string]string {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, filepath.Join(wire, "limits.go"), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	file.Decls = slices.DeleteFunc(file.Decls, func(d ast.Decl) bool { // what needs the rest of the package
		g, ok := d.(*ast.GenDecl)
		return !ok || g.Tok != token.CONST && g.Tok != token.IMPORT
	})
	pkg, err := (&types.Config{Importer: importer.ForCompiler(set, "source", nil)}).Check("limits", set, []*ast.File{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]string)
	for _, name := range pkg.Scope().Names() {
		c, ok := pkg.Scope().Lookup(name).(*types.Const)
		if !ok {
			continue
		}
		if n, exact := constant.Int64Val(c.Val()); exact && c.Type().String() == "time.Duration" {
			out[name] = span(time.Duration(n))
		} else {
			out[name] = grouped(c.Val().ExactString())
		}
	}
	return out
}

func TestTheDocumentHasEveryLimitAndItsValue(t *testing.T) {
	want, got := limits(t), make(map[string]string)
	for _, row := range table(t, Document(t, module), "## Limits") {
		got[row[0]] = row[1]
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] != want[name] {
			t.Errorf("%s is %s, docs/protocol.md says %q", name, want[name], got[name])
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("%s of docs/protocol.md is no constant of protocol/limits.go", name)
	}
}

func TestTheDocumentHasEveryMessageWithItsNumberAndLimit(t *testing.T) {
	got := make(map[string]string)
	for _, row := range table(t, Document(t, module), "## Messages") {
		got[row[0]] = row[1] + " " + row[3]
	}
	for _, m := range messages(t) {
		if want := fmt.Sprintf("0x%04X %s", uint16(m), grouped(fmt.Sprint(protocol.MaxSize(m)))); got[m.String()] != want {
			t.Errorf("%s is %s, docs/protocol.md says %q", m, want, got[m.String()])
		}
		delete(got, m.String())
	}
	for name := range got {
		t.Errorf("there is no message %s", name)
	}
}

func TestTheDocumentHasTheFieldsOfTheNouns(t *testing.T) {
	document := Document(t, module)
	for message, v := range map[string]any{
		"NodeIdentity": protocol.NodeIdentity{}, "NodeCapabilities": protocol.NodeCapabilities{}, "Signature": protocol.Signature{},
		"NodeSummary": protocol.NodeSummary{}, "Period": protocol.Period{}, "CategoryStat": protocol.CategoryStat{},
		"SafetyStats": protocol.SafetyStats{}, "RiskCounts": protocol.RiskCounts{},
		"MeshQuery": protocol.MeshQuery{}, "TimeRange": protocol.TimeRange{}, "Filter": protocol.Filter{},
		"MeshResponse": protocol.MeshResponse{}, "ResponseData": protocol.ResponseData{}, "ToolUsage": protocol.ToolUsage{},
		"CategorySums": protocol.CategorySums{}, "SafetySums": protocol.SafetySums{}, "ActivitySums": protocol.ActivitySums{},
		"Anomalies": protocol.Anomalies{}, "Anomaly": protocol.Anomaly{}, "NodeHealth": protocol.NodeHealth{},
		"NodeHealthStatus": protocol.NodeHealthStatus{}, "QueryReceipt": protocol.QueryReceipt{},
	} {
		Fields(t, document, message, v)
	}
	Fields(t, strings.Replace(document, "## Envelope\n", "#### Envelope fields\n", 1), "Envelope", protocol.Envelope{})
}

func TestTheDocumentNamesNoErrorThatDoesNotExist(t *testing.T) {
	declared := make(map[string]bool)
	for _, f := range sources(t, wire, func(name string) bool { return strings.HasSuffix(name, ".go") && !isTest(name) }) {
		ast.Inspect(f, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok {
				for _, name := range v.Names {
					declared[name.Name] = true
				}
			}
			return true
		})
	}
	named := regexp.MustCompile(`\bErr[A-Z]\w*`).FindAllString(Document(t, module), -1)
	if len(named) < 10 {
		t.Fatalf("only %q are named", named)
	}
	for _, name := range named {
		if !declared[name] {
			t.Errorf("docs/protocol.md names %s, which does not exist", name)
		}
	}
}

// hexBlock is a block of the document whose lines begin with bytes in hex; the words after them are for people.
var (
	hexBlock = regexp.MustCompile("(?s)```hex\n(.*?)```")
	hexLine  = regexp.MustCompile(`^\s*((?:[0-9A-F]{2})+(?: (?:[0-9A-F]{2})+)*)(?:\s\s|$)`)
)

func TestTheExampleOfTheDocumentIsTheVector(t *testing.T) {
	var blocks [][]byte
	for _, m := range hexBlock.FindAllStringSubmatch(Document(t, module), -1) {
		var text strings.Builder
		for line := range strings.Lines(m[1]) {
			h := hexLine.FindStringSubmatch(strings.TrimRight(line, "\n"))
			if h == nil {
				t.Fatalf("the line %q does not begin with bytes", line)
			}
			text.WriteString(strings.ReplaceAll(h[1], " ", ""))
		}
		b, err := hex.DecodeString(text.String())
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, b)
	}
	for _, v := range Read(t, filepath.Join(wire, "ping", Path(protocol.MsgPing))).Vectors {
		if v.Name != "usual" {
			continue
		}
		var framed bytes.Buffer
		if err := protocol.WriteFrame(&framed, v.Envelope); err != nil {
			t.Fatal(err)
		}
		want := [][]byte{v.Payload, v.Signed, v.Envelope, framed.Bytes()[:framed.Len()-len(v.Envelope)]}
		if len(blocks) != len(want) {
			t.Fatalf("%d blocks of bytes, want %d", len(blocks), len(want))
		}
		for i := range want {
			if !bytes.Equal(blocks[i], want[i]) {
				t.Errorf("block %d of docs/protocol.md is\n%X, the vector says\n%X", i+1, blocks[i], want[i])
			}
		}
	}
}

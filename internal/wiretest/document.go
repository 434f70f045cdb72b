package wiretest

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Document returns the written protocol; up is the way from the calling test's folder to the root of the module.
func Document(t testing.TB, up string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(up, "docs", "protocol.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// table returns the rows of the first table below a heading, without its head; each row is its cells.
func table(t testing.TB, document, heading string) [][]string {
	t.Helper()
	_, rest, ok := strings.Cut(document, "\n"+heading+"\n")
	if !ok {
		t.Errorf("docs/protocol.md has no heading %q", heading)
		return nil
	}
	var rows [][]string
	for line := range strings.Lines(rest) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "|"):
			cells := strings.Split(strings.Trim(line, "|"), "|")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			rows = append(rows, cells)
		case strings.HasPrefix(line, "#"), len(rows) > 0:
			if len(rows) < 3 {
				t.Errorf("docs/protocol.md has no table below %q", heading)
				return nil
			}
			return rows[2:] // the first two are the head
		}
	}
	return rows[min(2, len(rows)):]
}

var wordEnd = regexp.MustCompile(`([a-z])([A-Z])`)

// Fields checks that the document lists the fields of a message as the struct v has them: key, name, and whether it may
// be absent. Names are those of the JSON form, or else those of the struct in snake case.
func Fields(t testing.TB, document, message string, v any) {
	t.Helper()
	var want []string
	for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
		key, options, _ := strings.Cut(f.Tag.Get("cbor"), ",")
		if key == "" || key == "-" {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = strings.ToLower(wordEnd.ReplaceAllString(f.Name, "${1}_${2}"))
		}
		if strings.Contains(options, "omitempty") {
			key += "?"
		}
		want = append(want, key+" "+name)
	}
	var got []string
	for _, row := range table(t, document, "#### "+message+" fields") {
		if len(row) != 3 || row[2] == "" {
			t.Errorf("docs/protocol.md, %s: the row %q should have key, field and type", message, row)
			continue
		}
		got = append(got, row[0]+" "+row[1])
	}
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("docs/protocol.md lists the fields of %s as\n%q, the program has\n%q", message, got, want)
	}
}

// Row checks that the document has a table row with these cells.
func Row(t testing.TB, document string, cells ...any) {
	t.Helper()
	text := make([]string, len(cells))
	for i, c := range cells {
		text[i] = fmt.Sprint(c)
	}
	if row := "| " + strings.Join(text, " | ") + " |"; !strings.Contains(document, "\n"+row+"\n") {
		t.Errorf("docs/protocol.md has no row %s", row)
	}
}

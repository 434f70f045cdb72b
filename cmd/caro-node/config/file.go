package config

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/caro-mesh/caro-node/policy"
)

// file is config.toml as it is written: the complete list of keys. Scalars are read from viper, which knows the
// environment and flags as well; here they only have to exist and have the right type.
type file struct {
	Node struct {
		Name string `toml:"name"`
	} `toml:"node"`
	Network struct {
		Listen      []string `toml:"listen"`
		StaticPeers []string `toml:"static_peers"`
		MDNS        bool     `toml:"mdns"`
		AllowPublic bool     `toml:"allow_public"`
	} `toml:"network"`
	API struct {
		Listen string `toml:"listen"`
	} `toml:"api"`
	Observer struct {
		Ignore []string `toml:"ignore"`
		Redact bool     `toml:"redact"`
		Guard  string   `toml:"guard"`
	} `toml:"observer"`
	Policy  policy.Document `toml:"policy"`
	Storage struct {
		EventsDays    int `toml:"events_days"`
		SummariesDays int `toml:"summaries_days"`
		AuditDays     int `toml:"audit_days"`
	} `toml:"storage"`
	Log struct {
		Level  string `toml:"level"`
		Format string `toml:"format"`
	} `toml:"log"`

	lines map[string]int // the line of each key
}

// parseFile decodes strictly. Every fault is one line "path:line: what; what to do".
func parseFile(path string, data []byte) (*file, error) {
	var f file
	dec := toml.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return nil, explain(path, err)
	}
	var err error
	if f.lines, err = addOrigins(&f.Policy, path, data); err != nil {
		return nil, err
	}
	return &f, nil
}

func explain(path string, err error) error {
	var missing *toml.StrictMissingError
	if errors.As(err, &missing) {
		var errs []error
		for _, e := range missing.Errors {
			line, _ := e.Position()
			key := strings.Join(e.Key(), ".")
			hint := "see config.example.toml for all keys"
			if near := nearest(key, knownKeys); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			errs = append(errs, &policy.DocumentError{Source: path, Line: line, Err: fmt.Errorf("unknown key %q (%s)", key, hint)})
		}
		return errors.Join(errs...)
	}
	var de *toml.DecodeError
	if errors.As(err, &de) {
		line, _ := de.Position()
		msg := strings.TrimPrefix(de.Error(), "toml: ")
		if key := strings.Join(de.Key(), "."); key != "" {
			msg = key + ": " + msg
			if want := wanted(reflect.TypeFor[file](), de.Key()); want != "" && strings.Contains(msg, "cannot decode") {
				msg = key + " must be " + want
			}
		}
		return &policy.DocumentError{Source: path, Line: line, Err: errors.New(msg)}
	}
	return fmt.Errorf("%s: %w", path, err)
}

// wanted says what has to stand at a key. The decoder tells it in terms of Go's types.
func wanted(t reflect.Type, key []string) string {
	if t.Kind() == reflect.Slice && len(key) > 0 && t.Elem().Kind() == reflect.Struct {
		t = t.Elem()
	}
	if len(key) > 0 && t.Kind() == reflect.Struct {
		for i := range t.NumField() {
			if f := t.Field(i); f.Tag.Get("toml") == key[0] {
				return wanted(f.Type, key[1:])
			}
		}
		return ""
	}
	switch t.Kind() {
	case reflect.String:
		return `text in quotes, such as "text"`
	case reflect.Bool:
		return "true or false, without quotes"
	case reflect.Int:
		return "a whole number, without quotes"
	case reflect.Struct:
		return "a table: write its name in brackets on a line of its own, and its keys below"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Struct {
			return "tables: write the name in double brackets before each one"
		}
		return `a list of texts, such as ["one", "two"]`
	}
	return ""
}

// knownKeys serves suggestions for misspelt keys; a test keeps it equal to the fields of file.
var knownKeys = []string{
	"node", "node.name", "network", "network.listen", "network.static_peers", "network.mdns", "network.allow_public",
	"api", "api.listen", "observer", "observer.ignore", "observer.redact", "observer.guard",
	"policy", "policy.max_level", "policy.default_trust", "policy.min_contributors", "policy.share_event_count", "policy.query_types", "policy.max_history_days",
	"policy.queries_per_hour", "policy.allowed_categories",
	"policy.denied_categories", "policy.nodes", "policy.nodes.id", "policy.nodes.trust", "policy.nodes.name", "policy.nodes.deny",
	"policy.nodes.query_types", "policy.nodes.max_history_days", "policy.nodes.queries_per_hour",
	"policy.subnets", "policy.subnets.cidr", "policy.subnets.trust", "policy.subnets.deny",
	"policy.subnets.query_types", "policy.subnets.max_history_days", "policy.subnets.queries_per_hour",
	"policy.tests", "policy.tests.peer", "policy.tests.request", "policy.tests.range_days", "policy.tests.expect", "policy.tests.level", "policy.tests.rule",
	"storage", "storage.events_days", "storage.summaries_days", "storage.audit_days", "log", "log.level", "log.format",
}

// nearest returns the known key closest to key, or "" when none is within three edits, or half its length if shorter.
func nearest(key string, known []string) string {
	best, bestDistance := "", 4
	for _, k := range known {
		if d := editDistance(key, k); d < bestDistance && 2*d <= len(k) {
			best, bestDistance = k, d
		}
	}
	return best
}

// editDistance is the Levenshtein distance in bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			above := row[j]
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above+1, row[j-1]+1, diagonal+cost)
			diagonal = above
		}
	}
	return row[len(b)]
}

// addOrigins notes the line of each policy rule, so that a decision can name the place that made it, and returns the
// line of every key.
func addOrigins(doc *policy.Document, path string, data []byte) (map[string]int, error) {
	if path != "" {
		doc.Source = filepath.Base(path) // the whole path would name the user in every audit record
	}
	doc.Origins = make(map[string]policy.Origin)
	lines := make(map[string]int)
	var p unstable.Parser
	p.Reset(data)
	var table []string
	var nodes, subnets, tests []int
	for p.NextExpression() {
		e := p.Expression()
		var keys []string
		line := 0
		for it := e.Key(); it.Next(); {
			keys = append(keys, string(it.Node().Data))
			if line == 0 {
				line = p.Shape(it.Node().Raw).Start.Line
			}
		}
		switch e.Kind {
		case unstable.Table:
			table = keys
		case unstable.ArrayTable:
			table = keys
			switch {
			case slices.Equal(keys, []string{"policy", "nodes"}):
				nodes = append(nodes, line)
			case slices.Equal(keys, []string{"policy", "subnets"}):
				subnets = append(subnets, line)
			case slices.Equal(keys, []string{"policy", "tests"}):
				tests = append(tests, line)
			}
		case unstable.KeyValue:
			noteLines(lines, append(slices.Clone(table), keys...), e.Value(), line, &p)
		}
	}
	if err := p.Error(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for key, line := range lines {
		if name, ok := strings.CutPrefix(key, "policy."); ok && !strings.Contains(name, ".") {
			doc.Origins[name] = policy.Origin{Line: line}
		}
	}
	// Entries written as inline tables have no header; they share the line of their key.
	for i := range doc.Nodes {
		doc.Nodes[i].Line = lineOf(nodes, i, doc.Origins["nodes"].Line)
	}
	for i := range doc.Subnets {
		doc.Subnets[i].Line = lineOf(subnets, i, doc.Origins["subnets"].Line)
	}
	for i := range doc.Tests {
		doc.Tests[i].Line = lineOf(tests, i, doc.Origins["tests"].Line)
	}
	return lines, nil
}

// noteLines notes a key and, where its value is an inline table, the keys in it.
func noteLines(lines map[string]int, key []string, value *unstable.Node, line int, p *unstable.Parser) {
	lines[strings.Join(key, ".")] = line
	if value == nil || value.Kind != unstable.InlineTable {
		return
	}
	for it := value.Children(); it.Next(); {
		inner := slices.Clone(key)
		at := line
		for k := it.Node().Key(); k.Next(); {
			inner = append(inner, string(k.Node().Data))
			at = p.Shape(k.Node().Raw).Start.Line
		}
		noteLines(lines, inner, it.Node().Value(), at, p)
	}
}

func lineOf(lines []int, i, fallback int) int {
	if i < len(lines) {
		return lines[i]
	}
	return fallback
}

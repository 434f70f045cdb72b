package config

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
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
}

// parseFile decodes strictly. Every fault is one line "path:line: what; what to do".
func parseFile(path string, data []byte) (*file, error) {
	var f file
	dec := toml.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return nil, explain(path, err)
	}
	if err := addOrigins(&f.Policy, path, data); err != nil {
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
			errs = append(errs, fmt.Errorf("%s:%d: unknown key %q (%s)", path, line, key, hint))
		}
		return errors.Join(errs...)
	}
	var de *toml.DecodeError
	if errors.As(err, &de) {
		line, _ := de.Position()
		msg := strings.TrimPrefix(de.Error(), "toml: ")
		if key := strings.Join(de.Key(), "."); key != "" {
			msg = key + ": " + msg
		}
		return fmt.Errorf("%s:%d: %s", path, line, msg)
	}
	return fmt.Errorf("%s: %w", path, err)
}

// knownKeys serves suggestions for misspelt keys; a test keeps it equal to the fields of file.
var knownKeys = []string{
	"node", "node.name", "network", "network.listen", "network.static_peers", "network.mdns", "network.allow_public",
	"api", "api.listen", "observer", "observer.ignore", "observer.redact", "observer.guard",
	"policy", "policy.max_level", "policy.default_trust", "policy.min_contributors", "policy.allowed_categories",
	"policy.denied_categories", "policy.nodes", "policy.nodes.id", "policy.nodes.trust", "policy.nodes.name", "policy.nodes.deny",
	"policy.subnets", "policy.subnets.cidr", "policy.subnets.trust", "policy.subnets.deny",
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

// addOrigins notes the line of each policy rule, so that a decision can name the place that made it.
func addOrigins(doc *policy.Document, path string, data []byte) error {
	if path != "" {
		doc.Source = filepath.Base(path) // the whole path would name the user in every audit record
	}
	doc.Origins = make(map[string]policy.Origin)
	var p unstable.Parser
	p.Reset(data)
	var table []string
	var nodes, subnets []int
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
			}
		case unstable.KeyValue:
			if full := append(slices.Clone(table), keys...); len(full) == 2 && full[0] == "policy" {
				doc.Origins[full[1]] = policy.Origin{Line: line}
			}
		}
	}
	if err := p.Error(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	// Entries written as inline tables have no header; they share the line of their key.
	for i := range doc.Nodes {
		doc.Nodes[i].Line = lineOf(nodes, i, doc.Origins["nodes"].Line)
	}
	for i := range doc.Subnets {
		doc.Subnets[i].Line = lineOf(subnets, i, doc.Origins["subnets"].Line)
	}
	return nil
}

func lineOf(lines []int, i, fallback int) int {
	if i < len(lines) {
		return lines[i]
	}
	return fallback
}

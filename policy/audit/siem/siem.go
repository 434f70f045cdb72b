package siem

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// Format is the form in which records are written.
type Format string

// The formats.
const (
	JSONLines Format = "jsonl"
	Syslog    Format = "syslog"
	OCSF      Format = "ocsf"
)

// Formats returns all formats.
func Formats() []Format { return []Format{JSONLines, Syslog, OCSF} }

// ParseFormat reads the name of a format.
func ParseFormat(s string) (Format, error) {
	for _, f := range Formats() {
		if string(f) == s {
			return f, nil
		}
	}
	return "", fmt.Errorf("unknown format %q (one of jsonl, syslog, ocsf)", s)
}

// Origin is the node whose records are written.
type Origin struct {
	Node    protocol.NodeID // may be empty when it is not known
	Host    string          // name of the machine; may be empty
	Version string          // of the program
}

// Line returns a record in the format as one line, without its end: no byte of it is below a space.
func (o Origin) Line(f Format, r audit.Record) ([]byte, error) {
	switch f {
	case JSONLines:
		return jsonLine(r)
	case Syslog:
		return o.syslog(r, []byte(sentence(r))), nil
	case OCSF:
		return jsonLine(o.ocsf(r))
	}
	return nil, fmt.Errorf("unknown format %q", f)
}

// Message returns a record as a message for a syslog collector: with [Syslog] that is its line, with the others a message
// that has the line as its text.
func (o Origin) Message(f Format, r audit.Record) ([]byte, error) {
	line, err := o.Line(f, r)
	if err != nil || f == Syslog {
		return line, err
	}
	return o.syslog(r, line), nil
}

func jsonLine(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write an audit record as JSON: %w", err)
	}
	return b, nil
}

// matter tells records of one type apart that are about different things; empty where the type says it.
func matter(r audit.Record) string {
	d := r.Details
	switch r.Type {
	case protocol.AuditTrustChanged:
		if d["change"] == "set" {
			return d["trust"]
		}
		return spaced(d["change"])
	case protocol.AuditSummaryShared:
		if d["action"] == string(policy.ActionWitness) {
			return "checkpoint of the audit log"
		}
	case protocol.AuditPolicyViolation:
		return spaced(cmp.Or(d["kind"], d["action"]))
	}
	return ""
}

func spaced(name string) string { return strings.ReplaceAll(name, "_", " ") }

// sentence says what a record is about, in printable ASCII.
func sentence(r audit.Record) string {
	s := spaced(string(r.Type))
	if what := matter(r); what != "" {
		s += ", " + what
	}
	if r.Peer != "" {
		s += ", node " + string(r.Peer.Fingerprint())
	}
	if t := r.Details["query_type"]; t != "" {
		s += ", " + t
	}
	if rule := r.Details["rule"]; rule != "" {
		s += ", by the rule " + rule
	}
	if !r.Success {
		s += ": refused or failed"
	}
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, s)
}

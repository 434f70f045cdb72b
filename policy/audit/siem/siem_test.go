package siem

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

var (
	noon = time.Date(2026, 3, 4, 12, 0, 0, 123456789, time.UTC)
	self = protocol.NodeID("caro:ed25519:iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=")
	peer = protocol.NodeID("caro:ed25519:gTl3Dqh9F19Wo1Rmw0x+zMuNipG07jeiXfYPW4/Js5Q=")
	here = Origin{Node: self, Host: "anna-laptop", Version: "0.1.0"}
)

func record(t testing.TB, e audit.Event) audit.Record {
	t.Helper()
	r, err := audit.Next(audit.Record{Sequence: 41, Hash: audit.Hash{1, 2, 3}}, e, noon)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// everyType returns a record of each type, allowed and refused, with and without a peer.
func everyType(t testing.TB) (all []audit.Record) {
	t.Helper()
	for _, typ := range auditTypes() {
		for _, success := range []bool{true, false} {
			for _, id := range []protocol.NodeID{peer, ""} {
				for _, details := range []map[string]string{nil, {"change": "set", "trust": "peer"}, {"change": "deny"}, {"change": "clear"}, {"step": "received"},
					{"change": "policy_reloaded"}, {"change": "bundle_imported", "name": "ACME"}, {"change": "bundle_forgotten"}, {"change": "audit_log_accepted"}, {"action": "witness"},
					{"query_id": "01939f2e-6c00-7000-8000-0000000000bb", "query_type": "tool_usage", "rule": "node bob", "addr": "10.0.0.7", "reason": "because"}} {
					all = append(all, record(t, audit.Event{Type: typ, Peer: id, Success: success, Details: details}))
				}
			}
		}
	}
	return all
}

func auditTypes() []protocol.AuditEventType {
	return []protocol.AuditEventType{protocol.AuditIdentityCreated, protocol.AuditPeerConnected, protocol.AuditPeerDisconnected, protocol.AuditQueryReceived,
		protocol.AuditResponseSent, protocol.AuditPolicyViolation, protocol.AuditTrustChanged, protocol.AuditKeyRotated, protocol.AuditSummaryGenerated, protocol.AuditSummaryShared}
}

func line(t testing.TB, f Format, r audit.Record) []byte {
	t.Helper()
	b, err := here.Line(f, r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEveryRecordIsOneLineInEveryFormatAndTheSameEachTime(t *testing.T) {
	for _, f := range Formats() {
		for _, r := range everyType(t) {
			r.Details["odd"] = "two\nlines\r\x00\x1b[2J\u0085\u2028"
			b := line(t, f, r)
			if i := bytes.IndexFunc(b, func(c rune) bool { return c < ' ' }); i >= 0 || len(b) == 0 {
				t.Errorf("%s: byte %d of %q", f, i, b)
			}
			if again := line(t, f, r); !bytes.Equal(again, b) {
				t.Errorf("%s: %s and then %s", f, b, again)
			}
		}
	}
	if _, err := here.Line("csv", audit.Record{}); err == nil {
		t.Error("a format that does not exist was written")
	}
	if f, err := ParseFormat("ocsf"); f != OCSF || err != nil {
		t.Error(f, err)
	}
	if _, err := ParseFormat("csv"); err == nil || !strings.Contains(err.Error(), "jsonl") {
		t.Error(err)
	}
}

func TestJSONLinesKeepTheChain(t *testing.T) {
	var prev audit.Record
	for i := range 20 {
		r, err := audit.Next(prev, audit.Event{Type: protocol.AuditQueryReceived, Peer: peer, Details: map[string]string{"n": fmt.Sprint(i), "odd": "<&>\u2028\x00ä"}}, noon)
		if err != nil {
			t.Fatal(err)
		}
		var read audit.Record
		if err := json.Unmarshal(line(t, JSONLines, r), &read); err != nil {
			t.Fatal(err)
		}
		if err := read.Follows(prev); err != nil {
			t.Errorf("record %d: %v", i, err)
		}
		prev = read
	}
}

func TestTheSentenceTellsApartWhatHasTheSameType(t *testing.T) {
	about := ", node " + string(peer.Fingerprint())
	for _, c := range []struct {
		event audit.Event
		want  string
	}{
		{audit.Event{Type: protocol.AuditTrustChanged, Peer: peer, Success: true, Details: map[string]string{"change": "set", "trust": "query_from"}}, "trust changed, query_from" + about},
		{audit.Event{Type: protocol.AuditTrustChanged, Success: true, Details: map[string]string{"change": "policy_reloaded"}}, "trust changed, policy reloaded"},
		{audit.Event{Type: protocol.AuditTrustChanged, Success: true, Details: map[string]string{"change": "bundle_imported"}}, "trust changed, bundle imported"},
		{audit.Event{Type: protocol.AuditSummaryShared, Peer: peer, Success: true, Details: map[string]string{"action": "witness", "rule": "node bob"}},
			"summary shared, checkpoint of the audit log" + about + ", by the rule node bob"},
		{audit.Event{Type: protocol.AuditSummaryShared, Peer: peer, Success: true}, "summary shared" + about},
		{audit.Event{Type: protocol.AuditPolicyViolation, Details: map[string]string{"action": "database_repaired"}}, "policy violation, database repaired: refused or failed"},
		{audit.Event{Type: protocol.AuditPolicyViolation, Peer: peer, Details: map[string]string{"kind": "audit_conflict"}}, "policy violation, audit conflict" + about + ": refused or failed"},
	} {
		m, err := parse(line(t, Syslog, record(t, c.event)))
		if err != nil || m.text != c.want {
			t.Errorf("%q, %v; want %q", m.text, err, c.want)
		}
	}
}

func TestSyslogMessagesFollowTheGrammarOfRFC5424(t *testing.T) {
	r := record(t, audit.Event{Type: protocol.AuditQueryReceived, Peer: peer, Success: true,
		Details: map[string]string{"rule": "node bob", "reason": `say "hi" \ and ] too`, "two\nlines": "a\tb", "source=file]": "c"}})
	m, err := parse(line(t, Syslog, r))
	if err != nil {
		t.Fatal(err)
	}
	if m.priority != 13*8+6 || !m.timestamp.Equal(noon.Truncate(time.Microsecond)) || m.hostname != "anna-laptop" || m.app != "caro-node" || m.procID != "-" || m.msgID != "query_received" {
		t.Errorf("header %+v", m)
	}
	for id, want := range map[string]map[string]string{
		"origin":       {"software": "caro-node", "swVersion": "0.1.0"},
		"caro@32473":   {"sequence": "42", "node": string(self), "peer": string(peer), "fingerprint": string(peer.Fingerprint()), "success": "true", "hash": r.Hash.String(), "prev_hash": r.PrevHash.String(), "id": r.ID, "event_type": "query_received"},
		"detail@32473": {"rule": "node bob", "reason": `say "hi" \ and ] too`, "two_lines": "a#011b", "source_file_": "c"},
	} {
		if got := m.elements[id]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s is\n%v, want\n%v", id, got, want)
		}
	}
	if want := "query received, node " + string(peer.Fingerprint()) + ", by the rule node bob"; m.text != want {
		t.Errorf("text %q, want %q", m.text, want)
	}
}

func TestWhateverARecordHoldsSyslogTakesItAndGivesItBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		details := rapid.MapOfN(rapid.String(), rapid.String(), 0, 6).Draw(t, "details")
		e := audit.Event{Type: rapid.SampledFrom(auditTypes()).Draw(t, "type"), Success: rapid.Bool().Draw(t, "success"), Details: details}
		if rapid.Bool().Draw(t, "peer") {
			e.Peer = peer
		}
		r, err := audit.Next(audit.Record{}, e, noon)
		if err != nil {
			t.Fatal(err)
		}
		o := Origin{Node: self, Host: rapid.StringN(0, 300, -1).Draw(t, "host"), Version: rapid.String().Draw(t, "version")}
		for _, f := range Formats() {
			b, err := o.Message(f, r)
			if err != nil {
				t.Fatal(err)
			}
			m, err := parse(b)
			if err != nil {
				t.Fatalf("%s: %v: %q", f, err, b)
			}
			var got, want []string
			for _, v := range m.elements["detail@32473"] {
				got = append(got, v)
			}
			for _, v := range r.Details {
				if v != "" {
					want = append(want, octal(v))
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Fatalf("details %q came back as %q", want, got)
			}
			if document, err := o.Line(f, r); err != nil || f != Syslog && m.text != string(document) {
				t.Fatalf("%s: the text is %q, want %q (%v)", f, m.text, document, err)
			}
		}
	})
}

// octal writes control characters as the test's own reading of the rule has them.
func octal(s string) string {
	var b strings.Builder
	for _, c := range s {
		if c < 0x20 || c == 0x7f || c >= 0x80 && c <= 0x9f || c == 0x2028 || c == 0x2029 {
			for i := range len(string(c)) {
				fmt.Fprintf(&b, "#%03o", string(c)[i])
			}
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}

func TestRefusalsAreWarningsAndChangesOfTrustAreNoticed(t *testing.T) {
	for _, c := range []struct {
		typ     protocol.AuditEventType
		success bool
		want    int
	}{{protocol.AuditQueryReceived, true, 6}, {protocol.AuditQueryReceived, false, 4}, {protocol.AuditPolicyViolation, true, 4},
		{protocol.AuditTrustChanged, true, 5}, {protocol.AuditKeyRotated, true, 5}, {protocol.AuditSummaryShared, true, 6}} {
		m, err := parse(line(t, Syslog, record(t, audit.Event{Type: c.typ, Success: c.success})))
		if err != nil || m.priority != 13*8+c.want {
			t.Errorf("%s, %t: priority %d, want severity %d of facility 13 (%v)", c.typ, c.success, m.priority, c.want, err)
		}
	}
}

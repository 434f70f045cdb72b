package audit_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

var testTime = time.Date(2026, 11, 20, 12, 30, 45, 123456789, time.UTC)

func nodeID(n byte) protocol.NodeID {
	key := make([]byte, ed25519.PublicKeySize)
	key[0] = n
	return protocol.NewNodeID(key)
}

// The stored chain of every node depends on these bytes: a change here makes each of them fail to verify. The encodings
// are written out by hand from RFC 8949, so that the vectors do not merely repeat what the code says.
func TestRecordHashIsTheDerivedKeyOfTheDeterministicEncoding(t *testing.T) {
	text := func(s string) string { return hex.EncodeToString([]byte(s)) }
	for _, c := range []struct {
		name           string
		record         audit.Record
		encoding, hash string
	}{
		{
			name: "every field filled",
			record: audit.Record{
				ID:        "0193477e-5cd3-7aaa-8bbb-0123456789ab",
				Sequence:  1000,
				Timestamp: 1795523445123456789,
				Type:      protocol.AuditQueryReceived,
				Peer:      "caro:ed25519:AAAA",
				Details:   map[string]string{"rule": "node bob", "addr": "10.0.0.7", "line": "14"},
				Success:   true,
				PrevHash:  audit.Hash{0: 0xab, 31: 0xcd},
				Hash:      audit.Hash{1, 2, 3}, // not part of the encoding
			},
			encoding: "a8" + // map of 8 pairs
				"01" + "7824" + text("0193477e-5cd3-7aaa-8bbb-0123456789ab") + // 36 bytes
				"02" + "1903e8" + // 1000
				"03" + "1b18eafb0f6c781f15" + // 1795523445123456789
				"04" + "6e" + text("query_received") +
				"05" + "71" + text("caro:ed25519:AAAA") +
				"06" + "a3" + // keys in bytewise order of their encodings
				"64" + text("addr") + "68" + text("10.0.0.7") +
				"64" + text("line") + "62" + text("14") +
				"64" + text("rule") + "68" + text("node bob") +
				"07" + "f5" + // true
				"08" + "5820" + "ab" + strings.Repeat("00", 30) + "cd", // 32 bytes
			hash: "b151ab92a9addc8f0a48ed1a321a30680bc14754c10b1b20c9957ba225652eeb",
		},
		{
			name: "what may be empty is empty",
			record: audit.Record{
				ID:        "0193477e-5cd3-7aaa-8bbb-0123456789ab",
				Sequence:  1,
				Timestamp: -1,
				Type:      protocol.AuditIdentityCreated,
			},
			encoding: "a8" +
				"01" + "7824" + text("0193477e-5cd3-7aaa-8bbb-0123456789ab") +
				"02" + "01" +
				"03" + "20" + // -1
				"04" + "70" + text("identity_created") +
				"05" + "60" + // empty text
				"06" + "a0" + // empty map
				"07" + "f4" + // false
				"08" + "5820" + strings.Repeat("00", 32),
			hash: "c2bbfd8a84bd10826346a2af660fcf2e9989e36a45e0a876607074707778a468",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := protocol.Encode(&c.record)
			if err != nil {
				t.Fatal(err)
			}
			if hex.EncodeToString(got) != c.encoding {
				t.Errorf("encoding:\n got %x\nwant %s", got, c.encoding)
			}
			h, err := c.record.ComputeHash()
			if err != nil {
				t.Fatal(err)
			}
			if h.String() != c.hash {
				t.Errorf("hash %s, want %s", h, c.hash)
			}
		})
	}
}

func TestRecordKeepsItsHashThroughJSON(t *testing.T) {
	e := audit.Event{Type: protocol.AuditQueryReceived, Peer: nodeID(1), Success: true,
		Details: map[string]string{"reason": "Zoë said \"no\" <&> \u2028", "not\xfftext": "bad \xc3\x28 bytes"}}
	r, err := audit.Next(audit.Record{}, e, testTime)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var again audit.Record
	if err := json.Unmarshal(b, &again); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(again, r) {
		t.Errorf("read back\n%+v\nfrom\n%+v", again, r)
	}
	if err := again.Follows(audit.Record{}); err != nil {
		t.Errorf("the record read back is not intact: %v", err)
	}
}

func TestNextLinksAndKeepsNothingOfTheEvent(t *testing.T) {
	e := audit.Event{Type: protocol.AuditTrustChanged, Peer: nodeID(1), Details: map[string]string{"trust": "peer"}, Success: true}
	first, err := audit.Next(audit.Record{}, e, testTime)
	if err != nil {
		t.Fatal(err)
	}
	second, err := audit.Next(first, audit.Event{Type: protocol.AuditPeerConnected}, testTime.Add(-time.Hour)) // the clock was set back
	if err != nil {
		t.Fatal(err)
	}
	e.Details["trust"] = "supervisor"
	if first.Sequence != 1 || first.PrevHash != (audit.Hash{}) || first.Timestamp.Time() != testTime {
		t.Errorf("first record: %+v", first)
	}
	if second.Sequence != 2 || second.PrevHash != first.Hash || second.ID == first.ID || second.Details == nil {
		t.Errorf("second record: %+v", second)
	}
	if err := first.Follows(audit.Record{}); err != nil {
		t.Errorf("first: %v", err)
	}
	if err := second.Follows(first); err != nil {
		t.Errorf("second: %v", err)
	}
}

func TestNextRefusesAnUnknownType(t *testing.T) {
	for _, typ := range []protocol.AuditEventType{"", "coffee_made"} {
		if r, err := audit.Next(audit.Record{}, audit.Event{Type: typ}, testTime); err == nil {
			t.Errorf("type %q became %+v", typ, r)
		}
	}
}

func TestHashTextIsExactly64HexDigits(t *testing.T) {
	h := audit.Hash{0: 0x01, 31: 0xff}
	text := "01" + strings.Repeat("00", 30) + "ff"
	if h.String() != text {
		t.Errorf("text is %s", h)
	}
	var back audit.Hash
	if err := back.UnmarshalText([]byte(text)); err != nil || back != h {
		t.Errorf("read back %s, %v", back, err)
	}
	for _, bad := range []string{"", text[2:], text + "00", "zz" + text[2:]} {
		if err := new(audit.Hash).UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func BenchmarkNext(b *testing.B) {
	e := audit.Event{Type: protocol.AuditQueryReceived, Peer: nodeID(1), Success: true, Details: map[string]string{
		"action": "query", "trust": "peer", "rule": "node bob", "source": "config.toml", "line": "14", "query_type": "tool_usage",
		"reason": "this node trusts you as peer", "level": "summarized", "addr": "10.0.0.7", "query_id": "0193477e-5cd3-7aaa-8bbb-0123456789ab"}}
	var last audit.Record
	for b.Loop() {
		r, err := audit.Next(last, e, testTime)
		if err != nil {
			b.Fatal(err)
		}
		last = r
	}
}

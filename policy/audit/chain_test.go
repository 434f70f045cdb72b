package audit_test

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// failer is what *testing.T and *rapid.T share.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// chainOf returns n linked records of varying content.
func chainOf(t failer, n int) []audit.Record {
	t.Helper()
	types := []protocol.AuditEventType{protocol.AuditPeerConnected, protocol.AuditQueryReceived, protocol.AuditResponseSent, protocol.AuditPolicyViolation}
	var chain []audit.Record
	var last audit.Record
	for i := range n {
		e := audit.Event{Type: types[i%len(types)], Success: i%3 != 0, Details: map[string]string{"n": fmt.Sprint(i), "rule": "node bob"}}
		if i%2 == 0 {
			e.Peer = nodeID(byte(i))
		}
		r, err := audit.Next(last, e, testTime.Add(time.Duration(i)*time.Second))
		if err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
		chain, last = append(chain, r), r
	}
	return chain
}

func stream(chain []audit.Record) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for _, r := range chain {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func verify(t failer, chain []audit.Record, remembered ...audit.Head) audit.Verification {
	t.Helper()
	v, err := audit.Verify(context.Background(), stream(chain), remembered...)
	if err != nil {
		t.Fatalf("no verdict: %v", err)
	}
	return v
}

func headOf(chain []audit.Record) audit.Head {
	return audit.Head{Entries: uint64(len(chain)), Hash: chain[len(chain)-1].Hash}
}

// reseal gives the record at index i the hash that fits its content.
func reseal(t failer, chain []audit.Record, i int) {
	t.Helper()
	h, err := chain[i].ComputeHash()
	if err != nil {
		t.Fatalf("reseal: %v", err)
	}
	chain[i].Hash = h
}

// regrow renumbers, relinks and reseals everything from index i on, as an owner who rewrites history would.
func regrow(t failer, chain []audit.Record, i int) {
	t.Helper()
	for ; i < len(chain); i++ {
		chain[i].Sequence, chain[i].PrevHash = uint64(i+1), audit.Hash{}
		if i > 0 {
			chain[i].PrevHash = chain[i-1].Hash
		}
		reseal(t, chain, i)
	}
}

// fieldChanges alters each field of a record, one at a time.
var fieldChanges = map[string]func(*audit.Record){
	"id":              func(r *audit.Record) { r.ID = "0193477e-5cd3-7aaa-8bbb-0123456789ab" },
	"timestamp":       func(r *audit.Record) { r.Timestamp++ },
	"type":            func(r *audit.Record) { r.Type = protocol.AuditKeyRotated },
	"peer":            func(r *audit.Record) { r.Peer = nodeID(99) },
	"peer removed":    func(r *audit.Record) { r.Peer = map[bool]protocol.NodeID{true: nodeID(50)}[r.Peer == ""] }, // or added
	"detail changed":  func(r *audit.Record) { r.Details = map[string]string{"n": r.Details["n"], "rule": "node eve"} },
	"detail added":    func(r *audit.Record) { r.Details = map[string]string{"n": r.Details["n"], "rule": "node bob", "x": ""} },
	"detail removed":  func(r *audit.Record) { r.Details = map[string]string{"n": r.Details["n"]} },
	"details swapped": func(r *audit.Record) { r.Details = map[string]string{"rule": r.Details["n"], "n": "node bob"} },
	"success":         func(r *audit.Record) { r.Success = !r.Success },
	"prev_hash":       func(r *audit.Record) { r.PrevHash[31] ^= 1 },
	"hash":            func(r *audit.Record) { r.Hash[0] ^= 0x80 },
	"sequence":        func(r *audit.Record) { r.Sequence += 7 },
}

func TestRandomTamperingIsFoundNoLaterThanTheNextEntry(t *testing.T) {
	names := slices.Sorted(maps.Keys(fieldChanges))
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 20).Draw(t, "length")
		chain := chainOf(t, n)
		head := headOf(chain)
		at := rapid.IntRange(0, n-1).Draw(t, "at")
		latest := uint64(at + 1) // where the fault has to show
		switch rapid.SampledFrom([]string{"field", "resealed", "remove", "repeat", "swap"}).Draw(t, "kind") {
		case "field":
			fieldChanges[rapid.SampledFrom(names).Draw(t, "field")](&chain[at])
		case "resealed":
			chain[at].Details = map[string]string{"forged": "yes"}
			reseal(t, chain, at)
			latest = min(uint64(at+2), head.Entries)
		case "remove":
			chain = slices.Delete(chain, at, at+1)
		case "repeat":
			chain = slices.Insert(chain, at, chain[at])
			latest = uint64(at + 2)
		case "swap":
			other := rapid.IntRange(0, n-1).Filter(func(i int) bool { return i != at }).Draw(t, "with")
			chain[at], chain[other] = chain[other], chain[at]
			latest = uint64(min(at, other) + 1)
		}
		v := verify(t, chain, head)
		if v.OK || v.FirstBad == 0 || v.FirstBad > latest || v.Reason == "" || v.Entries >= v.FirstBad {
			t.Fatalf("%+v, want a fault at entry %d or before", v, latest)
		}
	})
}

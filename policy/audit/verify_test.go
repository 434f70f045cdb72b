package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

func TestEveryFieldIsCoveredByAChange(t *testing.T) {
	fields := map[string][]string{"ID": {"id"}, "Sequence": {"sequence"}, "Timestamp": {"timestamp"}, "Type": {"type"},
		"Peer": {"peer", "peer removed"}, "Details": {"detail changed", "detail added", "detail removed", "details swapped"},
		"Success": {"success"}, "PrevHash": {"prev_hash"}, "Hash": {"hash"}}
	typ := reflect.TypeFor[audit.Record]()
	for f := range typ.Fields() {
		changes, ok := fields[f.Name]
		if !ok {
			t.Errorf("no tampering test changes the field %s", f.Name)
		}
		for _, c := range changes {
			if fieldChanges[c] == nil {
				t.Errorf("the change %q of field %s does not exist", c, f.Name)
			}
		}
	}
}

func TestAnIntactChainVerifies(t *testing.T) {
	for _, n := range []int{0, 1, 2, 100} {
		chain := chainOf(t, n)
		want := audit.Verification{OK: true, Entries: uint64(n)}
		if n > 0 {
			want.Head = chain[n-1].Hash
		}
		if v := verify(t, chain); v != want {
			t.Errorf("%d entries: %+v", n, v)
		}
	}
}

func TestAChangedFieldIsFoundAtItsEntry(t *testing.T) {
	for name, change := range fieldChanges {
		for _, at := range []int{0, 4, 9} {
			chain := chainOf(t, 10)
			change(&chain[at])
			v := verify(t, chain)
			if v.OK || v.FirstBad != uint64(at+1) || v.Entries != uint64(at) || v.Reason == "" {
				t.Errorf("%s of entry %d: %+v", name, at+1, v)
			}
		}
	}
}

func TestAChangedAndResealedEntryIsFoundByTheNextOne(t *testing.T) {
	for name, change := range fieldChanges {
		if name == "sequence" || name == "prev_hash" || name == "hash" {
			continue // found at the entry itself, or undone by the new seal
		}
		chain := chainOf(t, 10)
		change(&chain[4])
		reseal(t, chain, 4)
		v := verify(t, chain)
		if v.OK || v.FirstBad != 6 || !strings.Contains(v.Reason, "one of the two was replaced") {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestRemovedInsertedMovedAndRepeatedEntriesAreFound(t *testing.T) {
	for _, c := range []struct {
		name   string
		tamper func([]audit.Record) []audit.Record
		bad    uint64
		reason string
	}{
		{"first removed", func(c []audit.Record) []audit.Record { return c[1:] }, 1, "entry 1 is missing"},
		{"middle removed", func(c []audit.Record) []audit.Record { return slices.Delete(c, 4, 5) }, 5, "entry 5 is missing"},
		{"several removed", func(c []audit.Record) []audit.Record { return slices.Delete(c, 4, 7) }, 5, "entry 5 is missing: entry 8 follows entry 4"},
		{"removed and renumbered", func(c []audit.Record) []audit.Record {
			c = slices.Delete(c, 4, 5)
			for i := range c {
				c[i].Sequence = uint64(i + 1)
			}
			return c
		}, 5, "entry 5 does not refer to entry 4"},
		{"removed, renumbered and resealed", func(c []audit.Record) []audit.Record {
			c = slices.Delete(c, 4, 5)
			for i := 4; i < len(c); i++ {
				c[i].Sequence = uint64(i + 1)
				reseal(t, c, i)
			}
			return c
		}, 5, "entry 5 does not refer to entry 4"},
		{"removed, renumbered and relinked without a seal", func(c []audit.Record) []audit.Record {
			c = slices.Delete(c, 4, 5)
			c[4].Sequence, c[4].PrevHash = 5, c[3].Hash
			return c
		}, 5, "entry 5 was altered"},
		{"first removed and the rest renumbered", func(c []audit.Record) []audit.Record {
			c = c[1:]
			for i := range c {
				c[i].Sequence = uint64(i + 1)
				reseal(t, c, i)
			}
			return c
		}, 1, "removed at the beginning"},
		{"repeated", func(c []audit.Record) []audit.Record { return slices.Insert(c, 5, c[4]) }, 6, "entry 5 stands where entry 6 belongs"},
		{"first repeated", func(c []audit.Record) []audit.Record { return slices.Insert(c, 0, c[0]) }, 2, "entry 1 stands where entry 2 belongs"},
		{"old entry replayed at the end", func(c []audit.Record) []audit.Record { return append(c, c[2]) }, 11, "entry 3 stands where entry 11 belongs"},
		{"old entry replayed under a new number", func(c []audit.Record) []audit.Record {
			r := c[2]
			r.Sequence = 11
			return append(c, r)
		}, 11, "entry 11 does not refer to entry 10"},
		{"neighbours swapped", func(c []audit.Record) []audit.Record { c[4], c[5] = c[5], c[4]; return c }, 5, "entry 5 is missing"},
		{"neighbours swapped and renumbered", func(c []audit.Record) []audit.Record {
			c[4], c[5] = c[5], c[4]
			c[4].Sequence, c[5].Sequence = 5, 6
			return c
		}, 5, "entry 5 does not refer to entry 4"},
		{"reversed", func(c []audit.Record) []audit.Record { slices.Reverse(c); return c }, 1, "entry 1 is missing"},
		{"forged entry inserted between two", func(c []audit.Record) []audit.Record {
			forged, err := audit.Next(c[4], audit.Event{Type: protocol.AuditPeerConnected}, testTime)
			if err != nil {
				t.Fatal(err)
			}
			return slices.Insert(c, 5, forged)
		}, 7, "entry 6 stands where entry 7 belongs"},
		{"forged entry instead of another", func(c []audit.Record) []audit.Record {
			forged, err := audit.Next(c[4], audit.Event{Type: protocol.AuditPeerConnected}, testTime)
			if err != nil {
				t.Fatal(err)
			}
			c[5] = forged
			return c
		}, 7, "entry 7 does not refer to entry 6"},
		{"contents of two entries exchanged", func(c []audit.Record) []audit.Record {
			c[4].Details, c[5].Details = c[5].Details, c[4].Details
			return c
		}, 5, "entry 5 was altered"},
		{"another chain's tail", func(c []audit.Record) []audit.Record { return append(c[:5:5], chainOf(t, 10)[5:]...) }, 6, "entry 6 does not refer to entry 5"},
		{"all entries zero", func(c []audit.Record) []audit.Record { return make([]audit.Record, len(c)) }, 1, "entry 0 stands where entry 1 belongs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := verify(t, c.tamper(chainOf(t, 10)))
			if v.OK || v.FirstBad != c.bad || v.Entries != c.bad-1 || !strings.Contains(v.Reason, c.reason) {
				t.Errorf("got %+v, want first bad %d because %q", v, c.bad, c.reason)
			}
		})
	}
}

// What links perfectly is found only by who remembers a head; the first verdict of each case documents that.
func TestARememberedHeadFindsWhatLinksPerfectly(t *testing.T) {
	for _, c := range []struct {
		name   string
		tamper func([]audit.Record) []audit.Record
		bad    uint64
		reason string
	}{
		{"cut off at the end", func(c []audit.Record) []audit.Record { return c[:7] }, 8, "the chain ends after 7 entries, but it had 10"},
		{"cut off entirely", func([]audit.Record) []audit.Record { return nil }, 1, "the chain ends after 0 entries, but it had 10"},
		{"cut off and regrown", func(c []audit.Record) []audit.Record {
			c = append(c[:7:7], chainOf(t, 8)[7], c[8], c[9])
			regrow(t, c, 7)
			return c
		}, 10, "entry 10 is not the remembered one"},
		{"cut off and regrown longer", func(c []audit.Record) []audit.Record {
			c = append(c[:7:7], chainOf(t, 20)[7:]...)
			regrow(t, c, 7)
			return c
		}, 10, "entry 10 is not the remembered one"},
		{"last entry altered and resealed", func(c []audit.Record) []audit.Record {
			c[9].Success = !c[9].Success
			reseal(t, c, 9)
			return c
		}, 10, "entry 10 is not the remembered one"},
		{"an entry in the middle altered and all after it resealed", func(c []audit.Record) []audit.Record {
			c[4].Success = !c[4].Success
			regrow(t, c, 4)
			return c
		}, 10, "entry 10 is not the remembered one"},
		{"an entry removed and all after it regrown", func(c []audit.Record) []audit.Record {
			c = slices.Delete(c, 4, 5)
			regrow(t, c, 4)
			return c
		}, 10, "the chain ends after 9 entries, but it had 10"},
	} {
		t.Run(c.name, func(t *testing.T) {
			chain := chainOf(t, 10)
			head := headOf(chain)
			forged := c.tamper(slices.Clone(chain))
			if v := verify(t, forged); !v.OK {
				t.Fatalf("without a head: %+v (the forgery is clumsier than it should be)", v)
			}
			if v := verify(t, forged, head); v.OK || v.FirstBad != c.bad || !strings.Contains(v.Reason, c.reason) {
				t.Errorf("with the head: %+v, want first bad %d because %q", v, c.bad, c.reason)
			}
			if v := verify(t, forged, audit.Head{Hash: head.Hash}); v.OK || !strings.Contains(v.Reason, "no entry has the remembered hash") {
				t.Errorf("with the hash alone: %+v", v)
			}
			v := verify(t, forged, audit.Head{Entries: head.Entries})
			if shorter := len(forged) < len(chain); v.OK == shorter {
				t.Errorf("with the count alone: %+v for %d entries", v, len(forged))
			}
		})
	}
}

func TestHonestHeadsVerify(t *testing.T) {
	chain := chainOf(t, 10)
	for name, heads := range map[string][]audit.Head{
		"the latest":     {headOf(chain)},
		"an earlier one": {headOf(chain[:4])},
		"a count":        {{Entries: 3}},
		"a hash":         {{Hash: chain[0].Hash}},
		"none":           {{}},
		"several":        {headOf(chain[:4]), headOf(chain), {Hash: chain[8].Hash}, {Entries: 10}},
	} {
		if v := verify(t, chain, heads...); !v.OK || v.Entries != 10 || v.Head != chain[9].Hash {
			t.Errorf("%s: %+v", name, v)
		}
	}
	if v := verify(t, chain, headOf(chain), audit.Head{Entries: 11}); v.OK {
		t.Errorf("one of two heads is wrong, and the verdict is %+v", v)
	}
	if v := verify(t, nil, audit.Head{}); !v.OK {
		t.Errorf("an empty chain and an empty head: %+v", v)
	}
}

func TestVerifyStopsAtTheFirstFault(t *testing.T) {
	chain := chainOf(t, 10)
	chain[3].Success = !chain[3].Success
	read := 0
	_, err := audit.Verify(context.Background(), func(yield func(audit.Record, error) bool) {
		for _, r := range chain {
			read++
			if !yield(r, nil) {
				return
			}
		}
	})
	if err != nil || read != 4 {
		t.Errorf("read %d entries (error %v), want 4", read, err)
	}
}

func TestAnUnreadableRecordIsAFaultOfTheChain(t *testing.T) {
	v, err := audit.Verify(context.Background(), func(yield func(audit.Record, error) bool) {
		for _, r := range chainOf(t, 3) {
			if !yield(r, nil) {
				return
			}
		}
		yield(audit.Record{}, fmt.Errorf("%w: details are not JSON", audit.ErrUnreadable))
	})
	if err != nil || v.OK || v.FirstBad != 4 || v.Entries != 3 || !strings.Contains(v.Reason, "entry 4 cannot be checked: record cannot be decoded: details are not JSON") {
		t.Errorf("%+v, error %v", v, err)
	}
}

func TestReadingThatFailsIsNoVerdict(t *testing.T) {
	v, err := audit.Verify(context.Background(), func(yield func(audit.Record, error) bool) {
		for _, r := range chainOf(t, 3) {
			if !yield(r, nil) {
				return
			}
		}
		yield(audit.Record{}, io.ErrUnexpectedEOF)
	})
	if !errors.Is(err, io.ErrUnexpectedEOF) || v.OK || v.FirstBad != 0 || v.Entries != 3 {
		t.Errorf("%+v, error %v", v, err)
	}
}

func TestCancelledVerificationIsNoVerdict(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	for name, records := range map[string]iter.Seq2[audit.Record, error]{
		"source that goes on": func(yield func(audit.Record, error) bool) {
			for i, r := range chainOf(t, 10) {
				if i == 5 {
					cancel()
				}
				if !yield(r, nil) {
					return
				}
			}
		},
		"source that ends": func(func(audit.Record, error) bool) { cancel() },
	} {
		if v, err := audit.Verify(ctx, records); !errors.Is(err, context.Canceled) || v.OK || v.FirstBad != 0 || v.Entries > 5 {
			t.Errorf("%s: %+v, error %v", name, v, err)
		}
		ctx, cancel = context.WithCancel(context.Background())
	}
	cancel()
}

func TestVerdictJSONHasTheNamesThatScriptsRelyOn(t *testing.T) {
	b, err := json.Marshal(audit.Verification{Entries: 4, FirstBad: 5, Reason: "x", Head: audit.Hash{0xab}})
	want := `{"ok":false,"entries":4,"first_bad":5,"reason":"x","head":"ab` + strings.Repeat("0", 62) + `"}`
	if err != nil || string(b) != want {
		t.Errorf("got %s, %v\nwant %s", b, err, want)
	}
}

// BenchmarkVerify: the goal is a million entries in 10 s, that is 10 µs each.
func BenchmarkVerify(b *testing.B) {
	chain := chainOf(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		if v, err := audit.Verify(context.Background(), stream(chain)); err != nil || !v.OK {
			b.Fatalf("%+v %v", v, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(chain)), "ns/entry")
}

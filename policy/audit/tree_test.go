package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// shelf keeps the hashes of a tree as the store does.
type shelf struct{ rows [][]tlog.Hash }

func (s *shelf) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		sequence, nth := audit.Place(index)
		out[i] = s.rows[sequence-1][nth]
	}
	return out, nil
}

// plant grows a tree over a chain, with its hashes on a shelf.
func plant(chain []audit.Record) (*audit.Frontier, *shelf) {
	var f audit.Frontier
	var s shelf
	for _, r := range chain {
		s.rows = append(s.rows, slices.Clone(f.Add(audit.Leaf(r.Hash))))
	}
	return &f, &s
}

func TestTheFrontierGrowsTheTreeOfPackageTlog(t *testing.T) {
	chain := chainOf(t, 70)
	var f audit.Frontier
	if want, _ := tlog.TreeHash(0, nil); f.Root() != want {
		t.Errorf("the empty tree has the root %s", f.Root())
	}
	var stored []tlog.Hash // in the order of package tlog
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			out[i] = stored[index]
		}
		return out, nil
	})
	var s shelf
	for i, r := range chain {
		want, err := tlog.StoredHashes(int64(i), r.Hash[:], reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, want...)
		got := f.Add(audit.Leaf(r.Hash))
		s.rows = append(s.rows, slices.Clone(got))
		root, err := tlog.TreeHash(int64(i+1), reader)
		if err != nil || !slices.Equal(got, want) || f.Root() != root || f.Size() != uint64(i+1) {
			t.Fatalf("after %d leaves: %v, want %v; root %s, want %s (%v)", i+1, got, want, f.Root(), root, err)
		}
		if again, err := tlog.TreeHash(int64(i+1), &s); err != nil || again != root {
			t.Fatalf("read from where the store keeps them: %s, want %s (%v)", again, root, err)
		}
		edge, err := s.ReadHashes(audit.EdgeIndexes(f.Size()))
		if err != nil {
			t.Fatal(err)
		}
		if back := audit.NewFrontier(f.Size(), edge); back.Root() != root {
			t.Fatalf("picked up again at %d leaves, the root is %s", i+1, back.Root())
		}
	}
}

func TestAWitnessBelievesEveryHonestLogAndNoOther(t *testing.T) {
	chain, fork := chainOf(t, 60), chainOf(t, 60)
	fork[0].Success = !fork[0].Success
	regrow(t, fork, 0)
	_, honest := plant(chain)
	_, forged := plant(fork)
	at := func(s *shelf, n int) protocol.Checkpoint {
		root, err := tlog.TreeHash(int64(n), s)
		if err != nil {
			t.Fatal(err)
		}
		return protocol.Checkpoint{Size: uint64(n), Root: root}
	}
	rapid.Check(t, func(t *rapid.T) {
		old := rapid.IntRange(1, 60).Draw(t, "old")
		size := rapid.IntRange(1, 60).Draw(t, "size")
		lies := rapid.Bool().Draw(t, "lies")
		s := honest
		if lies {
			s = forged
		}
		p := audit.Presented{Checkpoint: at(s, size), Old: uint64(old)}
		if size > old {
			proof, err := tlog.ProveTree(int64(size), int64(old), s)
			if err != nil {
				t.Fatal(err)
			}
			p.Proof = proof
		}
		j, reason := audit.Judge(at(honest, old), p)
		want := audit.Consistent
		if lies || size < old {
			want = audit.Conflicting
		}
		if j != want || (reason != "") != (want == audit.Conflicting) {
			t.Fatalf("from %d to %d, lies %v: %v %q", old, size, lies, j, reason)
		}
	})
}

type prover struct{ key ed25519.PrivateKey }

func (p prover) NodeID() protocol.NodeID {
	return protocol.NewNodeID(p.key.Public().(ed25519.PublicKey))
}
func (p prover) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(p.key, msg), nil }

func TestAProofOfSomethingElseDoesNotHold(t *testing.T) {
	key := prover{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{4}, ed25519.SeedSize))}
	chain := chainOf(t, 20)
	f, s := plant(chain)
	note, err := protocol.SignCheckpoint(protocol.Checkpoint{Size: 20, Root: f.Root()}, key)
	if err != nil {
		t.Fatal(err)
	}
	proofOf := func(i int) audit.Proof {
		hashes, err := tlog.ProveRecord(20, int64(i), s)
		if err != nil {
			t.Fatal(err)
		}
		return audit.Proof{Record: chain[i], Hashes: hashes, Checkpoint: note}
	}
	if c, err := proofOf(7).Check(key.NodeID()); err != nil || c.Size != 20 {
		t.Fatalf("%+v, %v", c, err)
	}
	for name, change := range fieldChanges {
		if name == "hash" {
			continue // computed anew
		}
		p := proofOf(7)
		change(&p.Record)
		if _, err := p.Check(key.NodeID()); !errors.Is(err, audit.ErrProof) {
			t.Errorf("with its %s changed: %v", name, err)
		}
	}
	for name, change := range map[string]func(*audit.Proof){
		"another record":       func(p *audit.Proof) { p.Record = chain[8] },
		"hashes of another":    func(p *audit.Proof) { p.Hashes = proofOf(8).Hashes },
		"no hashes":            func(p *audit.Proof) { p.Hashes = nil },
		"a hash too many":      func(p *audit.Proof) { p.Hashes = append(p.Hashes, p.Hashes[0]) },
		"a checkpoint altered": func(p *audit.Proof) { p.Checkpoint = bytes.Replace(note, []byte("\n20\n"), []byte("\n21\n"), 1) },
		"no checkpoint":        func(p *audit.Proof) { p.Checkpoint = nil },
		"a place past the end": func(p *audit.Proof) { p.Record.Sequence = 21 },
		"a place before all":   func(p *audit.Proof) { p.Record.Sequence = 0 },
		"a forged interior node": func(p *audit.Proof) {
			// immudb's published mistake: an inner node passed off as a leaf. Leaves and nodes are hashed apart.
			p.Hashes = p.Hashes[1:]
		},
	} {
		p := proofOf(7)
		change(&p)
		if _, err := p.Check(key.NodeID()); !errors.Is(err, audit.ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAFileThatIsNoProofIsRefused(t *testing.T) {
	const head = "c2sp.org/tlog-proof@v1\n"
	for name, file := range map[string]string{
		"empty":              "",
		"another format":     "hello\n\nworld\n",
		"no record":          head + "index 4\n\nnote\n",
		"a record of noise":  head + "extra AAAA\nindex 4\n\nnote\n",
		"an index of words":  head + "extra oA==\nindex four\n\nnote\n",
		"too large":          strings.Repeat("x", audit.MaxProofFile+1),
		"nothing but a head": head,
	} {
		if _, err := audit.UnmarshalProof([]byte(file)); !errors.Is(err, audit.ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzUnmarshalProof(f *testing.F) {
	f.Add([]byte("c2sp.org/tlog-proof@v1\nextra oA==\nindex 0\n\nnote\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := audit.UnmarshalProof(data)
		if err != nil {
			return
		}
		if again, err := p.Marshal(); err != nil || len(again) == 0 {
			t.Errorf("read %q and cannot write it: %v", data, err)
		}
	})
}

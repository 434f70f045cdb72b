package store

import (
	"bytes"
	"crypto/ed25519"
	"database/sql"
	"encoding/json"
	"os"
	"testing"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// testKey signs like a node.
type testKey struct{ key ed25519.PrivateKey }

func keyOf(seed byte) testKey {
	return testKey{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))}
}

func (k testKey) NodeID() protocol.NodeID {
	return protocol.NewNodeID(k.key.Public().(ed25519.PublicKey))
}

func (k testKey) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(k.key, msg), nil }

var (
	owner   = keyOf(1)
	visitor = keyOf(2) // another node
	thief   = keyOf(3)
)

// signedLog returns a log of 35 records with checkpoints after 10, 20 and 30, the second and third of which the visitor has cosigned, and
// what was remembered of the third elsewhere.
func signedLog(t *testing.T) (s *Store, note []byte) {
	t.Helper()
	s = open(t, Options{Now: fixedClock(noon)})
	_, err := s.AuditLog().Append(t.Context(), audit.Event{Type: protocol.AuditIdentityCreated, Peer: owner.NodeID(), Success: true})
	check(t, err)
	fillAudit(t, s, 9)
	for range 3 {
		c, fresh, err := s.Checkpoint(t.Context(), owner)
		check(t, err)
		if !fresh {
			t.Fatal("nothing was signed")
		}
		cosign(t, s, c)
		note = c.Note
		fillAudit(t, s, 10)
	}
	return s, note
}

func cosign(t *testing.T, s *Store, c audit.StoredCheckpoint) {
	t.Helper()
	value, err := protocol.Cosign(c.Note, visitor, noon)
	check(t, err)
	check(t, s.SaveCosignature(t.Context(), audit.Cosignature{Witness: visitor.NodeID(), Number: c.Number, Value: value}))
}

// forger is an owner who changes the database while nobody looks, and puts everything back as it should be.
type forger struct {
	t  *testing.T
	s  *Store
	db *sql.DB
}

// forge lets change work without triggers, and makes them anew.
func forge(t *testing.T, s *Store, change func(*forger)) {
	t.Helper()
	f := &forger{t, s, raw(t, s.Path())}
	names, err := triggers(t.Context(), f.db)
	check(t, err)
	for name := range names {
		f.exec(`DROP TRIGGER ` + name)
	}
	change(f)
	for _, text := range names {
		f.exec(text)
	}
}

func (f *forger) exec(query string, args ...any) {
	f.t.Helper()
	_, err := f.db.ExecContext(f.t.Context(), query, args...)
	check(f.t, err)
}

func (f *forger) records() []audit.Record {
	f.t.Helper()
	list, err := f.s.AuditRecords(f.t.Context(), AuditFilter{Limit: 1000})
	check(f.t, err)
	return list
}

// write puts these records in place of all others, renumbered, relinked, resealed, with a tree and a head to match.
func (f *forger) write(list []audit.Record) {
	f.t.Helper()
	f.exec(`DELETE FROM audit`)
	f.exec(`DELETE FROM audit_tree`)
	var last audit.Record
	var tree audit.Frontier
	for i, r := range list {
		r.Sequence, r.PrevHash = uint64(i+1), last.Hash
		h, err := r.ComputeHash()
		check(f.t, err)
		r.Hash = h
		details, err := json.Marshal(r.Details)
		check(f.t, err)
		f.exec(`INSERT INTO audit (sequence, id, timestamp, event_type, peer, details, success, prev_hash, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			r.Sequence, r.ID, int64(r.Timestamp), string(r.Type), string(r.Peer), string(details), r.Success, r.PrevHash[:], r.Hash[:])
		f.exec(`INSERT INTO audit_tree (sequence, hashes) VALUES (?, ?)`, r.Sequence, packHashes(tree.Add(audit.Leaf(r.Hash))))
		last = r
	}
	f.exec(`UPDATE audit_head SET sequence = ?, hash = ?`, last.Sequence, last.Hash[:])
}

// rewrite changes one record and makes everything else fit.
func (f *forger) rewrite(sequence int, change func(*audit.Record)) {
	f.t.Helper()
	list := f.records()
	change(&list[sequence-1])
	f.write(list)
}

// sign makes the checkpoints anew, of the tree as it is, at the given sizes.
func (f *forger) sign(key protocol.Signer, sizes ...uint64) {
	f.t.Helper()
	f.exec(`DELETE FROM audit_checkpoint`)
	f.exec(`DELETE FROM audit_cosignature`)
	var tree audit.Frontier
	for _, r := range f.records() {
		tree.Add(audit.Leaf(r.Hash))
		for i, size := range sizes {
			if size == r.Sequence {
				note, err := protocol.SignCheckpoint(protocol.Checkpoint{Size: size, Root: tree.Root()}, key)
				check(f.t, err)
				f.exec(`INSERT INTO audit_checkpoint (number, size, pruned, signer, note, made_at) VALUES (?, ?, 0, ?, ?, 0)`, i+1, size, string(key.NodeID()), note)
			}
		}
	}
	f.exec(`UPDATE audit_head SET checkpoints = ?`, len(sizes))
}

func other(r *audit.Record) { r.Details = map[string]string{"reason": "nothing happened"} }

func copyDatabase(t *testing.T, s *Store, to string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(s.Path() + suffix)
		if os.IsNotExist(err) {
			continue
		}
		check(t, err)
		check(t, os.WriteFile(to+suffix, b, 0o600))
	}
}

// present shows the last checkpoint of s to a witness as an honest program would.
func present(t *testing.T, s, witness *Store) (audit.Judgement, string) {
	t.Helper()
	c, _, err := s.Checkpoint(t.Context(), owner)
	check(t, err)
	content, err := protocol.OpenCheckpoint(c.Note, owner.NodeID())
	check(t, err)
	p := audit.Presented{Log: owner.NodeID(), Note: c.Note, Checkpoint: content}
	for range 2 {
		j, reason, known, err := witness.Witness(t.Context(), p)
		check(t, err)
		if j != audit.Stale {
			return j, reason
		}
		p.Old = known
		p.Proof, err = s.AuditConsistency(t.Context(), known, content.Size)
		check(t, err)
	}
	t.Fatal("stale twice")
	return 0, ""
}

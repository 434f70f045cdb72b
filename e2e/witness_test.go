package e2e

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/scripts/nodeproc"
	"github.com/caro-mesh/caro-node/store"
)

// rewriteHistory is what the owner of a stopped node can do: change an audit record, and make everything fit again with the node's own key.
func (n *node) rewriteHistory(change func(*audit.Record)) {
	n.t.Helper()
	ctx, path := n.t.Context(), filepath.Join(n.Home, "caro.db")
	must := func(err error) {
		n.t.Helper()
		if err != nil {
			n.t.Fatal(err)
		}
	}
	key, err := identity.Load(filepath.Join(n.Home, identity.FileName))
	must(err)
	s, err := store.OpenReadOnly(ctx, path, store.Options{})
	must(err)
	records, err := s.AuditRecords(ctx, store.AuditFilter{Limit: store.MaxAuditRecords})
	must(errors.Join(err, s.Close()))

	db, err := sql.Open("sqlite", path)
	must(err)
	db.SetMaxOpenConns(1)
	exec := func(query string, args ...any) {
		n.t.Helper()
		_, err := db.ExecContext(ctx, query, args...)
		must(err)
	}
	triggers, err := triggersOf(ctx, db)
	must(err)
	for name := range triggers {
		exec(`DROP TRIGGER ` + name)
	}
	for _, table := range []string{"audit", "audit_tree", "audit_checkpoint", "audit_cosignature"} {
		exec(`DELETE FROM ` + table)
	}
	var last audit.Record
	var tree audit.Frontier
	for i, r := range records {
		if i == 0 {
			change(&r)
		}
		r.PrevHash = last.Hash
		r.Hash, err = r.ComputeHash()
		must(err)
		details, err := json.Marshal(r.Details)
		must(err)
		exec(`INSERT INTO audit (sequence, id, timestamp, event_type, peer, details, success, prev_hash, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			r.Sequence, r.ID, int64(r.Timestamp), string(r.Type), string(r.Peer), string(details), r.Success, r.PrevHash[:], r.Hash[:])
		var hashes []byte
		for _, h := range tree.Add(audit.Leaf(r.Hash)) {
			hashes = append(hashes, h[:]...)
		}
		exec(`INSERT INTO audit_tree (sequence, hashes) VALUES (?, ?)`, r.Sequence, hashes)
		last = r
	}
	note, err := protocol.SignCheckpoint(protocol.Checkpoint{Size: tree.Size(), Root: tree.Root()}, key)
	must(err)
	exec(`INSERT INTO audit_checkpoint (number, size, pruned, signer, note, made_at) VALUES (1, ?, 0, ?, ?, 0)`, tree.Size(), string(key.NodeID()), note)
	exec(`UPDATE audit_head SET sequence = ?, hash = ?, checkpoints = 1`, last.Sequence, last.Hash[:])
	for _, text := range triggers {
		exec(text)
	}
	must(db.Close())
}

func triggersOf(ctx context.Context, db *sql.DB) (out map[string]string, err error) {
	rows, err := db.QueryContext(ctx, `SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Err(), rows.Close()) }()
	out = make(map[string]string)
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			return nil, err
		}
		out[name] = text
	}
	return out, nil
}

// awaitDegraded waits until the node's status gives a reason that contains the words.
func (n *node) awaitDegraded(words ...string) {
	n.t.Helper()
	eventually(n.t, func() string {
		s, err := n.Client().Status(n.t.Context())
		if err != nil {
			return err.Error()
		}
		for _, reason := range s.HealthReasons {
			found := true
			for _, w := range words {
				found = found && strings.Contains(reason, w)
			}
			if found {
				return ""
			}
		}
		return fmt.Sprintf("%s is %s: %q", n.Name, s.Health, s.HealthReasons)
	})
}

// fails runs a command that has to end with exit code 1, and returns what it printed.
func (n *node) fails(args ...string) string {
	n.t.Helper()
	out, err := n.Run(n.t.Context(), args...)
	var exit *nodeproc.ExitError
	if !errors.As(err, &exit) || exit.Code != 1 {
		n.t.Fatalf("%q: %v, want exit code 1\n%s", args, err, out)
	}
	return string(out) + exit.Stderr
}

// TestHistoryThatItsOwnerRewroteIsNoticedByTheWitness: anna changes a record of her audit log, regrows chain and tree and
// signs them anew. Her own database looks sound, and bob does not believe it.
func TestHistoryThatItsOwnerRewroteIsNoticedByTheWitness(t *testing.T) {
	anna, bob, carl := newNode(t, "anna"), newNode(t, "bob"), newNode(t, "carl")
	introduce("peer", anna, bob)
	for _, n := range []*node{anna, bob, carl} {
		n.start()
	}
	anna.awaitPeers(1)
	dir := t.TempDir()
	kept, proof := filepath.Join(dir, "kept.txt"), filepath.Join(dir, "proof.txt")
	var signed v1.AuditCheckpoint
	eventually(t, func() string { // at the start nothing is shown twice at once
		anna.caroJSON(&signed, "audit", "checkpoint")
		if len(signed.Shown) != 1 || !signed.Shown[0].Cosigned || string(signed.Shown[0].NodeID) != bob.ID {
			return fmt.Sprintf("shown to %+v", signed.Shown)
		}
		return ""
	})
	anna.caro("audit", "checkpoint", "--out", kept)
	anna.caro("audit", "proof", "1", "--out", proof)

	var v v1.AuditVerification
	anna.caroJSON(&v, "audit", "verify", "--witnesses", "--remembered", kept)
	if !v.OK || len(v.Witnesses) != 1 || string(v.Witnesses[0].NodeID) != bob.ID || v.Witnesses[0].Name != "bob" || v.Witnesses[0].Entries < signed.Entries {
		t.Errorf("anna's log: %+v", v)
	}
	var p v1.AuditProof
	carl.caroJSON(&p, "audit", "check-proof", proof, "--key", anna.ID, "--witness", bob.ID)
	if !p.OK || p.Record.Sequence != 1 || p.Record.EventType != protocol.AuditIdentityCreated || len(p.Witnesses) != 1 {
		t.Errorf("carl reads the proof as %+v", p)
	}
	carl.fails("audit", "check-proof", proof, "--key", bob.ID)
	carl.fails("audit", "check-proof", proof, "--key", anna.ID, "--witness", carl.ID)

	anna.stop()
	anna.rewriteHistory(func(r *audit.Record) { r.Details = map[string]string{"fingerprint": "somebody else"} })
	v = v1.AuditVerification{}
	anna.caroJSON(&v, "audit", "verify", "--witnesses")
	if !v.OK || v.Witnesses == nil || len(v.Witnesses) != 0 {
		t.Errorf("the forgery is clumsier than it should be, or somebody vouches for it: %+v", v)
	}
	if out := anna.fails("audit", "verify", "--remembered", kept); !strings.Contains(out, "the remembered checkpoint") {
		t.Errorf("with what was kept elsewhere: %s", out)
	}
	anna.start()
	anna.awaitPeers(1)
	bob.awaitDegraded("audit log", anna.Fingerprint, "is not what it was")
	anna.awaitDegraded("witness", bob.Fingerprint, "is not what it was")
	found := false
	for _, r := range auditOf(bob, protocol.AuditPolicyViolation) {
		found = found || r.Details["kind"] == "audit_conflict" && string(r.Peer) == anna.ID
	}
	if !found {
		t.Errorf("bob recorded %+v", auditOf(bob, protocol.AuditPolicyViolation))
	}
	anna.caroJSON(&signed, "audit", "checkpoint")
	if len(signed.Shown) != 1 || signed.Shown[0].Cosigned || !signed.Shown[0].Conflict {
		t.Errorf("bob cosigned what contradicts: %+v", signed.Shown)
	}
	// bob's user has heard why, and goes on from what anna's log is now.
	var accepted v1.AuditAccepted
	bob.caroJSON(&accepted, "audit", "accept", "anna")
	if string(accepted.NodeID) != anna.ID || accepted.EntriesBefore == 0 || accepted.Entries == 0 || accepted.Reason == "" {
		t.Errorf("bob accepted %+v", accepted)
	}
	bob.fails("audit", "accept", "anna")
	anna.caroJSON(&signed, "audit", "checkpoint")
	if len(signed.Shown) != 1 || !signed.Shown[0].Cosigned {
		t.Errorf("after bob accepted it: %+v", signed.Shown)
	}
	for _, n := range []*node{anna, bob} {
		if s, err := n.Client().Status(t.Context()); err != nil || strings.Contains(strings.Join(s.HealthReasons, ""), "audit log") {
			t.Errorf("%s still doubts: %q, %v", n.Name, s.HealthReasons, err)
		}
	}
	bob.caroJSON(&v, "audit", "verify")
	if !v.OK {
		t.Errorf("bob's own log: %+v", v)
	}
}

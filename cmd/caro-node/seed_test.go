package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

// seedKey is a node whose key's seed is one byte, 32 times.
type seedKey struct{ private ed25519.PrivateKey }

func newSeedKey(seed byte) seedKey {
	return seedKey{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))}
}

func (k seedKey) NodeID() protocol.NodeID {
	return protocol.NewNodeID(k.private.Public().(ed25519.PublicKey))
}
func (k seedKey) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(k.private, msg), nil }

// seeded is the time of the first seeded record; each further one is a second later.
var seeded = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// seedAudit is the program "seed-audit N" of the scripts: it fills the database of CARO_HOME with N more audit records, of
// all types, among them answers to queries with receipts, every second of which is countersigned.
func seedAudit() {
	if err := func() error {
		n, err := strconv.Atoi(os.Args[1])
		if err != nil {
			return err
		}
		return seedDatabase(context.Background(), filepath.Join(os.Getenv("CARO_HOME"), "caro.db"), n)
	}(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func seedDatabase(ctx context.Context, path string, n int) (err error) {
	var now time.Time
	db, err := store.Open(ctx, path, store.Options{Now: func() time.Time { return now }})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	sizes, err := db.Sizes(ctx)
	if err != nil {
		return err
	}
	types := []protocol.AuditEventType{protocol.AuditIdentityCreated, protocol.AuditPeerConnected, protocol.AuditQueryReceived, protocol.AuditResponseSent,
		protocol.AuditSummaryGenerated, protocol.AuditSummaryShared, protocol.AuditPolicyViolation, protocol.AuditTrustChanged, protocol.AuditResponseSent,
		protocol.AuditKeyRotated, protocol.AuditPeerDisconnected}
	asker := newSeedKey(1)
	for i := int(sizes.AuditEntries); i < int(sizes.AuditEntries)+n; i++ {
		now = seeded.Add(time.Duration(i) * time.Second)
		t := types[i%len(types)]
		e := audit.Event{Type: t, Peer: asker.NodeID(), Success: t != protocol.AuditPolicyViolation,
			Details: map[string]string{"rule": "node anna", "source": "config.toml", "line": "7", "reason": "a \"quoted\" \\ ] reason", "addr": "10.0.0.7"}}
		if t == protocol.AuditResponseSent {
			err = seedReceipt(ctx, db, asker, newSeedKey(2), i, e, now)
		} else {
			_, err = db.AuditLog().Append(ctx, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func seedReceipt(ctx context.Context, db *store.Store, asker, responder seedKey, i int, e audit.Event, now time.Time) error {
	id := fmt.Sprintf("01939f2e-6c00-7000-8000-%012d", i+1)
	end := protocol.At(now.Truncate(time.Hour))
	query, err := protocol.SignQuery(&protocol.MeshQuery{QueryID: id, Requester: asker.NodeID(), QueryType: protocol.QueryToolUsage,
		TimeRange: protocol.TimeRange{Start: end - protocol.Timestamp(24*time.Hour), End: end}}, asker, now)
	if err != nil {
		return err
	}
	response, err := protocol.SignResponse(&protocol.MeshResponse{QueryID: id, Responder: responder.NodeID(), Status: protocol.StatusNoData,
		Reason: "no command was recorded in this time range", Timestamp: protocol.At(now)}, responder, now)
	if err != nil {
		return err
	}
	e.Details["query_id"], e.Details["query_type"], e.Details["status"], e.Details["trust"], e.Details["level"] = id, "tool_usage", "no_data", "peer", "summarized"
	rec, err := db.SaveReceipt(ctx, id, query, response, e)
	if err != nil || i%2 == 0 {
		return err
	}
	receipt, err := protocol.SignReceipt(&protocol.QueryReceipt{QueryID: id, Requester: asker.NodeID(), Responder: responder.NodeID(),
		Response: protocol.DigestOfResponse(response), Timestamp: protocol.At(now)}, asker, now)
	if err != nil {
		return err
	}
	return db.Countersign(ctx, rec.Sequence, receipt)
}

package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/checkpoint"
	"github.com/caro-mesh/caro-node/protocol/exchange"
	"github.com/caro-mesh/caro-node/store"
)

// witness vouches for the audit logs of peers: it remembers the latest checkpoint of each, and cosigns the next only if the
// log has done nothing but grow.
type witness struct {
	key       protocol.Signer
	gate      *audit.Gate
	db        witnessed
	ancestors func(protocol.NodeID) []protocol.NodeID // the keys that a node had before, as far as is believed
	now       func() time.Time
	logger    *slog.Logger
}

// witnessed is what the witness needs of the store.
type witnessed interface {
	Witness(ctx context.Context, p audit.Presented) (j audit.Judgement, reason string, known uint64, err error)
}

// judge answers a node that shows a checkpoint which it has signed.
func (w *witness) judge(ctx context.Context, from exchange.From, s checkpoint.Shown) (checkpoint.Answer, error) {
	request := policy.Request{Peer: from.ID, Addr: from.Addr, Action: policy.ActionConnect, Now: w.now()}
	d := w.gate.Peek(request)
	if !d.Allowed {
		_, err := w.gate.Allow(ctx, request, audit.Event{Details: map[string]string{"topic": checkpoint.ID}})
		if denied := (*audit.DeniedError)(nil); errors.As(err, &denied) {
			return checkpoint.Answer{Status: checkpoint.StatusRefused, Reason: clip(denied.Decision.Reason, protocol.MaxReason)}, nil
		}
		return checkpoint.Answer{}, fmt.Errorf("the policy changed meanwhile: %w", exchange.ErrClosing)
	}
	if d.Trust != protocol.TrustPeer { // others could make it remember as many logs as they make keys
		return checkpoint.Answer{Status: checkpoint.StatusRefused, Reason: `this node vouches only for nodes that it calls peers; its user can change that with "caro-node trust set NODE peer"`}, nil
	}
	p := audit.Presented{Log: from.ID, Former: w.ancestors(from.ID), Note: s.Note, Checkpoint: s.Checkpoint, Old: s.OldSize, Proof: make([]tlog.Hash, len(s.Proof))}
	for i, h := range s.Proof {
		p.Proof[i] = h
	}
	j, reason, known, err := w.db.Witness(ctx, p)
	if err != nil {
		return checkpoint.Answer{}, err
	}
	switch j {
	case audit.Conflicting:
		w.logger.Error("the audit log of a peer is not what it was", "peer", from.ID.Fingerprint(), "reason", reason,
			"fix", "talk to its user; both checkpoints are kept, and signed by that node; caro-node audit accept goes on from what its log is now")
		return checkpoint.Answer{Status: checkpoint.StatusConflict, Size: known, Reason: clip(reason, protocol.MaxReason)}, nil
	case audit.Stale:
		return checkpoint.Answer{Status: checkpoint.StatusStale, Size: known}, nil
	}
	value, err := protocol.Cosign(s.Note, w.key, w.now())
	if err != nil {
		return checkpoint.Answer{}, err
	}
	w.logger.Debug("cosigned the audit log of a peer", "peer", from.ID.Fingerprint(), "entries", known)
	return checkpoint.Answer{Status: checkpoint.StatusCosigned, Size: known, Cosignature: value}, nil
}

// PresentCheckpoint signs this node's audit log as it is now, and shows it to every connected peer that may witness it.
func (n *Node) PresentCheckpoint(ctx context.Context) (audit.StoredCheckpoint, []Witnessing, error) {
	return n.notary.present(ctx, true)
}

// AcceptAuditLog goes on witnessing the audit log of a peer that contradicts what it was, from its latest conflicting checkpoint
// on: for example because its database was restored from a backup. The decision is in the audit log when it returns. It
// returns [store.ErrNotFound] when there is nothing to accept.
func (n *Node) AcceptAuditLog(ctx context.Context, id protocol.NodeID) (store.Accepted, error) {
	a, err := n.c.Store.AcceptConflict(ctx, n.lineage.keys(id), audit.Event{Type: protocol.AuditTrustChanged, Success: true,
		Details: map[string]string{"change": store.ChangeAccepted}})
	if err == nil {
		n.c.Logger.Info("the audit log of a peer is witnessed anew", "peer", id.Fingerprint(), "entries_before", a.Before, "entries", a.Now)
	}
	return a, err
}

// Doubts returns which witnesses say that this node's audit log is not what it was, and why, since the start.
func (n *Node) Doubts() map[protocol.NodeID]string { return n.notary.doubted() }

// witnesses are the connected peers, each with the request that asks whether it may witness the audit log.
func (n *Node) witnesses() []target {
	out := n.targets()
	for i := range out {
		out[i].request.Action = policy.ActionWitness
	}
	return out
}

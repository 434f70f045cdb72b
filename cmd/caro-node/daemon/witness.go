package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caro-mesh/caro-node/api"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/checkpoint"
	"github.com/caro-mesh/caro-node/store"
)

// conflictsShown is how long the status tells that a peer's audit log contradicted itself.
const conflictsShown = 30 * 24 * time.Hour

// signer is the key that this node has now.
func (d *Daemon) signer() protocol.Signer {
	d.live.RLock() // not while it changes
	defer d.live.RUnlock()
	return d.standing.Identity
}

// PresentCheckpoint signs the audit log as it is now, and shows it to every connected peer that may witness it.
func (b *backend) PresentCheckpoint(ctx context.Context) (v1.AuditCheckpoint, error) {
	done, err := b.d.use()
	if err != nil {
		return v1.AuditCheckpoint{}, err
	}
	defer done()
	c, results, err := b.d.mesh().PresentCheckpoint(ctx)
	if err != nil {
		return v1.AuditCheckpoint{}, explain(err)
	}
	signed, err := protocol.OpenCheckpoint(c.Note, c.Signer)
	if err != nil {
		return v1.AuditCheckpoint{}, err
	}
	names, err := b.names(ctx)
	if err != nil {
		return v1.AuditCheckpoint{}, err
	}
	doc := v1.AuditCheckpoint{Entries: signed.Size, Note: string(c.Note), Shown: make([]v1.AuditShowing, len(results))}
	for i, r := range results {
		doc.Shown[i] = v1.AuditShowing{NodeID: r.Witness, Fingerprint: r.Witness.Fingerprint(), Name: names[r.Witness],
			Cosigned: r.Status == checkpoint.StatusCosigned && r.Reason == "", Conflict: r.Status == checkpoint.StatusConflict, Reason: r.Reason}
	}
	return doc, nil
}

// AcceptAuditLog goes on witnessing the audit log of a peer that contradicts what it was, from what it is now.
func (b *backend) AcceptAuditLog(ctx context.Context, peer string) (v1.AuditAccepted, error) {
	id, err := b.find(ctx, peer, false)
	if err != nil {
		return v1.AuditAccepted{}, err
	}
	a, err := b.d.mesh().AcceptAuditLog(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return v1.AuditAccepted{}, api.Refuse(api.ErrNotFound, "the audit log of %s does not contradict what this node has witnessed; there is nothing to accept", id.Fingerprint())
	}
	if err != nil {
		return v1.AuditAccepted{}, explain(err)
	}
	names, err := b.names(ctx)
	return v1.AuditAccepted{NodeID: a.Log, Fingerprint: a.Log.Fingerprint(), Name: names[a.Log], EntriesBefore: a.Before, Entries: a.Now, Reason: a.Reason}, err
}

// auditDoubts says what is wrong with audit logs, as far as nodes that compare them have found: one sentence for each.
func (b *backend) auditDoubts(ctx context.Context) []string {
	var out []string
	for id, reason := range b.d.mesh().Doubts() {
		out = append(out, fmt.Sprintf("the witness %s says that this node's audit log is not what it was: %s; if you know why, for example a restored backup, tell its user, who can accept that", id.Fingerprint(), reason))
	}
	conflicts, err := b.d.db.Conflicts(ctx)
	if err != nil {
		return append(out, err.Error())
	}
	told := make(map[protocol.NodeID]bool)
	for _, c := range conflicts { // the latest of each node
		if c.Accepted || told[c.Log] || b.d.c.Now().Sub(c.SeenAt) >= conflictsShown {
			continue
		}
		told[c.Log] = true
		next := "talk to its user, and if that is explained: caro-node audit accept " + string(c.Log.Fingerprint())
		if !c.Open {
			next = "since then it has shown the one that was known again, so there are two; talk to its user"
		}
		out = append(out, fmt.Sprintf("the audit log of the peer %s is not what it was (%s): %s; %s", c.Log.Fingerprint(), c.SeenAt.Format(time.DateOnly), c.Reason, next))
	}
	return out
}

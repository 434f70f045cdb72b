package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/checkpoint"
	"github.com/caro-mesh/caro-node/protocol/exchange"
	"github.com/caro-mesh/caro-node/store"
)

const (
	// notaryTick is how often it is looked whether a checkpoint is due.
	notaryTick = time.Minute
	// checkpointEvery is how often the log is signed, and shown to each witness, where it has grown.
	checkpointEvery = time.Hour
	// showAgain is when a witness that did not answer is tried again, and one that does not speak the protocol.
	showAgain = 10 * time.Minute
)

// notary signs what this node's audit log is, and shows it to peers, who remember it and cosign it: so that nobody can
// rewrite the log unnoticed, the owner of this machine included.
type notary struct {
	key    protocol.Signer
	gate   *audit.Gate
	db     signedLog
	now    func() time.Time
	logger *slog.Logger
	// connected returns the peers to whom a checkpoint can be shown now.
	connected func() []target
	show      func(ctx context.Context, to protocol.NodeID, note []byte, old uint64, proof [][32]byte) (checkpoint.Answer, error)

	wake  chan struct{} // capacity 1: somebody has appeared
	round sync.Mutex    // held while checkpoints are shown: a witness must not hear an older one after a newer one

	mu       sync.Mutex
	due      map[protocol.NodeID]time.Time // when each witness is to be asked again; absent: now
	doubts   map[protocol.NodeID]string    // witnesses that do not believe this node's log, and why
	signedAt time.Time
}

// signedLog is what the notary needs of the store.
type signedLog interface {
	Checkpoint(ctx context.Context, key protocol.Signer) (c audit.StoredCheckpoint, fresh bool, err error)
	AuditConsistency(ctx context.Context, old, size uint64) ([]tlog.Hash, error)
	SaveCosignature(ctx context.Context, c audit.Cosignature) error
	Cosigned(ctx context.Context) (map[protocol.NodeID]uint64, error)
	Sizes(ctx context.Context) (store.Sizes, error)
}

func newNotary(key protocol.Signer, gate *audit.Gate, db signedLog, now func() time.Time, logger *slog.Logger) *notary {
	return &notary{key: key, gate: gate, db: db, now: now, logger: logger, wake: make(chan struct{}, 1),
		due: make(map[protocol.NodeID]time.Time), doubts: make(map[protocol.NodeID]string)}
}

// run works until ctx ends. It returns nil.
func (n *notary) run(ctx context.Context) error {
	tick := time.NewTicker(notaryTick)
	defer tick.Stop()
	for {
		if err := n.work(ctx); err != nil && ctx.Err() == nil {
			n.logger.Error("the audit log was not signed; it will be tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-n.wake:
		}
	}
}

// nudge makes the notary look at once, for example because a peer has appeared.
func (n *notary) nudge() { signal(n.wake) }

// work signs the log where that is due, and shows it to those who are due.
func (n *notary) work(ctx context.Context) error {
	if n.now().Sub(n.signedAt) >= checkpointEvery { // only run looks at it
		if _, _, err := n.db.Checkpoint(ctx, n.key); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		n.signedAt = n.now()
	}
	_, _, err := n.present(ctx, false)
	return err
}

// Witnessing is what became of a checkpoint with one witness.
type Witnessing struct {
	Witness protocol.NodeID
	Status  checkpoint.Status // empty when there was no answer
	Reason  string            // why it is not cosigned; empty when it is
}

// present signs the log as it is now and shows it to every connected peer that may witness it and is due, or to all of them
// when everybody is asked. It returns what was signed, and what each made of it; nothing is signed when nobody is asked,
// unless everybody should be.
func (n *notary) present(ctx context.Context, everybody bool) (c audit.StoredCheckpoint, results []Witnessing, err error) {
	n.round.Lock()
	defer n.round.Unlock()
	targets, err := n.waiting(ctx, everybody)
	if err != nil || len(targets) == 0 && !everybody {
		return c, nil, err
	}
	// What is shown is on record first, and so part of what is shown: showing it does not make the log grow beyond it.
	var asked []target
	for _, t := range targets {
		_, err := n.gate.Allow(ctx, t.request, audit.Event{Type: protocol.AuditSummaryShared, Details: map[string]string{"topic": checkpoint.ID}})
		var denied *audit.DeniedError
		switch {
		case errors.As(err, &denied) && denied.Cause != nil:
			return c, nil, err
		case err == nil:
			asked = append(asked, t)
		}
	}
	if c, _, err = n.db.Checkpoint(ctx, n.key); err != nil {
		return c, nil, err
	}
	signed, err := protocol.OpenCheckpoint(c.Note, c.Signer)
	if err != nil {
		return c, nil, fmt.Errorf("read what was just signed: %w", err)
	}
	known, err := n.db.Cosigned(ctx)
	if err != nil {
		return c, nil, err
	}
	results = make([]Witnessing, len(asked))
	var wg sync.WaitGroup
	for i, t := range asked {
		wg.Go(func() { results[i] = n.showTo(ctx, t.id, c, signed.Size, known[t.id]) })
	}
	wg.Wait()
	return c, results, nil
}

// waiting returns the connected peers that a checkpoint should be shown to.
func (n *notary) waiting(ctx context.Context, everybody bool) ([]target, error) {
	now := n.now()
	var out []target
	n.mu.Lock()
	for _, t := range n.connected() {
		if (everybody || !now.Before(n.due[t.id])) && n.gate.Peek(t.request).Allowed {
			out = append(out, t)
		}
	}
	n.mu.Unlock()
	if len(out) == 0 || everybody {
		return out, nil
	}
	sizes, err := n.db.Sizes(ctx)
	if err != nil {
		return nil, err
	}
	known, err := n.db.Cosigned(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(out, func(t target) bool { return known[t.id] == uint64(sizes.AuditEntries) }), nil
}

// showTo shows a checkpoint to one peer, once more where that knows another one than was thought.
func (n *notary) showTo(ctx context.Context, to protocol.NodeID, c audit.StoredCheckpoint, size, old uint64) Witnessing {
	answer, err := n.prove(ctx, to, c, size, old)
	if err == nil && answer.Status == checkpoint.StatusStale && answer.Size <= size {
		answer, err = n.prove(ctx, to, c, size, answer.Size)
	}
	if err == nil && answer.Status == checkpoint.StatusCosigned {
		err = n.db.SaveCosignature(ctx, audit.Cosignature{Witness: to, Number: c.Number, Value: answer.Cosignature})
	}
	w := Witnessing{Witness: to, Status: answer.Status, Reason: answer.Reason}
	again := checkpointEvery
	switch {
	case errors.Is(err, exchange.ErrUnsupported):
		w.Reason = "it has an older version of caro-node, which does not witness audit logs"
	case err != nil:
		w.Reason, again = err.Error(), showAgain
		if ctx.Err() == nil {
			n.logger.Info("a checkpoint of the audit log was not shown; it will be tried again", "peer", to.Fingerprint(), "error", err)
		}
	case answer.Status == checkpoint.StatusStale:
		w.Reason, again = fmt.Sprintf("it knows %d entries of this log, which has %d", answer.Size, size), showAgain
	case answer.Status == checkpoint.StatusCosigned:
		n.logger.Debug("the audit log was witnessed", "peer", to.Fingerprint(), "entries", size)
	case answer.Status == checkpoint.StatusConflict:
		n.logger.Error("a witness says that this node's audit log is not what it was", "peer", to.Fingerprint(), "reason", answer.Reason,
			"fix", "caro-node audit verify --witnesses")
	}
	n.remember(w, n.now().Add(again))
	return w
}

func (n *notary) remember(w Witnessing, due time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.due[w.Witness] = due
	switch w.Status {
	case checkpoint.StatusConflict:
		n.doubts[w.Witness] = w.Reason
	case checkpoint.StatusCosigned:
		delete(n.doubts, w.Witness)
	}
}

func (n *notary) prove(ctx context.Context, to protocol.NodeID, c audit.StoredCheckpoint, size, old uint64) (checkpoint.Answer, error) {
	hashes, err := n.db.AuditConsistency(ctx, old, size)
	if err != nil {
		return checkpoint.Answer{}, err
	}
	proof := make([][32]byte, len(hashes))
	for i, h := range hashes {
		proof[i] = h
	}
	return n.show(ctx, to, c.Note, old, proof)
}

// doubted returns which witnesses do not believe this node's log since it was started, and why.
func (n *notary) doubted() map[protocol.NodeID]string {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make(map[protocol.NodeID]string, len(n.doubts))
	for id, reason := range n.doubts {
		out[id] = reason
	}
	return out
}

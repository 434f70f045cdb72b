package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// maxConflicts is how many conflicting checkpoints are kept of one node: the first ones prove enough.
const maxConflicts = 16

// Witness judges a checkpoint of another node and, when it is consistent with the one that is known, stores it in its
// place, all in one transaction that survives a power failure; only then may the caller cosign it. A conflicting one is
// kept as evidence, and recorded, unless it is known. It returns how many entries of that log are known now.
func (s *Store) Witness(ctx context.Context, p audit.Presented) (j audit.Judgement, reason string, known uint64, err error) {
	err = s.writeDurably(ctx, "witness a checkpoint", func(t *tx) error {
		old, note, err := t.witnessed(append([]protocol.NodeID{p.Log}, p.Former...))
		if err != nil {
			return err
		}
		known = old.Size
		switch j, reason = audit.Judge(old, p); j {
		case audit.Consistent:
			known = p.Checkpoint.Size
			_, err = t.exec(`INSERT INTO witnessed (log, size, note, seen_at) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE
				SET size = excluded.size, note = excluded.note, seen_at = excluded.seen_at`,
				string(p.Log), p.Checkpoint.Size, p.Note, t.s.now().UnixNano())
			return err
		case audit.Conflicting:
			return t.keepConflict(p, note, reason)
		}
		return nil
	})
	return j, reason, known, err
}

// witnessed returns the latest checkpoint of a log that is known under any of these keys.
func (t *tx) witnessed(keys []protocol.NodeID) (c protocol.Checkpoint, note []byte, err error) {
	for _, id := range keys {
		var b []byte
		err := t.get(`SELECT note FROM witnessed WHERE log = ?`, []any{string(id)}, &b)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return c, nil, err
		}
		found, err := protocol.OpenCheckpoint(b, id)
		if err != nil {
			return c, nil, fmt.Errorf("%w: a witnessed checkpoint is not what was signed: %w", ErrDamaged, err)
		}
		if found.Size > c.Size {
			c, note = found, b
		}
	}
	return c, note, nil
}

func (t *tx) keepConflict(p audit.Presented, known []byte, reason string) error {
	var kept int
	if err := t.get(`SELECT count(*) FROM audit_conflict WHERE log = ?`, []any{string(p.Log)}, &kept); err != nil || kept >= maxConflicts {
		return err
	}
	n, err := t.exec(`INSERT OR IGNORE INTO audit_conflict (log, size, note, known, proof, reason, seen_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		string(p.Log), p.Checkpoint.Size, p.Note, known, packHashes(p.Proof), reason, t.s.now().UnixNano())
	if err != nil || n == 0 {
		return err
	}
	_, err = t.audit(audit.Event{Type: protocol.AuditPolicyViolation, Peer: p.Log, Details: map[string]string{
		"kind": "audit_conflict", "reason": reason, "entries": fmt.Sprint(p.Checkpoint.Size)}})
	return err
}

// Conflict is a checkpoint of another node that contradicts what it had said before.
type Conflict struct {
	Log    protocol.NodeID
	Note   []byte // what contradicts
	Known  []byte // what was known
	Reason string
	SeenAt time.Time
	Open   bool // nothing of this log was cosigned or accepted since
	// Accepted tells that this node's user has accepted it since. A log that was only put back to what it was is not open
	// either, but there were two of it.
	Accepted bool
}

// Conflicts returns the conflicting checkpoints that were kept, the latest first.
func (s *Store) Conflicts(ctx context.Context) ([]Conflict, error) {
	var list []Conflict
	err := s.each(ctx, `SELECT log, note, known, reason, seen_at,
		seen_at > coalesce((SELECT seen_at FROM witnessed w WHERE w.log = c.log), 0),
		seen_at <= coalesce((SELECT max(timestamp) FROM audit a WHERE a.peer = c.log AND a.peer <> '' AND a.event_type = ?
			AND a.details ->> 'change' = ?), 0) FROM audit_conflict c ORDER BY id DESC`, []any{string(protocol.AuditTrustChanged), ChangeAccepted}, func(rows *sql.Rows) error {
		var c Conflict
		var at int64
		err := rows.Scan(&c.Log, &c.Note, &c.Known, &c.Reason, &at, &c.Open, &c.Accepted)
		c.SeenAt = time.Unix(0, at).UTC()
		list = append(list, c)
		return err
	})
	return list, s.explain("read conflicting checkpoints", err)
}

// Accepted is a log that was set back or written anew, and is witnessed again from what it is now.
type Accepted struct {
	Log    protocol.NodeID // the key that signed what is witnessed from now on
	Before uint64          // entries that had been cosigned
	Now    uint64          // entries of what is witnessed instead
	Reason string          // of the conflict
}

// ChangeAccepted is the detail "change" of the record that [Store.AcceptConflict] leaves.
const ChangeAccepted = "audit_log_accepted"

// AcceptConflict makes the latest conflicting checkpoint of the log with any of these keys what this node witnesses from now
// on, whatever it has cosigned before, and records that with ev, to which it adds what was replaced. Only growth from there
// will be cosigned. Both checkpoints stay as evidence. It returns [ErrNotFound] when no conflict of the log is open.
func (s *Store) AcceptConflict(ctx context.Context, keys []protocol.NodeID, ev audit.Event) (a Accepted, err error) {
	err = s.writeDurably(ctx, "accept a contradicting audit log", func(t *tx) error {
		known, _, err := t.witnessed(keys)
		if err != nil {
			return err
		}
		note, err := t.openConflict(keys, &a)
		if err != nil {
			return err
		}
		a.Before = known.Size
		for _, id := range keys {
			if _, err := t.exec(`DELETE FROM witnessed WHERE log = ?`, string(id)); err != nil {
				return err
			}
		}
		if _, err := t.exec(`INSERT INTO witnessed (log, size, note, seen_at) VALUES (?, ?, ?, ?)`, string(a.Log), a.Now, note, t.s.now().UnixNano()); err != nil {
			return err
		}
		details := maps.Clone(ev.Details)
		if details == nil {
			details = make(map[string]string)
		}
		details["change"], details["reason"], details["entries_before"], details["entries"] = ChangeAccepted, a.Reason, fmt.Sprint(a.Before), fmt.Sprint(a.Now)
		ev.Peer, ev.Details = a.Log, details
		_, err = t.audit(ev)
		return err
	})
	return a, err
}

// openConflict returns the note of the latest conflict of a log, unless that note is what is witnessed already or the log has
// been believed again since.
func (t *tx) openConflict(keys []protocol.NodeID, a *Accepted) (note []byte, err error) {
	var seen int64
	for _, id := range keys {
		var at, since int64
		var b []byte
		var size uint64
		var reason string
		err := t.get(`SELECT note, size, reason, seen_at, coalesce((SELECT seen_at FROM witnessed w WHERE w.log = c.log), 0)
			FROM audit_conflict c WHERE log = ? ORDER BY id DESC LIMIT 1`, []any{string(id)}, &b, &size, &reason, &at, &since)
		switch {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil:
			return nil, err
		case at > since && at >= seen:
			note, seen, a.Log, a.Now, a.Reason = b, at, id, size, reason
		}
	}
	if note == nil {
		return nil, fmt.Errorf("a conflict of this audit log that is open: %w", ErrNotFound)
	}
	if _, err := protocol.OpenCheckpoint(note, a.Log); err != nil {
		return nil, fmt.Errorf("%w: a conflicting checkpoint is not what was signed: %w", ErrDamaged, err)
	}
	return note, nil
}

// Witnessed is the latest checkpoint of another node that this one has cosigned.
type Witnessed struct {
	Log     protocol.NodeID
	Entries uint64
	SeenAt  time.Time
}

// Witnessed returns for which nodes this one vouches, by node ID.
func (s *Store) Witnessed(ctx context.Context) ([]Witnessed, error) {
	var list []Witnessed
	err := s.each(ctx, `SELECT log, size, seen_at FROM witnessed ORDER BY log`, nil, func(rows *sql.Rows) error {
		var w Witnessed
		var at int64
		err := rows.Scan(&w.Log, &w.Entries, &at)
		w.SeenAt = time.Unix(0, at).UTC()
		list = append(list, w)
		return err
	})
	return list, s.explain("read witnessed checkpoints", err)
}

// SaveCosignature stores what a witness said about one of this node's checkpoints, after verifying it. One about an
// earlier checkpoint than is known of the same witness changes nothing.
func (s *Store) SaveCosignature(ctx context.Context, c audit.Cosignature) error {
	return s.write(ctx, "store a cosignature", func(t *tx) error {
		var note []byte
		var size int64
		if err := t.get(`SELECT note, size FROM audit_checkpoint WHERE number = ?`, []any{c.Number}, &note, &size); err != nil {
			return err
		}
		if _, err := protocol.OpenCosignature(note, c.Witness, c.Value); err != nil {
			return err
		}
		_, err := t.exec(`INSERT INTO audit_cosignature (witness, number, size, value, received_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
			SET number = excluded.number, size = excluded.size, value = excluded.value, received_at = excluded.received_at WHERE excluded.number >= number`,
			string(c.Witness), c.Number, size, c.Value, t.s.now().UnixNano())
		return err
	})
}

// Cosigned returns up to which entry each witness has cosigned this node's log, as far as is stored.
func (s *Store) Cosigned(ctx context.Context) (map[protocol.NodeID]uint64, error) {
	out := make(map[protocol.NodeID]uint64)
	err := s.each(ctx, `SELECT witness, size FROM audit_cosignature`, nil, func(rows *sql.Rows) error {
		var id protocol.NodeID
		var size uint64
		err := rows.Scan(&id, &size)
		out[id] = size
		return err
	})
	return out, s.explain("read the cosignatures", err)
}

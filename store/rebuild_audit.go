package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store/pages"
)

// copyAudit saves the log up to its first fault. What is intact behind it cannot be part of a chain any more, and is kept
// apart as evidence. It returns what the audit log has to say about the gap.
func (sv *salvager) copyAudit(ctx context.Context) (gap map[string]string, err error) {
	part := sv.report.part(called["audit"])
	refused, found := int64(0), int64(0)
	highest := uint64(0)
	damage, err := sv.inBatches(ctx, sv.tree["audit"], func(t *tx, r pages.Row) error {
		rec, err := auditRecord(r)
		if err != nil {
			refused++
			return nil //nolint:nilerr // it is counted
		}
		highest = max(highest, rec.Sequence)
		n, err := t.keepOrphan(&rec, sv.report.At)
		found += n
		return err
	})
	if err != nil {
		return nil, err
	}
	prev, err := sv.copyTree(ctx)
	if err != nil {
		return nil, err
	}
	last, fault, err := sv.chain(ctx, prev)
	if err != nil {
		return nil, err
	}
	if err := sv.copyCheckpoints(ctx, last); err != nil {
		return nil, err
	}
	head, err := sv.oldHead()
	if err != nil {
		return nil, err
	}
	highest = max(highest, head)
	part.Saved = int64(last - prev.Sequence)
	orphans := sv.report.part(called["audit_orphan"])
	orphans.Saved += found - part.Saved
	t := &sv.tables[slices.IndexFunc(sv.tables, func(t table) bool { return t.name == "audit" })]
	sv.count(part, t, refused, damage)
	part.Lost = max(int64(highest-min(highest, prev.Sequence)), part.Saved+part.Lost) - found
	if head == highest && head > 0 && sv.from.Log().Damaged == 0 {
		part.Uncounted = false // the sequence itself counts
	}
	if highest == last && fault == "" {
		return nil, nil
	}
	gap = map[string]string{"audit_saved_up_to": strconv.FormatUint(last, 10), "audit_had": strconv.FormatUint(highest, 10),
		"audit_kept_apart": strconv.FormatInt(orphans.Saved, 10)}
	if fault != "" {
		gap["audit_fault"] = fault
	}
	return gap, nil
}

// auditRecord makes a record of a stored row; only one with the hash of its content is believed.
func auditRecord(r pages.Row) (rec audit.Record, err error) {
	// sequence, id, timestamp, event_type, peer, details, success, prev_hash, hash
	if len(r.Values) < 9 || r.ID <= 0 {
		return rec, errNoSuchRow
	}
	c := columnReader{values: r.Values}
	rec = audit.Record{Sequence: uint64(r.ID), ID: c.text(1), Timestamp: protocol.Timestamp(c.number(2)), Type: protocol.AuditEventType(c.text(3)),
		Peer: protocol.NodeID(c.text(4)), Success: c.number(6) == 1}
	details, prev, hash := c.text(5), c.bytes(7), c.bytes(8)
	if c.wrong || len(prev) != len(rec.PrevHash) || len(hash) != len(rec.Hash) {
		return rec, errNoSuchRow
	}
	copy(rec.PrevHash[:], prev)
	copy(rec.Hash[:], hash)
	if err := json.Unmarshal([]byte(details), &rec.Details); err != nil {
		return rec, err
	}
	if h, err := rec.ComputeHash(); err != nil || h != rec.Hash {
		return rec, errors.Join(audit.ErrAltered, err)
	}
	return rec, nil
}

func (t *tx) keepOrphan(r *audit.Record, at time.Time) (int64, error) {
	details, err := json.Marshal(r.Details)
	if err != nil {
		return 0, err
	}
	return t.exec(`INSERT INTO audit_orphan (sequence, id, timestamp, event_type, peer, details, success, prev_hash, hash, apart_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`, int64(r.Sequence), r.ID, int64(r.Timestamp), string(r.Type),
		string(r.Peer), string(details), r.Success, r.PrevHash[:], r.Hash[:], at.UnixNano())
}

// chain moves records from audit_orphan into the log as long as each follows the one before. It returns the last one's
// number, and why the next one does not follow, empty when there is no next one.
func (sv *salvager) chain(ctx context.Context, prev audit.Record) (last uint64, fault string, err error) {
	for more := true; more; {
		if err := sv.to.write(ctx, "save the audit log", func(t *tx) error {
			var batch []audit.Record
			if err := t.each(`SELECT sequence, id, timestamp, event_type, peer, details, success, prev_hash, hash FROM audit_orphan
				WHERE sequence > ? AND apart_at = ? ORDER BY sequence LIMIT 1000`, []any{int64(prev.Sequence), sv.report.At.UnixNano()}, func(rows *sql.Rows) error {
				r, err := scanAudit(rows)
				batch = append(batch, r)
				return err
			}); err != nil {
				return err
			}
			more = len(batch) == salvageBatch
			for i := range batch {
				if err := batch[i].Follows(prev); err != nil {
					more, fault = false, fmt.Sprintf("record %d: %v", batch[i].Sequence, err)
					return nil
				}
				if err := t.storeAudit(&batch[i]); err != nil {
					return err
				}
				if _, err := t.exec(`DELETE FROM audit_orphan WHERE id = ?`, batch[i].ID); err != nil {
					return err
				}
				prev = batch[i]
			}
			return nil
		}); err != nil {
			return 0, "", err
		}
	}
	return prev.Sequence, fault, nil
}

// oldHead returns how long the damaged database remembers its log to have been, 0 where it cannot be read.
func (sv *salvager) oldHead() (n uint64, err error) {
	_, err = sv.trees.Rows(sv.tree["audit_head"], func(r pages.Row) error {
		if len(r.Values) >= 3 { // only, sequence, hash, and since the tree the number of checkpoints
			if v, ok := r.Values[1].(int64); ok && v > 0 && v < 1<<40 {
				n = uint64(v)
			}
		}
		return nil
	})
	return n, err
}

// copyTree saves the part of the Merkle tree whose records retention has removed, and returns the record on which the first
// one that is left follows. The rest of the tree grows anew with its records. Where that part is damaged, the log begins anew.
func (sv *salvager) copyTree(ctx context.Context) (prev audit.Record, err error) {
	var first audit.Record
	err = sv.to.write(ctx, "save the tree over the audit log", func(t *tx) error {
		var hash []byte
		err := t.get(`SELECT sequence, prev_hash FROM audit_orphan WHERE apart_at = ? ORDER BY sequence LIMIT 1`, []any{sv.report.At.UnixNano()}, &first.Sequence, &hash)
		copy(first.PrevHash[:], hash)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	tree, ok := sv.tree["audit_tree"]
	if err != nil || !ok || first.Sequence <= 1 {
		return prev, err
	}
	removed := false // by retention, as a checkpoint says; else the first records are lost
	if _, err := sv.trees.Rows(sv.tree["audit_checkpoint"], func(r pages.Row) error {
		pruned, _ := at(r.Values, 2).(int64)
		removed = removed || uint64(pruned) == first.Sequence-1
		return nil
	}); err != nil || !removed {
		return prev, err
	}
	next := uint64(1)
	if _, err := sv.inBatches(ctx, tree, func(t *tx, r pages.Row) error {
		if len(r.Values) != 2 || uint64(r.ID) != next || next >= first.Sequence {
			return nil
		}
		hashes, ok := r.Values[1].([]byte)
		if !ok {
			return nil
		}
		next++
		_, err := t.exec(`INSERT INTO audit_tree (sequence, hashes) VALUES (?, ?)`, r.ID, hashes)
		return err
	}); err != nil {
		return prev, err
	}
	if next == first.Sequence {
		return audit.Record{Sequence: next - 1, Hash: first.PrevHash}, nil
	}
	return prev, sv.to.write(ctx, "begin the tree over the audit log", func(t *tx) error {
		_, err := t.exec(`DELETE FROM audit_tree`)
		return err
	})
}

// copyCheckpoints saves what was signed, and cosigned by witnesses, about records up to last.
func (sv *salvager) copyCheckpoints(ctx context.Context, last uint64) error {
	tree, ok := sv.tree["audit_checkpoint"]
	if !ok {
		return nil
	}
	part, more := sv.report.part(called["audit_checkpoint"]), int64(0)
	damage, err := sv.inBatches(ctx, tree, func(t *tx, r pages.Row) error {
		// number, size, pruned, signer, note, made_at
		if size, ok := at(r.Values, 1).(int64); len(r.Values) != 6 || !ok || uint64(size) > last || r.ID != part.Saved+1 {
			more++
			return nil
		}
		part.Saved++
		if _, err := t.exec(`INSERT INTO audit_checkpoint (number, size, pruned, signer, note, made_at) VALUES (?, ?, ?, ?, ?, ?)`,
			append([]any{r.ID}, r.Values[1:]...)...); err != nil {
			return err
		}
		_, err := t.exec(`UPDATE audit_head SET checkpoints = ?`, r.ID)
		return err
	})
	if err != nil {
		return err
	}
	part.Lost, part.Uncounted = more+int64(damage.Rows), damage.Pages > 0
	saved := part.Saved
	part, more = sv.report.part(called["audit_cosignature"]), 0
	damage, err = sv.inBatches(ctx, sv.tree["audit_cosignature"], func(t *tx, r pages.Row) error {
		// witness, number, size, value, received_at
		if number, ok := at(r.Values, 1).(int64); len(r.Values) != 5 || !ok || number > saved {
			more++
			return nil
		}
		part.Saved++
		_, err := t.exec(`INSERT OR IGNORE INTO audit_cosignature (witness, number, size, value, received_at) VALUES (?, ?, ?, ?, ?)`, r.Values...)
		return err
	})
	part.Lost, part.Uncounted = more+int64(damage.Rows), damage.Pages > 0
	return err
}

// at returns a value of a row that may be too short.
func at(values []any, i int) any {
	if i < len(values) {
		return values[i]
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/cmd/caro-node/daemon"
	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

func (c *cli) auditVerifyCommand() *cobra.Command {
	var witnesses bool
	var remembered []string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check that no audit record was changed, removed or moved",
		Long: `Check the whole audit log: every record, the chain and the tree over them, the checkpoints that this node has signed, what
witnesses have cosigned, and that the database still refuses changes. It reads the database directly, so that the
running node need not be believed. The first record that is not as it should be is named.

Who owns this machine and its key can write everything anew so that it fits. --witnesses shows who else has said, and up
to which record, that this did not happen; nothing is asked of the network. --remembered compares with a
checkpoint that was kept elsewhere ("caro-node audit checkpoint --out FILE").`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.verifyAudit(cmd.Context(), witnesses, remembered) },
	}
	cmd.Flags().BoolVar(&witnesses, "witnesses", false, "show who vouches for the log, and up to where")
	cmd.Flags().StringSliceVar(&remembered, "remembered", nil, "a checkpoint that was kept elsewhere; may be repeated")
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) verifyAudit(ctx context.Context, witnesses bool, remembered []string) (err error) {
	m, err := c.whatToBelieve(remembered)
	if err != nil {
		return err
	}
	db, err := c.openAudit(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	v, vouched, err := db.VerifyLog(ctx, m)
	if err != nil {
		return err
	}
	doc := daemon.VerificationShape(v)
	if witnesses {
		doc.Witnesses = daemon.WitnessShapes(vouched)
		if err := nameWitnesses(ctx, db, doc.Witnesses); err != nil {
			return err
		}
	}
	if c.json {
		err = writeJSON(c.Out, doc)
	} else {
		err = c.printVerification(doc, witnesses)
	}
	if err == nil && !doc.OK {
		err = &exitError{exitFailed, nil}
	}
	return err
}

// whatToBelieve is this node's key, read from its file, and what was kept elsewhere.
func (c *cli) whatToBelieve(remembered []string) (m audit.Remembered, err error) {
	p, err := c.paths()
	if err != nil {
		return m, err
	}
	id, err := identity.Load(p.Key)
	switch {
	case err == nil:
		m.Key = id.NodeID()
	case !errors.Is(err, fs.ErrNotExist): // a copy of the database alone can be checked, too
		return m, err
	}
	for _, path := range remembered {
		info, err := os.Stat(path)
		if err != nil {
			return m, fmt.Errorf("read a checkpoint: %w", err)
		}
		if info.Size() > protocol.MaxCheckpointNote {
			return m, fmt.Errorf("%s is not a checkpoint: it has %d bytes", path, info.Size())
		}
		note, err := os.ReadFile(path)
		if err != nil {
			return m, fmt.Errorf("read a checkpoint: %w", err)
		}
		m.Notes = append(m.Notes, note)
	}
	return m, nil
}

// nameWitnesses fills in what the witnesses call themselves, as far as it is known.
func nameWitnesses(ctx context.Context, db *store.Store, list []v1.AuditWitness) error {
	peers, err := db.Peers(ctx)
	if err != nil {
		return err
	}
	for i := range list {
		for _, p := range peers {
			if p.ID == list[i].NodeID {
				list[i].Name = p.DisplayName
			}
		}
	}
	return nil
}

func (c *cli) printVerification(doc v1.AuditVerification, witnesses bool) error {
	if !doc.OK {
		return c.print("NOT OK: record %d: %s", doc.FirstBad, doc.Reason)
	}
	if err := c.print("ok: %d records, head %s", doc.Entries, doc.Head); err != nil {
		return err
	}
	if doc.Pruned > 0 {
		if err := c.print("records 1 to %d were removed by retention, which this node has signed", doc.Pruned); err != nil {
			return err
		}
	}
	switch {
	case doc.Entries == 0: // it has a record from the node's first start on
		if err := c.print("the log is empty: either this node has not run yet, or all of it was removed"); err != nil {
			return err
		}
	case doc.Checkpoints == 0:
		if err := c.print("no signed checkpoint covers it: a log that was cut or written anew cannot be told from this one"); err != nil {
			return err
		}
	default:
		if err := c.print("%d signed checkpoints fit, the last of them over %d records", doc.Checkpoints, doc.Signed); err != nil {
			return err
		}
	}
	if !witnesses {
		return nil
	}
	if len(doc.Witnesses) == 0 {
		return c.print("nobody else vouches for it: no peer has cosigned a checkpoint yet")
	}
	t := newTable(c.Out, "WITNESS", "FINGERPRINT", "UP TO RECORD", "SINCE THEN", "COSIGNED")
	for _, w := range doc.Witnesses {
		t.row(w.Name, string(w.Fingerprint), fmt.Sprint(w.Entries), fmt.Sprintf("%d not yet", doc.Entries-w.Entries), w.CosignedAt.Local().Format(time.DateTime))
	}
	return t.flush()
}

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

func (c *cli) auditCheckProofCommand() *cobra.Command {
	var key string
	var witnesses []string
	cmd := &cobra.Command{
		Use:   "check-proof FILE --key NODEID",
		Short: "Check a proof that somebody gave you, on any machine",
		Long: `Check that the record in FILE is part of the audit log that the node with this ID has signed. Nothing else is needed: no
database, no node, no network. "-" reads the proof from standard input. With --witness, that node must have cosigned, too.
The ID is the one that the node had when it signed; ask for it on another way than the proof.`,
		Args: exactArgs(1, "the file of a proof"),
		RunE: func(_ *cobra.Command, args []string) error {
			id := protocol.NodeID(key)
			if key == "" {
				return usageErrorf("say with --key whose audit log it should be: the ID of that node (caro:ed25519:…)")
			}
			if err := id.Validate(); err != nil {
				return usageErrorf("--key: %w", err)
			}
			for _, w := range witnesses {
				if err := protocol.NodeID(w).Validate(); err != nil {
					return usageErrorf("--witness: %w", err)
				}
			}
			file, err := c.readProof(args[0])
			if err != nil {
				return err
			}
			doc, err := checkProof(file, id, witnesses)
			if err != nil {
				return err
			}
			if c.json {
				return writeJSON(c.Out, doc)
			}
			return c.printProof(doc)
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "ID of the node whose audit log it is (caro:ed25519:…)")
	cmd.Flags().StringSliceVar(&witnesses, "witness", nil, "ID of a node that must have cosigned; may be repeated")
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) readProof(path string) (file []byte, err error) {
	in := c.In
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("read the proof: %w", err)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		in = f
	}
	file, err = io.ReadAll(io.LimitReader(in, audit.MaxProofFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the proof: %w", err)
	}
	return file, nil
}

func checkProof(file []byte, key protocol.NodeID, witnesses []string) (v1.AuditProof, error) {
	p, err := audit.UnmarshalProof(file)
	if err != nil {
		return v1.AuditProof{}, err
	}
	signed, err := p.Check(key)
	if err != nil {
		return v1.AuditProof{}, err
	}
	r := p.Record
	doc := v1.AuditProof{SchemaVersion: v1.SchemaVersion, OK: true, NodeID: key, Fingerprint: key.Fingerprint(), Entries: signed.Size,
		Witnesses: []v1.AuditWitness{}, Record: v1.AuditRecord{ID: r.ID, Sequence: r.Sequence, Timestamp: r.Timestamp.Time(), EventType: r.Type, Peer: r.Peer,
			Fingerprint: r.Peer.Fingerprint(), Details: r.Details, Success: r.Success, PrevHash: r.PrevHash.String(), Hash: r.Hash.String()}}
	for _, w := range witnesses {
		id := protocol.NodeID(w)
		value, ok := protocol.FindCosignature(p.Checkpoint, id)
		if !ok {
			return v1.AuditProof{}, fmt.Errorf("%w: the node %s has not cosigned it", audit.ErrProof, id.Fingerprint())
		}
		at, err := protocol.OpenCosignature(p.Checkpoint, id, value)
		if err != nil {
			return v1.AuditProof{}, fmt.Errorf("%w: %w", audit.ErrProof, err)
		}
		doc.Witnesses = append(doc.Witnesses, v1.AuditWitness{NodeID: id, Fingerprint: id.Fingerprint(), Entries: signed.Size, CosignedAt: &at})
	}
	return doc, nil
}

func (c *cli) printProof(doc v1.AuditProof) error {
	if err := c.print("ok: record %d is part of the audit log of %s, which had %d records when it was signed", doc.Record.Sequence, doc.Fingerprint, doc.Entries); err != nil {
		return err
	}
	for _, w := range doc.Witnesses {
		if err := c.print("cosigned by %s at %s", w.Fingerprint, w.CosignedAt.Format(time.RFC3339)); err != nil {
			return err
		}
	}
	return c.printAudit([]v1.AuditRecord{doc.Record})
}

func (c *cli) auditProofCommand() *cobra.Command {
	out := ""
	cmd := &cobra.Command{
		Use:   "proof NUMBER --out FILE",
		Short: "Write a proof that a record is part of the log, for somebody else",
		Long: `Write the record with its details, the hashes that lead from it to a signed root, the node's signature and those of its
witnesses into FILE (C2SP tlog-proof); "-" writes to standard output. Whoever has it and this node's ID can check it with
"caro-node audit check-proof". A record that was written after the last checkpoint has none yet: "caro-node audit
checkpoint" makes one.`,
		Args: exactArgs(1, "the number of a record (see \"caro-node audit list\")"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			sequence, err := recordNumber(args[0])
			if err != nil {
				return err
			}
			if out == "" {
				return usageErrorf("say with --out where the proof should go (\"-\" is standard output)")
			}
			db, err := c.openAudit(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, db.Close()) }()
			p, err := db.AuditProof(cmd.Context(), sequence)
			if errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("%w; if it was just written, run \"caro-node audit checkpoint\" first", err)
			}
			if err != nil {
				return err
			}
			file, err := p.Marshal()
			if err != nil {
				return err
			}
			return c.writeNew(out, file)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "the file to write")
	return cmd
}

func recordNumber(arg string) (n uint64, err error) {
	if _, err := fmt.Sscanf(arg, "%d", &n); err != nil || fmt.Sprint(n) != arg || n == 0 || n > protocol.MaxCount {
		return 0, usageErrorf("%q is not the number of a record", arg)
	}
	return n, nil
}

// writeNew writes a file that must not exist yet; "-" is standard output.
func (c *cli) writeNew(path string, content []byte) error {
	if path == "-" {
		_, err := c.Out.Write(content)
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s exists already, and is not overwritten; choose another name", path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(path)))
	}
	c.say("Wrote %s.", path)
	return nil
}

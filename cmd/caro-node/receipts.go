package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/caro-mesh/caro-node/api"
	"github.com/caro-mesh/caro-node/api/client"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/cmd/caro-node/daemon"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

func (c *cli) whoAskedCommand() *cobra.Command {
	q := client.ReceiptQuery{Limit: defaultLimit}
	cmd := &cobra.Command{
		Use:   "who-asked",
		Short: "List who asked this node, when, by which rule, and what left",
		Long: `List the answers that left this node, oldest of the latest first: who asked, the rule that allowed it, how many bytes left, and
whether the asker has countersigned them. A node of an older version signs nothing: its answers are not countersigned.
"caro-node audit receipt NO" shows the exact bytes. Queries that were refused left nothing; see "caro-node audit list --type
query_received".`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if q.Limit < 1 || q.Limit > api.MaxLimit {
				return usageErrorf("--limit: %d is not between 1 and %d", q.Limit, api.MaxLimit)
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			page, err := cl.Receipts(cmd.Context(), q)
			if err != nil {
				return err
			}
			if c.json {
				return writeJSON(c.Out, page)
			}
			if err := c.printReceipts(page.Receipts); err != nil {
				return err
			}
			return c.tellRefused(cmd.Context(), cl, q.Node)
		},
	}
	cmd.Flags().StringVar(&q.Since, "since", "", "only answers since then: a span such as 7d, or a time such as 2026-01-31T12:00:00Z")
	cmd.Flags().StringVar(&q.Node, "node", "", "only answers to this node: its ID, peer ID, fingerprint or name")
	cmd.Flags().IntVarP(&q.Limit, "limit", "n", q.Limit, "how many at most")
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) printReceipts(receipts []v1.Receipt) error {
	if len(receipts) == 0 {
		c.say("nobody has got an answer from this node")
		return nil
	}
	t := newTable(c.Out, "NO", "TIME", "WHO", "TRUST", "RULE", "ASKED", "STATUS", "BYTES", "PROOF")
	for i := len(receipts) - 1; i >= 0; i-- {
		r := receipts[i]
		t.row(fmt.Sprint(r.Number), r.Timestamp.Local().Format("2006-01-02 15:04:05"), asker(r), r.Trust,
			r.Rule.Name+" ("+place(r.Rule)+")", askedFor(r), string(r.Status), fmt.Sprint(r.Bytes), proof(r))
	}
	return t.flush()
}

// tellRefused says how many of the latest queries were refused: who asks for something and gets nothing leaves no receipt.
func (c *cli) tellRefused(ctx context.Context, cl *client.Client, node string) error {
	page, err := cl.Audit(ctx, client.AuditQuery{Types: []protocol.AuditEventType{protocol.AuditQueryReceived}, Peer: node, Limit: api.MaxLimit})
	if err != nil {
		return err
	}
	refused := 0
	for _, r := range page.Records {
		if !r.Success {
			refused++
		}
	}
	if refused > 0 {
		c.say("%d of the latest %s were refused and left nothing: caro-node audit list --type query_received", refused,
			counted(len(page.Records), "query", "queries"))
	}
	return nil
}

func asker(r v1.Receipt) string {
	if r.Name != "" {
		return r.Name
	}
	return string(r.Fingerprint)
}

func askedFor(r v1.Receipt) string {
	if r.TimeRange == nil {
		return string(r.QueryType)
	}
	return fmt.Sprintf("%s from %s to %s UTC", r.QueryType, r.TimeRange.Start.Time().Format("2006-01-02 15:04"), r.TimeRange.End.Time().Format("2006-01-02 15:04"))
}

func proof(r v1.Receipt) string {
	switch {
	case len(r.Problems) > 0:
		return "DOES NOT VERIFY"
	case r.Countersigned:
		return "countersigned"
	}
	return "not countersigned"
}

func (c *cli) receiptCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "receipt NO",
		Short: "Show and verify the exact bytes of one answer",
		Long: `Show one answer that left this node, named by its number in "caro-node audit who-asked" or by the ID of the query: the query, the
exact bytes of the answer as text, and the signatures of this node and of the asker, verified. It reads the database directly,
so that the running node need not be believed. It fails when something does not verify.`,
		Args: exactArgs(1, "the number of a receipt or the ID of a query"),
		RunE: func(cmd *cobra.Command, args []string) error {
			doc, err := c.findReceipt(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if c.json {
				err = writeJSON(c.Out, doc)
			} else {
				err = c.printReceipt(doc)
			}
			if err == nil && len(doc.Receipt.Problems) > 0 {
				err = &exitError{exitFailed, nil}
			}
			return err
		},
	}
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) findReceipt(ctx context.Context, id string) (v1.ReceiptDocument, error) {
	db, err := c.openAudit(ctx)
	if err != nil {
		return v1.ReceiptDocument{}, err
	}
	doc, err := daemon.FindReceipt(ctx, db, id)
	return doc, errors.Join(err, db.Close())
}

// openAudit opens the database for reading, whether a node is running or not.
func (c *cli) openAudit(ctx context.Context) (*store.Store, error) {
	p, err := c.paths()
	if err != nil {
		return nil, err
	}
	db, err := store.OpenReadOnly(ctx, p.DB, store.Options{})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no audit log yet (%s); it begins with \"caro-node run\"", p.DB)
	}
	return db, err
}

func (c *cli) printReceipt(doc v1.ReceiptDocument) error {
	r := doc.Receipt
	if err := c.print("receipt %d: %s asked for %s\nanswered %s with %s, %d bytes, allowed by %s (%s) to %s at level %s\nBLAKE3 %s\n",
		r.Number, r.Peer, askedFor(r), r.Timestamp.Local().Format("2006-01-02 15:04:05"), r.Status, r.Bytes, oneLine(r.Rule.Name), oneLine(place(r.Rule)),
		r.Trust, r.Level, r.Digest); err != nil {
		return err
	}
	for _, m := range []struct {
		title   string
		message any
	}{{"The query", doc.Query}, {"The answer", doc.Response}, {"The asker's receipt", doc.Countersignature}} {
		if m.message == nil {
			continue
		}
		if err := c.print("%s:", m.title); err != nil {
			return err
		}
		if err := writeJSON(c.Out, m.message); err != nil {
			return err
		}
	}
	if err := c.print("\nThe exact bytes of the answer, in CBOR diagnostic notation:\n%s\n", oneLine(doc.ResponseText)); err != nil {
		return err
	}
	if err := c.print("signature of the answer:  %s\nsignature of the asker:   %s", made(doc.Response != nil, signerOfResponse(doc)), countersigned(r)); err != nil {
		return err
	}
	for _, p := range r.Problems {
		if err := c.print("NOT OK: %s", oneLine(p)); err != nil {
			return err
		}
	}
	return nil
}

func made(verifies bool, by string) string {
	if !verifies {
		return "does not verify"
	}
	return "verifies, made by " + by
}

func signerOfResponse(doc v1.ReceiptDocument) string {
	if r, ok := doc.Response.(*protocol.MeshResponse); ok {
		return string(r.Responder)
	}
	return ""
}

func countersigned(r v1.Receipt) string {
	switch {
	case r.Countersigned:
		return made(true, string(r.Peer))
	case r.CountersignedAt != nil:
		return made(false, "")
	}
	return "none: not countersigned"
}

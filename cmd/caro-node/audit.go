package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caro-mesh/caro-node/api"
	"github.com/caro-mesh/caro-node/api/client"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/cmd/caro-node/daemon"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

func (c *cli) auditCommand() *cobra.Command {
	return group("audit", "See what left this node, who asked, and what was refused", c.auditListCommand(), c.auditVerifyCommand(),
		c.whoAskedCommand(), c.receiptCommand())
}

func (c *cli) auditListCommand() *cobra.Command {
	limit, types := defaultLimit, []string(nil)
	peer := ""
	cmd := &cobra.Command{
		Use: "list", Short: "List audit records, oldest of the latest first", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > api.MaxLimit {
				return usageErrorf("--limit: %d is not between 1 and %d", limit, api.MaxLimit)
			}
			f := client.AuditQuery{Limit: limit, Peer: peer}
			for _, t := range types {
				at := protocol.AuditEventType(t)
				if err := at.Validate(); err != nil {
					return usageErrorf("--type: %w", err)
				}
				f.Types = append(f.Types, at)
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			page, err := cl.Audit(cmd.Context(), f)
			if err != nil {
				return err
			}
			if c.json {
				return writeJSON(c.Out, page)
			}
			return c.printAudit(page.Records)
		},
	}
	cmd.Flags().IntVarP(&limit, "limit", "n", limit, "how many at most")
	cmd.Flags().StringSliceVar(&types, "type", nil, "only these event types")
	cmd.Flags().StringVar(&peer, "peer", "", "only about this node: its ID, peer ID, fingerprint or name")
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) printAudit(records []v1.AuditRecord) error {
	t := newTable(c.Out, "NO", "TIME", "EVENT", "OK", "PEER", "DETAILS")
	for _, r := range slices.Backward(records) {
		ok := "yes"
		if !r.Success {
			ok = "no"
		}
		who := string(r.Fingerprint)
		if r.Name != "" {
			who = r.Name
		}
		details := make([]string, 0, len(r.Details))
		for _, k := range slices.Sorted(maps.Keys(r.Details)) {
			details = append(details, k+"="+r.Details[k])
		}
		t.row(fmt.Sprint(r.Sequence), r.Timestamp.Local().Format("2006-01-02 15:04:05"), string(r.EventType), ok, who, strings.Join(details, " "))
	}
	return t.flush()
}

func (c *cli) auditVerifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check that no audit record was changed, removed or moved",
		Long: `Check the whole audit chain. It reads the database directly, so that the running node need not be believed.
Note the head that it prints: a chain that was cut and regrown links cleanly, and only a remembered head shows it.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := c.paths()
			if err != nil {
				return err
			}
			db, err := store.OpenReadOnly(cmd.Context(), p.DB, store.Options{})
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("there is no audit log yet (%s); it begins with \"caro-node run\"", p.DB)
			}
			if err != nil {
				return err
			}
			v, err := db.VerifyAudit(cmd.Context())
			if cerr := db.Close(); err == nil {
				err = cerr
			}
			if err != nil {
				return err
			}
			doc := daemon.VerificationShape(v)
			if c.json {
				err = writeJSON(c.Out, doc)
			} else if doc.OK {
				err = c.print("ok: %d records, head %s", doc.Entries, doc.Head)
			} else {
				err = c.print("NOT OK: record %d: %s", doc.FirstBad, doc.Reason)
			}
			if err == nil && !doc.OK {
				err = &exitError{exitFailed, nil}
			}
			return err
		},
	}
	c.jsonFlag(cmd)
	return cmd
}

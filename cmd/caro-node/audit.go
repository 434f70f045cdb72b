package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caro-mesh/caro-node/api"
	"github.com/caro-mesh/caro-node/api/client"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/protocol"
)

func (c *cli) auditCommand() *cobra.Command {
	return group("audit", "See what left this node, who asked, and what was refused", c.auditListCommand(), c.auditVerifyCommand(),
		c.auditCheckpointCommand(), c.auditAcceptCommand(), c.auditProofCommand(), c.auditCheckProofCommand(), c.whoAskedCommand(), c.receiptCommand(),
		c.auditExportCommand())
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

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	v1 "github.com/caro-mesh/caro-node/api/v1"
)

func (c *cli) auditCheckpointCommand() *cobra.Command {
	out := ""
	cmd := &cobra.Command{
		Use:   "checkpoint",
		Short: "Sign the audit log as it is now, and show it to witnesses",
		Long: `Let the running node sign its audit log and show it to every connected peer. A peer cosigns it if the log has done nothing
but grow since it last looked. The node does so by itself after a start and once an hour.

With --out, the signed checkpoint is written into FILE (C2SP tlog-checkpoint). Keep it elsewhere: "caro-node audit verify
--remembered FILE" then finds whatever was changed before it, by whomever.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			doc, err := cl.PresentCheckpoint(cmd.Context())
			if err != nil {
				return err
			}
			if out != "" {
				if err := c.writeNew(out, []byte(doc.Note)); err != nil {
					return err
				}
			}
			if c.json {
				return writeJSON(c.Out, doc)
			}
			if out == "-" {
				return nil
			}
			return c.printCheckpoint(doc)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "write the signed checkpoint into this file; \"-\" is standard output")
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) printCheckpoint(doc v1.AuditCheckpoint) error {
	if err := c.print("signed: the audit log of %d records", doc.Entries); err != nil {
		return err
	}
	if len(doc.Shown) == 0 {
		return c.print("no peer that may witness it is connected")
	}
	t := newTable(c.Out, "WITNESS", "FINGERPRINT", "COSIGNED", "REASON")
	for _, s := range doc.Shown {
		word := "no"
		switch {
		case s.Cosigned:
			word = "yes"
		case s.Conflict:
			word = "CONFLICT"
		}
		t.row(s.Name, string(s.Fingerprint), word, fmt.Sprint(s.Reason))
	}
	return t.flush()
}

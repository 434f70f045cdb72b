package main

import (
	"github.com/spf13/cobra"
)

func (c *cli) auditAcceptCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "accept NODE",
		Short: "Witness the audit log of a peer that was set back anew, from what it is now",
		Long: `Go on witnessing the audit log of a peer that contradicts what this node has cosigned before. "caro-node status" tells of such a
peer. Either its user rewrote history, or there is a harmless reason, such as a database that was restored from a backup:
ask that user by another way before you accept it.

From then on, only a log that grows from what the peer showed last is cosigned. The contradicting checkpoints, both signed by
the peer, stay in the database as evidence, and the audit log of this node records what was accepted.`,
		Args: exactArgs(1, "a node: its ID, peer ID, fingerprint or name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			a, err := cl.AcceptAuditLog(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if c.json {
				return writeJSON(c.Out, a)
			}
			who := string(a.Fingerprint)
			if a.Name != "" {
				who = a.Name + " (" + who + ")"
			}
			c.say("The audit log of %s is witnessed anew from its %d records on; this node had cosigned %d.", oneLine(who), a.Entries, a.EntriesBefore)
			return nil
		},
	}
	c.jsonFlag(cmd)
	return cmd
}

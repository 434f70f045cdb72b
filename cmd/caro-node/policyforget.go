package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/cmd/caro-node/config"
)

// policyForgetDocument is the answer of `policy forget-bundle --json`.
type policyForgetDocument struct {
	SchemaVersion int                    `json:"schema_version"`
	Forgotten     bool                   `json:"forgotten"` // there was one
	Changes       []v1.PolicyRightChange `json:"changes"`
	Running       bool                   `json:"running"` // the running node has its user's own policy in force
}

func (c *cli) policyForgetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "forget-bundle",
		Short: "Take an accepted bundle and the organisation's key back",
		Long: `Take the accepted bundle and the organisation's key back: your own policy counts alone again, as if no bundle had ever been
accepted. Who gains and who loses what by it is shown. The audit log keeps that there was a bundle.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.runPolicyForget(cmd.Context()) },
	}
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) runPolicyForget(ctx context.Context) error {
	p, err := c.paths()
	if err != nil {
		return err
	}
	now, err := clock(c.getenv)
	if err != nil {
		return err
	}
	doc := policyForgetDocument{SchemaVersion: v1.SchemaVersion, Changes: []v1.PolicyRightChange{}}
	accepted, unusable := config.AcceptedBundle(p)
	if accepted != nil {
		if doc.Changes, err = c.bundleChanges(ctx, p, accepted, nil, nil, now()); err != nil {
			c.say("Who gains and who loses what by it cannot be told: %s", oneLine(err.Error()))
			doc.Changes = []v1.PolicyRightChange{}
		}
	}
	if doc.Forgotten, err = config.ForgetBundle(p); err != nil {
		return err
	}
	if doc.Forgotten {
		if doc.Running, err = c.reloadIfRunning(ctx); err != nil {
			return fmt.Errorf("the bundle is taken back, and the running node did not reload its policy: %w", err)
		}
	}
	switch {
	case c.json:
		err = writeJSON(c.Out, doc)
	case doc.Forgotten && unusable == nil:
		err = c.printDiff(v1.PolicyDiff{Changes: doc.Changes})
	}
	switch {
	case !doc.Forgotten:
		c.say("There is no bundle.")
	case doc.Running:
		c.say("The bundle is taken back; your own policy is in force.")
	default:
		c.say("The bundle is taken back; your own policy counts from the next start of the node on.")
	}
	return err
}

package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/caro-mesh/caro-node/api"
	"github.com/caro-mesh/caro-node/api/client"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/cmd/caro-node/daemon"
)

// pauseDocument is the answer of `pause --json` and `resume --json`.
type pauseDocument struct {
	SchemaVersion int        `json:"schema_version"`
	Paused        bool       `json:"paused"`
	Until         *time.Time `json:"until,omitempty"` // absent: until somebody resumes
}

func (c *cli) pauseCommand() *cobra.Command {
	span := ""
	cmd := &cobra.Command{
		Use:   "pause [--for 1h]",
		Short: "Stop recording in all shells for a while",
		Long: `Stop recording in all shells, those that are open included, until "caro-node resume" or until the time is over.
What other programs report is not recorded either. "caro-node status" shows a pause.

For one shell alone, type caro_pause in it, and caro_resume to go on. For one command alone, begin it with a space.`,
		Example: `  caro-node pause --for 45m`,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.runPause(cmd.Context(), span, time.Now()) },
	}
	cmd.Flags().StringVar(&span, "for", "", "how long, such as 45m, 8h or 2d (default: until resume)")
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) runPause(ctx context.Context, span string, now time.Time) error {
	var until time.Time
	if span != "" {
		d, err := api.ParseSpan(span)
		if err != nil || d <= 0 {
			return usageErrorf("--for: %q is not a span such as 45m, 8h or 2d", span)
		}
		until = now.Add(d + time.Second - 1).Truncate(time.Second) // the file holds whole seconds
	}
	p, err := c.paths()
	if err != nil {
		return err
	}
	if err := p.Create(); err != nil {
		return err
	}
	if err := daemon.SetPause(p.Paused, until); err != nil {
		return err
	}
	state := daemon.Pause{On: true, Until: until}
	if c.json {
		doc := pauseDocument{SchemaVersion: v1.SchemaVersion, Paused: true}
		if !until.IsZero() {
			doc.Until = &until
		}
		return writeJSON(c.Out, doc)
	}
	c.say("From now on %s.", state)
	if span == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := client.New(p.Socket).Ready(ctx); errors.Is(err, client.ErrNotRunning) {
		c.say("The node is not running. It is the one that ends the pause, so the pause lasts until the node runs again.")
	}
	return nil
}

func (c *cli) resumeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "resume",
		Short: "Record again in all shells after a pause",
		Long:  `End a pause that "caro-node pause" began. A shell in which caro_pause was typed needs caro_resume as well.`,
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			p, err := c.paths()
			if err != nil {
				return err
			}
			was, err := daemon.EndPause(p.Paused)
			if err != nil {
				return err
			}
			if c.json {
				return writeJSON(c.Out, pauseDocument{SchemaVersion: v1.SchemaVersion})
			}
			if !was.On {
				c.say("Recording was not paused. (A shell in which caro_pause was typed needs caro_resume.)")
				return nil
			}
			c.say("Commands are recorded again in all shells.")
			return nil
		},
	}
	c.jsonFlag(cmd)
	return cmd
}

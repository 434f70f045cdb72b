package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/caro-mesh/caro-node/api"
	"github.com/caro-mesh/caro-node/api/client"
	v1 "github.com/caro-mesh/caro-node/api/v1"
)

type historyOptions struct {
	search, cwd, since, until, risk, category string
	failed                                    bool
	limit                                     int
}

func (c *cli) historyCommand() *cobra.Command {
	var o historyOptions
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Show and search the commands recorded on this machine",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.limit < 1 {
				return usageErrorf("--limit: %d is not a number of commands to show", o.limit)
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			doc, err := o.fetch(cmd.Context(), cl)
			if err != nil {
				return err
			}
			if c.json {
				return writeJSON(c.Out, doc)
			}
			return c.printHistory(doc.Events)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.search, "search", "s", "", "words that the command contains")
	f.StringVar(&o.cwd, "cwd", "", "only commands in this folder or below it")
	f.StringVar(&o.since, "since", "", "only after this: a span such as 90m, 12h, 7d or 2w, or an RFC 3339 time")
	f.StringVar(&o.until, "until", "", "only before this")
	f.StringVar(&o.risk, "risk", "", "only this risk level or higher: moderate, high, critical")
	f.StringVar(&o.category, "category", "", "only this category, such as git")
	f.BoolVar(&o.failed, "failed", false, "only commands that failed")
	f.IntVarP(&o.limit, "limit", "n", 50, "how many at most")
	c.jsonFlag(cmd)
	return cmd
}

// fetch collects as many pages as the limit asks for, newest first.
func (o historyOptions) fetch(ctx context.Context, cl *client.Client) (v1.EventPage, error) {
	q := client.EventQuery{Search: o.search, CWD: o.cwd, Since: o.since, Until: o.until, MinRisk: o.risk, Category: o.category}
	if o.failed {
		q.Failed = &o.failed
	}
	doc := v1.EventPage{SchemaVersion: v1.SchemaVersion, Events: []v1.Event{}}
	for want := o.limit; want > 0; want = o.limit - len(doc.Events) {
		q.Limit = min(want, api.MaxLimit)
		page, err := cl.Events(ctx, q)
		if err != nil {
			return doc, err
		}
		doc.Events = append(doc.Events, page.Events...)
		doc.NextCursor, q.Cursor = page.NextCursor, page.NextCursor
		if page.NextCursor == "" {
			break
		}
	}
	return doc, nil
}

// printHistory prints oldest first, like a shell's history: the latest is next to the prompt.
func (c *cli) printHistory(events []v1.Event) error {
	colour := isTerminal(c.Out, c.getenv)
	width := terminalWidth(c.Out)
	for _, e := range slices.Backward(events) {
		exit := "  ?"
		if e.ExitCode != nil {
			exit = fmt.Sprintf("%3d", *e.ExitCode)
		}
		head := fmt.Sprintf("%s  %s  ", e.Timestamp.Local().Format("2006-01-02 15:04:05"), exit)
		risk := fmt.Sprintf("%-8s", e.RiskLevel)
		text := cut(oneLine(e.Command), max(20, width-len(head)-len(risk)-2))
		if err := c.print("%s%s  %s", head, paint(colour, riskColour[e.RiskLevel], risk), text); err != nil {
			return err
		}
	}
	if len(events) == 0 {
		c.say("No command matches.")
	}
	return nil
}

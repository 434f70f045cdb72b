package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/caro-mesh/caro-node/api"
	"github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/protocol"
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
			f, err := o.filter(time.Now())
			if err != nil {
				return err
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			doc := v1.EventPage{SchemaVersion: v1.SchemaVersion, Events: []v1.Event{}}
			for want := o.limit; want > 0; {
				f.Limit = min(want, api.MaxLimit)
				page, err := cl.Events(cmd.Context(), f)
				if err != nil {
					return err
				}
				doc.Events = append(doc.Events, page.Events...)
				doc.NextCursor = page.NextCursor
				want -= len(page.Events)
				if f.Cursor = page.NextCursor; f.Cursor == "" || len(page.Events) == 0 {
					break
				}
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

func (o historyOptions) filter(now time.Time) (api.EventFilter, error) {
	f := api.EventFilter{Search: o.search, CWD: o.cwd, Category: protocol.CommandCategory(o.category)}
	if o.limit < 1 {
		return f, usageErrorf("--limit: %d is not a number of commands to show", o.limit)
	}
	var err error
	if f.Since, err = moment("--since", o.since, now); err != nil {
		return f, err
	}
	if f.Until, err = moment("--until", o.until, now); err != nil {
		return f, err
	}
	if o.risk != "" {
		if err := f.MinRisk.UnmarshalText([]byte(o.risk)); err != nil {
			return f, usageErrorf("--risk: %w", err)
		}
	}
	if o.category != "" {
		if err := f.Category.Validate(); err != nil {
			return f, usageErrorf("--category: %w", err)
		}
	}
	if o.failed {
		f.Failed = &o.failed
	}
	return f, nil
}

// moment reads a span before now or an RFC 3339 time; empty is the zero time.
func moment(flag, s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	d, err := api.ParseSpan(s)
	if err != nil {
		return time.Time{}, usageErrorf("%s: %q is neither a span such as 90m, 12h, 7d or 2w nor an RFC 3339 time", flag, s)
	}
	return now.Add(-d), nil
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

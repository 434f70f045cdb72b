package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/caro-mesh/caro-node/api"
	"github.com/caro-mesh/caro-node/api/client"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/node/aggregate"
	"github.com/caro-mesh/caro-node/protocol"
)

func (c *cli) summaryCommand() *cobra.Command {
	return group("summary", "See the counts that this node shares and receives",
		c.summaryListCommand(), c.summaryShowCommand(), c.summaryPreviewCommand(), c.summaryExportCommand())
}

// summaryChoice are the flags that choose summaries.
type summaryChoice struct {
	own, received, replaced bool
	granularity, node       string
}

func (o *summaryChoice) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.own, "own", false, "only those of this node")
	f.BoolVar(&o.received, "received", false, "only those of other nodes")
	f.BoolVar(&o.replaced, "replaced", false, "also those whose place a correction has taken")
	f.StringVarP(&o.granularity, "granularity", "g", "", "only hourly, daily or weekly ones")
	f.StringVar(&o.node, "node", "", "only those of this node: node ID, peer ID, fingerprint or name")
}

func (o *summaryChoice) query(limit int) (client.SummaryQuery, error) {
	q := client.SummaryQuery{Granularity: protocol.Granularity(o.granularity), Node: o.node, Replaced: o.replaced, Limit: limit}
	if o.own && o.received {
		return q, usageErrorf("--own and --received leave nothing: choose one, or none for both")
	}
	if o.own || o.received {
		q.Own = &o.own
	}
	if q.Granularity != "" {
		if err := q.Granularity.Validate(); err != nil {
			return q, usageErrorf("--granularity: %w", err)
		}
	}
	return q, nil
}

func (c *cli) summaryListCommand() *cobra.Command {
	limit := defaultLimit
	var choice summaryChoice
	cmd := &cobra.Command{
		Use: "list", Short: "List own and received summaries, latest first", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > api.MaxLimit {
				return usageErrorf("--limit: %d is not between 1 and %d", limit, api.MaxLimit)
			}
			q, err := choice.query(limit)
			if err != nil {
				return err
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			page, err := cl.Summaries(cmd.Context(), q)
			if err != nil {
				return err
			}
			if c.json {
				return writeJSON(c.Out, page)
			}
			t := newTable(c.Out, "ID", "NODE", "PERIOD", "START (UTC)", "COMMANDS", "PUSHED TO", "CORRECTION")
			for _, s := range page.Summaries {
				who := string(s.Fingerprint)
				if s.Own {
					who = "this node"
				}
				t.row(s.ID, who, string(s.Period.Granularity), s.Period.Start.Time().Format("2006-01-02 15:04"),
					fmt.Sprint(s.TotalCommands), fmt.Sprint(len(s.PushedTo)), correctionOf(s))
			}
			return t.flush()
		},
	}
	cmd.Flags().IntVarP(&limit, "limit", "n", limit, "how many at most")
	choice.addFlags(cmd)
	c.jsonFlag(cmd)
	return cmd
}

// correctionOf says in a few words where a summary stands in the chain of its period; nothing for the only one.
func correctionOf(s v1.Summary) string {
	switch {
	case s.ReplacedBy != "":
		return "replaced by " + s.ReplacedBy
	case s.Replaces != "":
		return "replaces " + s.Replaces
	}
	return ""
}

func (c *cli) summaryShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show one summary", Args: exactArgs(1, "the ID of a summary, as \"summary list\" prints it"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			s, err := cl.Summary(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if c.json {
				return writeJSON(c.Out, s)
			}
			if err := c.printSummary(s.NodeSummary); err != nil {
				return err
			}
			if chain := correctionOf(s.Summary); chain != "" {
				return c.print("\n%s", chain)
			}
			return nil
		},
	}
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) summaryPreviewCommand() *cobra.Command {
	granularity, at := string(protocol.Daily), ""
	cmd := &cobra.Command{
		Use:   "preview",
		Short: "Show the summary of a period as peers would get it, before anything is shared",
		Long: `Show the signed summary of the period that contains --at, exactly as it would be shared. Nothing is stored or sent.
Before the summary of its period is made, a preview says that it was made too early, so that no node would accept it.
It holds counts only: no command, path, user or host name, no private tool name.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			g := protocol.Granularity(granularity)
			if err := g.Validate(); err != nil {
				return usageErrorf("--granularity: %w", err)
			}
			var when time.Time // zero: now, by the node's clock
			if at != "" {
				var err error
				if when, err = api.ParseMoment(at, time.Now()); err != nil {
					return usageErrorf("--at: %w", err)
				}
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			p, err := cl.PreviewSummary(cmd.Context(), g, when)
			if err != nil {
				return err
			}
			if c.json {
				return writeJSON(c.Out, p)
			}
			return c.printPreview(p)
		},
	}
	cmd.Flags().StringVarP(&granularity, "granularity", "g", granularity, "hourly, daily or weekly")
	cmd.Flags().StringVar(&at, "at", "", "a moment in the period: a span before now such as 1d, or an RFC 3339 time (default: now)")
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) printPreview(p v1.SummaryPreview) error {
	if err := c.printSummary(p.Summary); err != nil {
		return err
	}
	to := make([]string, 0, len(p.SharedWith))
	for _, r := range p.SharedWith {
		name := r.Name
		if name == "" {
			name = string(r.NodeID.Fingerprint())
		}
		to = append(to, fmt.Sprintf("%s (%s)", name, r.Trust))
	}
	for _, r := range p.SharedByRule {
		who := "every node in " + r.Match
		if r.Match == "*" {
			who = "every node that reaches this one"
		}
		to = append(to, fmt.Sprintf("%s (%s, by %s in %s)", who, r.Trust, r.Rule.Name, place(r.Rule)))
	}
	if len(to) == 0 {
		to = []string{"nobody"}
	}
	denied := "nothing"
	switch {
	case len(p.AllowedCategories) > 0 && len(p.DeniedCategories) > 0:
		denied = "everything but " + names(p.AllowedCategories) + ", and of these " + names(p.DeniedCategories)
	case len(p.AllowedCategories) > 0:
		denied = "everything but " + names(p.AllowedCategories)
	case len(p.DeniedCategories) > 0:
		denied = names(p.DeniedCategories)
	}
	signed := "not signed"
	if p.Signed && p.Summary.Signature != nil {
		signed = fmt.Sprintf("signed by %s", p.Summary.Signature.Signer)
	}
	return c.print("\nThe policy lets it go to: %s\nKept out by the policy:   %s\nOn the wire:              %d bytes, %s (--json shows the exact document)",
		oneLine(strings.Join(to, ", ")), denied, p.Bytes, signed)
}

func names(categories []protocol.CommandCategory) string {
	list := make([]string, len(categories))
	for i, k := range categories {
		list[i] = string(k)
	}
	return strings.Join(list, ", ")
}

func (c *cli) printSummary(s protocol.NodeSummary) error {
	st := s.SafetyStats
	if err := c.print("%s summary of node %s\n%s to %s UTC\n\n%d commands of %d different shapes\nrisk: %d safe, %d moderate, %d high, %d critical; %d blocked, %d risky ones confirmed\nby programs: %d generated, %d executed\n",
		s.Period.Granularity, s.NodeID.Fingerprint(), s.Period.Start.Time().Format("2006-01-02 15:04"), s.Period.End.Time().Format("2006-01-02 15:04"),
		s.TotalCommands, s.UniquePatterns, st.ByRisk.Safe, st.ByRisk.Moderate, st.ByRisk.High, st.ByRisk.Critical,
		st.BlockedCount, st.UserConfirmedRisky, st.CaroGenerated, st.CaroExecuted); err != nil {
		return err
	}
	t := newTable(c.Out, "CATEGORY", "COMMANDS", "FAILED", "AVERAGE")
	for _, k := range s.CategoryStats {
		t.row(string(k.Category), fmt.Sprint(k.Count), fmt.Sprintf("%.0f %%", 100*k.FailureRate), millis(k.AvgDurationMS, k.TimedCount))
	}
	if err := t.flush(); err != nil {
		return err
	}
	if err := c.print("\nhours (UTC)  %s\nweekdays     %s", sparkline(s.HourlyActivity[:]), sparkline(s.DailyActivity[:])); err != nil {
		return err
	}
	return nil
}

// sparkline draws counts as bars of eight heights; a dot is zero.
func sparkline(counts []uint64) string {
	bars := []rune("▁▂▃▄▅▆▇█")
	var b strings.Builder
	for i, v := range aggregate.Normalise(counts) {
		if counts[i] == 0 {
			b.WriteRune('·')
			continue
		}
		b.WriteRune(bars[min(len(bars)-1, int(v*float64(len(bars))))])
	}
	return b.String()
}

// millis shows an average duration, or a dash when nothing was timed.
func millis(ms float64, timed uint64) string {
	if timed == 0 {
		return "–"
	}
	return time.Duration(ms * float64(time.Millisecond)).Round(time.Millisecond).String()
}

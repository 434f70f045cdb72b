package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/protocol"
)

type queryOptions struct {
	since   string
	filters []string
	timeout time.Duration
}

func (c *cli) queryCommand() *cobra.Command {
	var o queryOptions
	types := protocol.QueryTypes()
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = string(t)
	}
	cmd := &cobra.Command{
		Use:   "query TYPE",
		Short: "Ask the peers for counts",
		Long: `Ask every peer that this node trusts, and merge the answers. Each peer decides by itself whether it answers.
TYPE is one of ` + strings.Join(names, ", ") + `.

A filter is field:operator:value with the fields category and risk_level, for example
  --filter category:in_list:git,docker    --filter risk_level:greater_than:moderate`,
		ValidArgs: names,
		Args:      exactArgs(1, "what to ask: "+strings.Join(names, ", ")),
		RunE: func(cmd *cobra.Command, args []string) error {
			req, err := o.request(args[0])
			if err != nil {
				return err
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			res, err := cl.Query(cmd.Context(), req)
			if err != nil {
				return err
			}
			if c.json {
				err = writeJSON(c.Out, res)
			} else {
				err = c.printResult(res)
			}
			if err != nil {
				return err
			}
			return resultExit(res)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.since, "since", "7d", "a span up to now such as 12h, 7d or 2w, or an RFC 3339 time; widened to whole hours")
	f.StringArrayVar(&o.filters, "filter", nil, "field:operator:value; may be given more than once")
	f.DurationVar(&o.timeout, "timeout", 2*time.Second, "how long to wait for answers")
	c.jsonFlag(cmd)
	return cmd
}

// resultExit turns an outcome without any data into the exit code that says why.
func resultExit(r v1.QueryResult) error {
	switch r.Status {
	case protocol.StatusAccessDenied:
		return &exitError{exitDenied, nil}
	case protocol.StatusError, protocol.StatusNotSupported:
		return &exitError{exitFailed, nil}
	}
	return nil
}

func (o queryOptions) request(qt string) (v1.QueryRequest, error) {
	r := v1.QueryRequest{QueryType: protocol.QueryType(qt), Since: o.since, TimeoutMS: int(o.timeout / time.Millisecond)}
	if err := r.QueryType.Validate(); err != nil {
		return r, usageErrorf("%w", err)
	}
	if o.timeout < time.Millisecond || o.timeout > 10*time.Second {
		return r, usageErrorf("--timeout: %s is not between 1ms and 10s", o.timeout)
	}
	for _, text := range o.filters {
		parts := strings.SplitN(text, ":", 3)
		if len(parts) != 3 {
			return r, usageErrorf("--filter: %q is not field:operator:value, such as category:equals:git", text)
		}
		f := protocol.Filter{Field: parts[0], Operator: protocol.FilterOperator(parts[1]), Value: parts[2]}
		if err := f.Validate(); err != nil {
			return r, usageErrorf("--filter: %w", err)
		}
		r.Filters = append(r.Filters, f)
	}
	return r, nil
}

func (c *cli) printResult(r v1.QueryResult) error {
	if err := c.print("%s, %s to %s UTC: %s from %s", r.QueryType, r.TimeRange.Start.Time().Format("2006-01-02 15:04"),
		r.TimeRange.End.Time().Format("2006-01-02 15:04"), r.Status, counted(len(r.Contributors), "node", "nodes")); err != nil {
		return err
	}
	if r.Data != nil {
		if err := c.print(""); err != nil {
			return err
		}
		if err := c.printData(r.Data); err != nil {
			return err
		}
	}
	return c.printCoverage(r)
}

func (c *cli) printData(d v1.Data) error {
	switch d := d.(type) {
	case *v1.ToolUsage:
		return c.printUsage(d)
	case *v1.SafetyPosture:
		return c.print("%d commands, %.0f %% assessed\nsafe %.1f %%, moderate %.1f %%, high %.1f %%, critical %.1f %%\n%d blocked, %d risky ones confirmed",
			d.TotalCommands, d.Coverage, d.RiskDistribution.Safe, d.RiskDistribution.Moderate, d.RiskDistribution.High,
			d.RiskDistribution.Critical, d.BlockedCount, d.ConfirmedRisky)
	case *v1.ActivityPatterns:
		return c.print("hours (UTC)  %s\nweekdays     %s\npeak hours   %s\n%d active nodes", patternline(d.HourlyPattern[:]), patternline(d.DailyPattern[:]),
			strings.Trim(fmt.Sprint(d.PeakHours), "[]"), d.ActiveNodes)
	case *v1.NodeHealth:
		t := newTable(c.Out, "FINGERPRINT", "ONLINE", "LAST SEEN", "UPTIME", "COMMANDS IN 24 H")
		for _, n := range d.Nodes {
			t.row(string(n.Fingerprint), fmt.Sprint(n.Online), ago(n.LastSeen, time.Now()), (time.Duration(n.UptimeSeconds) * time.Second).String(), fmt.Sprint(n.EventCount24h))
		}
		return t.flush()
	case *v1.Anomalies:
		t := newTable(c.Out, "DETECTED", "NODE", "TYPE", "SEVERITY", "WHAT")
		for _, a := range d.Anomalies {
			t.row(a.DetectedAt.Local().Format("2006-01-02 15:04"), string(a.NodeFingerprint), string(a.AnomalyType), fmt.Sprint(a.Severity), a.Description)
		}
		return t.flush()
	}
	return fmt.Errorf("no display for %T", d)
}

func patternline(v []float64) string {
	counts := make([]uint64, len(v))
	for i, x := range v {
		counts[i] = uint64(x * 1000)
	}
	return sparkline(counts)
}

func (c *cli) printUsage(u *v1.ToolUsage) error {
	byCount := slices.SortedFunc(maps.Keys(u.ByCategory), func(a, b protocol.CommandCategory) int {
		if d := int(u.ByCategory[b].Count) - int(u.ByCategory[a].Count); d != 0 {
			return d
		}
		return strings.Compare(string(a), string(b))
	})
	t := newTable(c.Out, "CATEGORY", "COMMANDS", "SHARE", "NODES", "AVERAGE")
	for _, k := range byCount {
		v := u.ByCategory[k]
		t.row(string(k), fmt.Sprint(v.Count), fmt.Sprintf("%.1f %%", 100*protocol.Ratio(v.Count, u.TotalCommands)), fmt.Sprint(v.NodeCount),
			(time.Duration(v.AvgDurationMS * float64(time.Millisecond))).Round(time.Millisecond).String())
	}
	t.row("total", fmt.Sprint(u.TotalCommands), "", "", "")
	return t.flush()
}

// printCoverage always says who is missing from the numbers, and why.
func (c *cli) printCoverage(r v1.QueryResult) error {
	v := r.Coverage
	parts := []string{}
	for _, p := range []struct {
		n    int
		what string
	}{{v.Answered, "answered"}, {v.Denied, "denied"}, {v.NoData, "had no data"}, {v.NotSupported, "do not support it"},
		{v.Offline, "offline"}, {v.TimedOut, "timed out"}, {v.Suppressed, "suppressed"}, {v.Error, "failed"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	if v.Asked == 0 {
		parts = []string{"nobody: no peer is trusted here (caro-node peers list)"}
	}
	if err := c.print("\nasked %d in %.0f ms: %s", v.Asked, r.TookMS, strings.Join(parts, ", ")); err != nil {
		return err
	}
	for _, n := range v.Nodes {
		if n.Outcome == v1.OutcomeAnswered {
			continue
		}
		who := string(n.Fingerprint)
		if n.Name != "" {
			who = n.Name + " " + who
		}
		if err := c.print("  %s %s: %s", oneLine(who), n.Outcome, oneLine(n.Reason)); err != nil {
			return err
		}
	}
	return nil
}

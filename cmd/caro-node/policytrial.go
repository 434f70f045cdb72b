package main

import (
	"fmt"

	"github.com/spf13/cobra"

	v1 "github.com/caro-mesh/caro-node/api/v1"
)

func (c *cli) policyDiffCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "diff FILE",
		Short: "Show who would gain and who would lose what by another configuration file",
		Long: `Compare the policy of a configuration file with the one in force: for every node that is known, every node and subnet
that a rule names, and everybody else. What was granted at run time stays in both. Nothing changes; "policy reload" does that.`,
		Args: exactArgs(1, "a configuration file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, data, err := c.readPolicyFile(args)
			if err != nil {
				return err
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			d, err := cl.DiffPolicy(cmd.Context(), v1.PolicyFile{Name: path, Text: string(data)})
			if err != nil {
				return err
			}
			if c.json {
				return writeJSON(c.Out, d)
			}
			return c.printDiff(d)
		},
	}
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) printDiff(d v1.PolicyDiff) error {
	if len(d.Changes) == 0 {
		c.say("Nobody would gain or lose anything.")
		return nil
	}
	t := newTable(c.Out, "", "WHO", "WHAT", "NOW", "THEN", "RULE THEN", "FROM")
	for _, ch := range d.Changes {
		sign := "-"
		if ch.Gains {
			sign = "+"
		}
		t.row(sign, ch.Subject, ch.Right, ch.Before, ch.After, ch.RuleAfter.Name, place(ch.RuleAfter))
	}
	return t.flush()
}

func (c *cli) policyReplayCommand() *cobra.Command {
	days := 7
	cmd := &cobra.Command{
		Use:   "replay FILE",
		Short: "Show how another configuration file would have decided the queries on record",
		Long: `Put the queries that the audit log holds of the last days to the policy of a configuration file, each at the time at
which it was asked, and show what would have been different.`,
		Args: exactArgs(1, "a configuration file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if days < 1 || days > 36_500 {
				return usageErrorf("--days: %d is not between 1 and 36500", days)
			}
			path, data, err := c.readPolicyFile(args)
			if err != nil {
				return err
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			r, err := cl.ReplayPolicy(cmd.Context(), v1.PolicyReplayRequest{PolicyFile: v1.PolicyFile{Name: path, Text: string(data)}, Days: days})
			if err != nil {
				return err
			}
			if c.json {
				return writeJSON(c.Out, r)
			}
			return c.printReplay(r)
		},
	}
	cmd.Flags().IntVar(&days, "days", days, "how many days back")
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) printReplay(r v1.PolicyReplay) error {
	if len(r.Changes) > 0 {
		t := newTable(c.Out, "WHO", "QUERY", "TIMES", "WAS", "WOULD BE", "RULE", "FROM", "LAST")
		for _, ch := range r.Changes {
			who := string(ch.Fingerprint)
			if ch.Name != "" {
				who = ch.Name
			}
			t.row(who, string(ch.QueryType), fmt.Sprint(ch.Count), ch.Was, ch.Would, ch.RuleWould.Name, place(ch.RuleWould), ch.Last.Local().Format("2006-01-02 15:04"))
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	c.say("%s since %s; %d would be decided as they were.", counted(r.Queries, "query", "queries"), r.Since.Local().Format("2006-01-02 15:04"), r.Same)
	if r.Unreadable > 0 {
		c.say("%s not tell what was asked.", counted(r.Unreadable, "record does", "records do"))
	}
	return nil
}

func (c *cli) policyPreviewCommand() *cobra.Command {
	since := "7d"
	cmd := &cobra.Command{
		Use:   "preview NODE",
		Short: "Show exactly what a node would get from this one now",
		Long: `Show exactly what a node would get from this one now: the summaries that it would be pushed, and the answer to each
type of query, with the rule that decides. The bytes are shown in CBOR's diagnostic notation, which leaves nothing out;
--json has them as they are, too. Nothing is sent, recorded or counted. Only query ID, times and signature of an answer
would be others.`,
		Args: exactArgs(1, "a node: its ID, peer ID, fingerprint or name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			p, err := cl.PreviewPolicy(cmd.Context(), args[0], since)
			if err != nil {
				return err
			}
			if c.json {
				return writeJSON(c.Out, p)
			}
			return c.printPolicyPreview(p)
		},
	}
	cmd.Flags().StringVar(&since, "since", since, "what the queries would be about: a span up to now such as 12h, 7d or 2w, or an RFC 3339 time")
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) printPolicyPreview(p v1.PolicyPreview) error {
	who := string(p.Fingerprint)
	if p.Name != "" {
		who = p.Name + " (" + who + ")"
	}
	from := "no known address"
	if p.Address != "" {
		from = p.Address
	}
	lines := []string{fmt.Sprintf("%s is %s, from %s", who, p.Trust, from), "connect: " + decided(p.Connect), "summaries: " + decided(p.Push)}
	if p.Push.Allowed && len(p.Summaries) == 0 {
		lines = append(lines, "  there is none that it has not got")
	}
	for _, s := range p.Summaries {
		lines = append(lines, fmt.Sprintf("  %s from %s, %d bytes:", s.Period.Granularity, s.Period.Start.Time().Format("2006-01-02 15:04"), len(s.Wire)), "    "+s.Text)
	}
	for _, a := range p.Answers {
		lines = append(lines, fmt.Sprintf("query %s: %s", a.QueryType, decided(a.Decision)), fmt.Sprintf("  answer %s, %d bytes:", a.Status, len(a.Wire)), "    "+a.Text)
	}
	for _, l := range lines {
		if err := c.print("%s", oneLine(l)); err != nil {
			return err
		}
	}
	return nil
}

func decided(d v1.PolicyDecision) string {
	word := "denied"
	if d.Allowed {
		word = "allowed"
	}
	return fmt.Sprintf("%s by %s (%s): %s", word, d.Rule.Name, place(d.Rule), d.Reason)
}

package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/protocol"
)

func (c *cli) peersCommand() *cobra.Command {
	list := c.peersListCommand()
	g := group("peers", "See and change which nodes this one knows; alone it lists them",
		list, c.peersAddCommand(), c.peersRemoveCommand(), c.peersPingCommand())
	g.RunE = list.RunE
	c.jsonFlag(g)
	return g
}

func (c *cli) peersListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List known nodes, their trust and state", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			page, err := cl.Peers(cmd.Context())
			if err != nil {
				return err
			}
			if c.json {
				return writeJSON(c.Out, page)
			}
			return c.printPeers(page.Peers)
		},
	}
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) printPeers(peers []v1.Peer) error {
	if len(peers) == 0 {
		c.say("No peer is known. With network.mdns = true, nodes of the same network appear here by themselves. Else \"caro-node id\" on the\nother machine prints its ID and address; here:\n  caro-node trust set <id> peer\n  caro-node peers add <address>")
		return nil
	}
	t := newTable(c.Out, "FINGERPRINT", "NAME", "TRUST", "STATE", "ONLINE", "SEEN", "UPTIME", "VERSION", "RTT", "WHY")
	pending := false
	for _, p := range peers {
		seen, rtt, uptime, version := "never", "–", "–", "–"
		if p.LastSeen != nil {
			seen = ago(*p.LastSeen, time.Now())
		}
		if p.RTTMS != nil {
			rtt = fmt.Sprintf("%.1f ms", *p.RTTMS)
		}
		if p.UptimeSeconds != nil {
			uptime = lasted(time.Duration(*p.UptimeSeconds) * time.Second)
		}
		if p.CaroVersion != "" {
			version = cut(p.CaroVersion, 16)
		}
		name := p.DisplayName
		if p.State == v1.PeerPending {
			pending = true
			if name != "" { // anybody may call itself anything
				name = "claims " + strconv.Quote(name)
			}
		}
		t.row(string(p.Fingerprint), name, p.Trust.String(), string(p.State), online(p), seen, uptime, version, rtt, p.StateReason)
	}
	if err := t.flush(); err != nil {
		return err
	}
	if pending {
		c.say("\nPending nodes wait for your decision. Compare the fingerprint with their user, then: caro-node trust set <fingerprint> peer")
	}
	return nil
}

// online says whether a node is there, and whether it is well.
func online(p v1.Peer) string {
	switch {
	case !p.Online:
		return "no"
	case p.Health == protocol.HealthDegraded:
		return "degraded"
	}
	return "yes"
}

func (c *cli) peersAddCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "add ADDRESS", Short: "Remember a node's address and keep a connection to it",
		Args: exactArgs(1, "an address such as /ip4/10.0.0.5/tcp/9238/p2p/12D3…"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			p, err := cl.AddPeer(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if c.json {
				return writeJSON(c.Out, p)
			}
			c.say("Added %s.", p.Fingerprint)
			if p.Trust == protocol.TrustUntrusted {
				c.say("It is not trusted yet, so it will not be connected: caro-node trust set %s peer", p.NodeID)
			}
			return nil
		},
	}
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) peersRemoveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "remove NODE", Short: "Forget a node and disconnect it", Args: exactArgs(1, "a node: its ID, peer ID, fingerprint or name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			doc, err := cl.RemovePeer(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if c.json {
				return writeJSON(c.Out, doc)
			}
			c.sayRemoved(doc)
			return nil
		},
	}
	c.jsonFlag(cmd)
	return cmd
}

// sayRemoved tells that a node was forgotten, and what brings it back.
func (c *cli) sayRemoved(doc v1.Removed) {
	c.say("Forgot %s.", doc.NodeID.Fingerprint())
	trusted, announced := slices.Contains(doc.MayReturn, v1.ReturnTrusted), slices.Contains(doc.MayReturn, v1.ReturnAnnounced)
	switch {
	case trusted && announced:
		c.say("It is still %s here and announces itself on this network, so it will be connected again.", doc.Trust)
	case trusted:
		c.say("It is still %s here, so it may connect again.", doc.Trust)
	case announced:
		c.say("It announces itself on this network, so it will be listed again; it is not trusted, and not connected.")
	}
	if trusted {
		c.say("To keep it away: caro-node trust deny %s\nTo take back what you gave it: caro-node trust clear %s", doc.NodeID, doc.NodeID)
	}
	if slices.Contains(doc.MayReturn, v1.ReturnConfigured) {
		c.say("It stands in network.static_peers, from where the next start takes it again.")
	}
}

func (c *cli) peersPingCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "ping NODE", Short: "Measure the round trip and the clock offset to a node", Args: exactArgs(1, "a node: its ID, peer ID, fingerprint or name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			p, err := cl.PingPeer(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if c.json {
				return writeJSON(c.Out, p)
			}
			return c.print("%s  round trip %.2f ms, its clock is %+.0f ms ahead", p.Fingerprint, p.RTTMS, p.ClockOffsetMS)
		},
	}
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) trustCommand() *cobra.Command {
	return group("trust", "Say what other nodes may get from this one",
		c.trustSetCommand(), c.trustChangeCommand("deny", v1.TrustDeny, "Refuse a node, whatever other rules say", "is refused from now on"),
		c.trustChangeCommand("clear", v1.TrustClear, "Take back what was set at run time; the configuration decides again", "is decided by the configuration again"),
		c.trustListCommand())
}

func (c *cli) trustSetCommand() *cobra.Command {
	name := ""
	cmd := &cobra.Command{
		Use:   "set NODE LEVEL",
		Short: "Give a node a trust level",
		Long: `Give a node a trust level. What it may get from this node then:

  untrusted   nothing, not even a connection
  share_to    this node's summaries are pushed to it
  query_from  it may ask for counts
  peer        both
  supervisor  only sums over many nodes, never the answer of this node alone

Trust has one direction: the other node decides by itself what this one may get.`,
		Args: exactArgs(2, "a node (ID, or fingerprint or name of a known one) and a level ("+strings.Join(protocol.TrustNames(), ", ")+")"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var level protocol.TrustLevel
			if err := level.UnmarshalText([]byte(args[1])); err != nil {
				return usageErrorf("%w", err)
			}
			g, err := c.changeTrust(cmd, v1.TrustChange{NodeID: args[0], Trust: args[1], Name: name})
			if err != nil || c.json {
				return err
			}
			if g.Trust != level {
				c.say("%s stays %s: %s (%s) has precedence.", g.Fingerprint, g.Trust, g.Rule.Name, g.Rule.Source)
				return &exitError{exitDenied, nil}
			}
			c.say("%s is %s now.", g.Fingerprint, g.Trust)
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "a name for people, such as bob")
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) trustChangeCommand(use, change, short, done string) *cobra.Command {
	cmd := &cobra.Command{
		Use: use + " NODE", Short: short, Args: exactArgs(1, "a node: its ID, or fingerprint or name of a known one"),
		RunE: func(cmd *cobra.Command, args []string) error {
			g, err := c.changeTrust(cmd, v1.TrustChange{NodeID: args[0], Trust: change})
			if err == nil && !c.json {
				c.say("%s %s: %s by %s (%s).", g.Fingerprint, done, g.Trust, g.Rule.Name, g.Rule.Source)
			}
			return err
		},
	}
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) changeTrust(cmd *cobra.Command, change v1.TrustChange) (v1.GrantDocument, error) {
	cl, err := c.client()
	if err != nil {
		return v1.GrantDocument{}, err
	}
	g, err := cl.SetTrust(cmd.Context(), change)
	if err == nil && c.json {
		err = writeJSON(c.Out, g)
	}
	return g, err
}

func (c *cli) trustListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List what was given to whom", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			page, err := cl.Trust(cmd.Context())
			if err != nil {
				return err
			}
			if c.json {
				return writeJSON(c.Out, page)
			}
			t := newTable(c.Out, "FINGERPRINT", "NAME", "TRUST", "RULE", "FROM")
			for _, g := range page.Grants {
				trust := g.Trust.String()
				if g.Deny {
					trust = "denied"
				}
				t.row(string(g.Fingerprint), g.Name, trust, g.Rule.Name, place(g.Rule))
			}
			return t.flush()
		},
	}
	c.jsonFlag(cmd)
	return cmd
}

// place says where a rule stands.
func place(r v1.Rule) string {
	if r.Line > 0 {
		return fmt.Sprintf("%s:%d", r.Source, r.Line)
	}
	return r.Source
}

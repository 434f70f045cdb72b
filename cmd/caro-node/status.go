package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/node/identity"
)

func (c *cli) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how the node is, on one screen",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			s, err := cl.Status(cmd.Context())
			if err != nil {
				return err
			}
			if c.json {
				return writeJSON(c.Out, s)
			}
			return c.printStatus(s)
		},
	}
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) printStatus(s v1.Status) error {
	name := string(s.Fingerprint)
	if s.DisplayName != "" {
		name = s.DisplayName + " (" + name + ")"
	}
	last := "none yet"
	if s.Events > 0 {
		last = "none since the node started"
	}
	if s.Spool.LastEventAt != nil {
		last = ago(*s.Spool.LastEventAt, time.Now())
	}
	lines := [][2]string{
		{"node", name},
		{"id", string(s.NodeID)},
		{"health", string(s.Health)},
	}
	for _, r := range s.HealthReasons {
		lines = append(lines, [2]string{"", "! " + r})
	}
	lines = append(lines, [][2]string{
		{"up", fmt.Sprintf("%s, version %s", (time.Duration(s.UptimeSeconds) * time.Second).String(), s.Version)},
		{"commands", fmt.Sprintf("%d stored, %d in the last 24 hours, latest %s", s.Events, s.Events24h, last)},
		{"peers", fmt.Sprintf("%d connected, %d known, %d waiting for your decision", s.Peers.Connected, s.Peers.Known, s.Peers.Pending)},
	}...)
	if refused := refusedText(s.Refused); refused != "" {
		lines = append(lines, [2]string{"refused", refused})
	}
	lines = append(lines, [][2]string{
		{"policy", policyText(s.Policy, time.Now())},
		{"spool", fmt.Sprintf("%d files with %s waiting, %d torn, %d ignored", s.Spool.PendingFiles, bytesText(s.Spool.PendingBytes), s.Spool.Torn, s.Spool.Ignored)},
		{"database", databaseText(s.Database)},
		{"memory", fmt.Sprintf("%s resident", bytesText(int64(s.Memory.RSSBytes)))},
		{"mesh", strings.Join(s.Listen, " ")},
		{"api", strings.TrimSpace(s.API.Socket + " " + s.API.Listen)},
	}...)
	for _, l := range lines {
		if err := c.print("%-9s %s", l[0], oneLine(l[1])); err != nil {
			return err
		}
	}
	if s.Events == 0 {
		c.say("\nNo command has been recorded yet. Hook your shell: eval \"$(caro-node shell init bash)\"")
	}
	return nil
}

// policyText says which policy is in force. Why it is not the latest stands among the reasons of the health.
func policyText(p v1.PolicyState, now time.Time) string {
	source := p.Source
	if source == "" {
		source = "the defaults"
	}
	if b := p.Bundle; b != nil {
		source += fmt.Sprintf(" and bundle %s v%d (until %s)", b.Name, b.Version, b.Expires.UTC().Format(time.DateOnly))
	}
	return fmt.Sprintf("%s, read %s, %s kept", source, ago(p.LoadedAt, now), counted(p.Tests, "test", "tests"))
}

// databaseText tells the size of the database, how it grows, and what is in it besides commands.
func databaseText(d v1.Database) string {
	size := bytesText(d.SizeBytes)
	if d.FreeBytes > d.SizeBytes/10 {
		size += fmt.Sprintf(", %s of it unused", bytesText(d.FreeBytes))
	}
	if g := d.Growth; g != nil {
		change, bytes := "grew", g.Bytes
		if bytes < 0 {
			change, bytes = "shrank", -bytes
		}
		size += fmt.Sprintf(", %s by %s in %s", change, bytesText(bytes), counted(g.Days, "day", "days"))
	}
	return fmt.Sprintf("%s (%s, log %s), %d summaries, %d audit entries", d.Path, size, bytesText(d.WALBytes), d.Summaries, d.AuditEntries)
}

// refusedText says what others were refused; empty when it was nothing.
func refusedText(r v1.Refused) string {
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(r.Messages)) {
		if n := r.Messages[reason]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", reason, n))
		}
	}
	var text []string
	if len(parts) > 0 {
		text = append(text, "messages of peers ("+strings.Join(parts, ", ")+")")
	}
	if r.Connections > 0 {
		text = append(text, fmt.Sprintf("%d connections of strangers", r.Connections))
	}
	return strings.Join(text, ", ")
}

// idDocument is the answer of `id --json`.
type idDocument struct {
	SchemaVersion int      `json:"schema_version"`
	NodeID        string   `json:"node_id"`
	Fingerprint   string   `json:"fingerprint"`
	PeerID        string   `json:"peer_id"`
	Addresses     []string `json:"addresses"`
	// Known while the node runs:
	Generation *uint64 `json:"generation,omitempty"`  // how often the key was rotated
	NextDigest string  `json:"next_digest,omitempty"` // of the key that it has committed to
}

func (c *cli) idCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "id",
		Short: "Print who this node is, to give to others",
		Long: `Print this node's ID, fingerprint and addresses. Others need the ID to trust this node
(caro-node trust set <id> peer) and an address to reach it (caro-node peers add <address>).
Compare the fingerprint by voice or chat before you trust.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			doc, err := c.readID(cmd)
			if err != nil {
				return err
			}
			if c.json {
				return writeJSON(c.Out, doc)
			}
			for _, l := range [][2]string{{"node id", doc.NodeID}, {"fingerprint", doc.Fingerprint}, {"peer id", doc.PeerID}} {
				if err := c.print("%-12s %s", l[0], l[1]); err != nil {
					return err
				}
			}
			for _, a := range doc.Addresses {
				if err := c.print("%-12s %s", "address", a); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.jsonFlag(cmd)
	return cmd
}

// readID asks the running node, which knows its real addresses, and else the key file and the configuration.
func (c *cli) readID(cmd *cobra.Command) (idDocument, error) {
	if cl, err := c.client(); err == nil {
		if id, err := cl.Identity(cmd.Context()); err == nil {
			doc := idDocument{SchemaVersion: v1.SchemaVersion, NodeID: string(id.NodeID), Fingerprint: string(id.Fingerprint), PeerID: id.PeerID, Addresses: id.Addresses}
			if id.Keys != nil {
				doc.Generation, doc.NextDigest = &id.Keys.Generation, id.Keys.NextDigest
			}
			return doc, nil
		}
	}
	p, err := c.paths()
	if err != nil {
		return idDocument{}, err
	}
	id, err := identity.Load(p.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return idDocument{}, fmt.Errorf("this node has no identity yet (%s); make one with \"caro-node init\"", p.Key)
	}
	if err != nil {
		return idDocument{}, err
	}
	cfg, err := c.loadConfig(nil)
	if err != nil {
		return idDocument{}, err
	}
	pid, err := id.NodeID().PeerID()
	if err != nil {
		return idDocument{}, err
	}
	doc := idDocument{SchemaVersion: v1.SchemaVersion, NodeID: string(id.NodeID()), Fingerprint: string(id.NodeID().Fingerprint()), PeerID: pid.String(), Addresses: []string{}}
	for _, a := range cfg.Network.Listen {
		doc.Addresses = append(doc.Addresses, a+"/p2p/"+pid.String())
	}
	return doc, nil
}

type versionInfo struct {
	SchemaVersion int    `json:"schema_version"`
	Version       string `json:"version"`
	Protocol      int    `json:"protocol_version"`
}

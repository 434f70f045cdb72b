package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/caro-mesh/caro-node/api/client"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/cmd/caro-node/config"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/bundle"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

// bundleChanges tells who gains and who loses what when b, which stands in file, takes the place of the accepted bundle;
// either may be nil. A running node compares with what it has in force, and knows who is connected from where. Where none
// runs, the user's own policy and the database tell.
func (c *cli) bundleChanges(ctx context.Context, p config.Paths, accepted, b *bundle.Bundle, file []byte, now time.Time) ([]v1.PolicyRightChange, error) {
	text, err := os.ReadFile(p.Config)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the policy: %w", err)
	}
	cl, err := c.client()
	if err != nil {
		return nil, err
	}
	signed := string(file)
	d, err := cl.DiffPolicy(ctx, v1.PolicyFile{Name: p.Config, Text: string(text), Bundle: &signed})
	if errors.Is(err, client.ErrNotRunning) {
		return c.changesAtRest(ctx, p, accepted, b, now)
	}
	return d.Changes, err
}

// changesAtRest is bundleChanges of a node that does not run.
func (c *cli) changesAtRest(ctx context.Context, p config.Paths, accepted, b *bundle.Bundle, now time.Time) ([]v1.PolicyRightChange, error) {
	cfg, err := c.loadConfig(nil)
	if err != nil {
		return nil, err
	}
	k, err := readKnown(ctx, p)
	if err != nil {
		return nil, err
	}
	engine := func(b *bundle.Bundle) (*policy.Engine, error) {
		if b == nil {
			return policy.New(cfg.Policy, k.grants, k.successions...)
		}
		return policy.New(b.Apply(cfg.Policy, now), k.grants, k.successions...)
	}
	before, err := engine(accepted)
	if err != nil {
		return nil, err
	}
	after, err := engine(b)
	if err != nil {
		return nil, err
	}
	names := k.names(cfg.Policy.Nodes)
	if b != nil {
		for _, s := range b.Supervisors {
			if id := protocol.NodeID(s.ID); names[id] == "" {
				names[id] = s.Name
			}
		}
	}
	out := []v1.PolicyRightChange{}
	for _, ch := range policy.Compare(before, after, policy.SubjectsAmong(k.subjects(), names, before, after), now) {
		shape := v1.PolicyRightChange{Subject: ch.Subject.Label, NodeID: ch.Subject.Peer, Right: ch.Right, Before: ch.Before, After: ch.After, Gains: ch.Gains,
			RuleBefore: v1.Rule{Name: ch.RuleBefore.Name, Source: ch.RuleBefore.Source, Line: ch.RuleBefore.Line},
			RuleAfter:  v1.Rule{Name: ch.RuleAfter.Name, Source: ch.RuleAfter.Source, Line: ch.RuleAfter.Line}}
		if ch.Subject.Addr.IsValid() {
			shape.Address = ch.Subject.Addr.String()
		}
		out = append(out, shape)
	}
	return out, nil
}

// known is what the database of a node that does not run tells about others.
type known struct {
	grants      []policy.Grant
	successions []policy.Succession
	peers       []store.Peer
}

// readKnown reads it; it is empty where there is no database yet.
func readKnown(ctx context.Context, p config.Paths) (k known, err error) {
	if _, err := os.Stat(p.DB); errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	db, err := store.OpenReadOnly(ctx, p.DB, store.Options{})
	if err != nil {
		return k, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if k.grants, err = db.Grants(ctx); err != nil {
		return k, err
	}
	rotations, err := db.Successions(ctx)
	if err != nil {
		return k, err
	}
	for _, r := range rotations {
		k.successions = append(k.successions, policy.Succession{Old: r.OldID, New: r.NewID, ValidFrom: r.ValidFrom.Time(), Until: r.OldExpires.Time()})
	}
	k.peers, err = db.Peers(ctx)
	return k, err
}

// names are what the user calls nodes, else what they call themselves.
func (k *known) names(rules []policy.NodeRule) map[protocol.NodeID]string {
	out := make(map[protocol.NodeID]string)
	for _, p := range k.peers {
		out[p.ID] = p.DisplayName
	}
	for _, r := range rules {
		if r.Name != "" {
			out[protocol.NodeID(r.ID)] = r.Name
		}
	}
	for _, g := range k.grants {
		if g.Name != "" {
			out[g.Node] = g.Name
		}
	}
	for range k.successions { // a name goes on to the next key, and to the one after it
		for _, s := range k.successions {
			if out[s.New] == "" {
				out[s.New] = out[s.Old]
			}
		}
	}
	return out
}

// subjects are the nodes that are known with an address.
func (k *known) subjects() (out []policy.Subject) {
	for _, p := range k.peers {
		for _, a := range p.Addrs {
			parts := strings.Split(a, "/") // /ip4/10.0.0.5/tcp/9238
			if len(parts) < 3 || parts[1] != "ip4" && parts[1] != "ip6" {
				continue
			}
			if ip, err := netip.ParseAddr(parts[2]); err == nil {
				out = append(out, policy.Subject{Peer: p.ID, Addr: ip})
				break
			}
		}
	}
	return out
}

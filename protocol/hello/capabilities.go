package hello

import (
	"context"
	"fmt"
	"slices"

	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
)

// capabilities is Capabilities (0x0003): what of an identity can change while a connection lasts.
type capabilities struct {
	DisplayName  string                    `cbor:"1,keyasint,omitempty"`
	Capabilities protocol.NodeCapabilities `cbor:"2,keyasint"`
}

// Validate checks the fields as those of an identity.
func (c *capabilities) Validate() error {
	if err := protocol.CheckText("display name", c.DisplayName, protocol.MaxDisplayName); err != nil {
		return err
	}
	return c.Capabilities.Validate()
}

func capabilitiesOf(id protocol.NodeIdentity) capabilities {
	return capabilities{DisplayName: id.DisplayName, Capabilities: id.Capabilities}
}

func (c capabilities) equal(o capabilities) bool {
	a, b := c.Capabilities, o.Capabilities
	return c.DisplayName == o.DisplayName && slices.Equal(a.SupportedQueries, b.SupportedQueries) && a.ProtocolVersion == b.ProtocolVersion &&
		a.CaroVersion == b.CaroVersion && a.MaxShareLevel == b.MaxShareLevel && a.CanAggregate == b.CanAggregate
}

// announcing are the rules of a Capabilities message: those of Hello's streams, but for admitted nodes and unanswered.
var announcing = exchange.Rules{Protocol: ID, Request: protocol.MsgCapabilities}

// Announce tells an admitted node what this node can do and is called now, and reports whether it sent that. It sends
// nothing when the node was told the same before, by Hello or by Announce, and when it is not admitted (any more). A node takes one message in two seconds,
// and eight at once, Hellos included: whoever changes often waits. For errors see [exchange.Endpoint.Ask].
func (c *Client) Announce(ctx context.Context, to protocol.NodeID) (sent bool, err error) {
	now := capabilitiesOf(c.local.Identity())
	if told, ok := c.registry.told(to); !ok || told.equal(now) {
		return false, nil
	}
	payload, err := protocol.Encode(&now)
	if err != nil {
		return false, err
	}
	if _, err := c.endpoint.Ask(ctx, to, announcing, payload); err != nil {
		return true, err
	}
	c.registry.tell(to, now)
	return true, nil
}

// changed takes a Capabilities message of an admitted node.
func (s *server) changed(_ context.Context, from exchange.From, payload []byte) error {
	var c capabilities
	if err := protocol.Decode(payload, &c); err != nil {
		return err
	}
	if !s.registry.change(from.ID, c) {
		return fmt.Errorf("%w: it left meanwhile", exchange.ErrNotConnected)
	}
	return nil
}

// told returns what an admitted node was last told of this one.
func (r *Registry) told(id protocol.NodeID) (capabilities, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rec := r.peers[id]; rec != nil {
		return rec.told, true
	}
	return capabilities{}, false
}

// tell notes what an admitted node was told of this one.
func (r *Registry) tell(id protocol.NodeID, c capabilities) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rec := r.peers[id]; rec != nil {
		rec.told = c
	}
}

// change notes what an admitted node told of itself, and reports whether it still is admitted.
func (r *Registry) change(id protocol.NodeID, c capabilities) bool {
	r.order.Lock()
	defer r.order.Unlock()
	r.mu.Lock()
	rec := r.peers[id]
	if rec == nil {
		r.mu.Unlock()
		return false
	}
	same := capabilitiesOf(rec.peer.Identity).equal(c)
	rec.peer.Identity.DisplayName, rec.peer.Identity.Capabilities = c.DisplayName, c.Capabilities
	p := rec.peer
	r.mu.Unlock()
	if !same && r.hooks.Changed != nil {
		r.hooks.Changed(p)
	}
	return true
}

package hello

import (
	"context"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
)

// RefusedError is another node's refusal of our Hello.
type RefusedError struct {
	Status Status
	Reason string // printable, from the peer
}

// Error returns the refusal as one sentence.
func (e *RefusedError) Error() string { return "the peer refused us: " + e.Reason }

// Client says Hello to others.
type Client struct {
	endpoint *exchange.Endpoint
	registry *Registry
	local    Local
}

// NewClient returns a client that introduces l.
func NewClient(e *exchange.Endpoint, r *Registry, l Local) *Client {
	return &Client{endpoint: e, registry: r, local: withVersions(l)}
}

// Greet says Hello to a connected node and records it as admitted when both sides accept. A refusal by the node is a
// [*RefusedError], one by our own policy what Admit returned (a [*DeniedError]); in both cases the connection is closed.
func (c *Client) Greet(ctx context.Context, to protocol.NodeID) (Peer, error) {
	done, other := c.registry.startGreeting(to)
	if other != nil {
		select {
		case <-other:
		case <-ctx.Done():
			return Peer{}, ctx.Err()
		}
		if p, ok := c.registry.Peer(to); ok {
			return p, nil
		}
		return Peer{}, exchange.ErrNotAdmitted
	}
	defer done()
	p, err := c.greet(ctx, to)
	if err != nil {
		c.hangUp(to)
		return Peer{}, err
	}
	return p, nil
}

func (c *Client) greet(ctx context.Context, to protocol.NodeID) (Peer, error) {
	m := message{Identity: c.local.Identity(), X25519: c.local.X25519, NextDigest: c.local.NextDigest, Rotations: c.local.Rotations}
	for _, v := range c.local.Versions {
		m.Versions = append(m.Versions, uint16(v))
	}
	payload, err := protocol.Encode(&m)
	if err != nil {
		return Peer{}, err
	}
	answer, err := c.endpoint.Ask(ctx, to, rules, payload)
	if err != nil {
		return Peer{}, err
	}
	var a ack
	if err := protocol.Decode(answer.Payload, &a); err != nil {
		return Peer{}, c.endpoint.Blame(answer, rules, err)
	}
	if a.Status != StatusAccepted {
		return Peer{}, &RefusedError{Status: a.Status, Reason: a.Reason}
	}
	if a.Identity.NodeID != to {
		return Peer{}, c.endpoint.Blame(answer, rules, fmt.Errorf("%w: it introduced itself as %s", protocol.ErrSender, a.Identity.NodeID.Fingerprint()))
	}
	if highestCommon(c.local.Versions, []uint16{uint16(a.Version)}) == 0 {
		return Peer{}, c.endpoint.Blame(answer, rules, fmt.Errorf("%w: it chose version %d, which was not offered", protocol.ErrMalformed, a.Version))
	}
	rotations, err := protocol.OpenRotations(*a.Rotations, to)
	if err != nil {
		return Peer{}, c.endpoint.Blame(answer, rules, err)
	}
	who := Introduction{Identity: *a.Identity, NextDigest: *a.NextDigest, Rotations: rotations}
	if err := c.local.Admit(ctx, to, answer.From.Addr, who); err != nil {
		return Peer{}, err
	}
	p := peerOf(who, [32]byte(a.X25519), a.Version, answer.From, c.endpoint)
	return p, c.registry.admit(p, capabilitiesOf(m.Identity))
}

// hangUp closes the connections of a node with which no Hello succeeded, unless another Hello did.
func (c *Client) hangUp(to protocol.NodeID) {
	if _, ok := c.registry.Peer(to); ok {
		return
	}
	if pid, err := to.PeerID(); err == nil {
		_ = c.endpoint.Host().Network().ClosePeer(pid) // nothing to close is as good
	}
}

// printable makes a reason fit for the wire: what [protocol.CheckText] would refuse becomes a question mark, and what is
// too long is cut.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > protocol.MaxReason {
		s = s[:protocol.MaxReason]
		for !utf8.ValidString(s) {
			s = s[:len(s)-1]
		}
	}
	return s
}

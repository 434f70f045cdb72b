package hello

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/time/rate"

	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
)

// ID is the protocol's name on streams.
const ID = "/caro/hello/1.0.0"

// Local is this node, as it introduces itself and decides about others.
type Local struct {
	// Identity returns how this node introduces itself now. Of what it returns, display name and capabilities may change.
	Identity func() protocol.NodeIdentity
	X25519   [32]byte
	// Versions that are spoken, rising; nil means [Versions].
	Versions []Version
	// NextDigest commits this node to its next key.
	NextDigest protocol.KeyDigest
	// Rotations are the signed statements that led to this node's key, oldest first, the latest protocol.MaxRotations.
	Rotations [][]byte
	// Admit decides whether a node may connect; addr is zero without IP. A [*DeniedError] refuses with a reason that the
	// node is told; any other error refuses until later, and its text stays here.
	Admit func(ctx context.Context, peer protocol.NodeID, addr netip.Addr, who Introduction) error
}

// Introduction is what another node says of itself. That it has the key of Identity is certain; that Rotations are
// signed by every key that they name, form a chain and lead to this key, was checked. Whether they are believed is not
// decided: see the comment of protocol/rotation.
type Introduction struct {
	Identity   protocol.NodeIdentity
	NextDigest protocol.KeyDigest // of the key that it says it will have next
	Rotations  []*protocol.KeyRotation
}

// DeniedError is a refusal by policy. Reason is told to the peer: one printable sentence, at most
// protocol.MaxReason bytes (longer ones are cut).
type DeniedError struct {
	Reason string
	Err    error // the cause, for the local log; may be nil
}

// Error returns the reason.
func (e *DeniedError) Error() string { return e.Reason }

// Unwrap returns the cause.
func (e *DeniedError) Unwrap() error { return e.Err }

// Hellos are rare: one per connection. Twice that for two nodes that dial each other at once, and room for quick
// reconnects and for Capabilities, which a node sends at most every ten seconds; 64 at once is more than a whole office that wakes up sends within the time of one signature check each.
var rules = exchange.Rules{
	Protocol: ID,
	Request:  protocol.MsgHello,
	Answer:   protocol.MsgHelloAck,
	Rate:     rate.Limit(0.5), Burst: 8, PerPeer: 2, Total: 64,
	BeforeHello: true,
}

// Serve answers Hellos, and takes Capabilities, until the returned server is closed.
func Serve(e *exchange.Endpoint, r *Registry, l Local) *exchange.Server {
	s := &server{endpoint: e, registry: r, local: withVersions(l)}
	sr := rules
	sr.Unopened = s.unopened
	return e.Serve(sr, s.answer, exchange.Route{Request: protocol.MsgCapabilities, Handler: s.changed})
}

type server struct {
	endpoint *exchange.Endpoint
	registry *Registry
	local    Local
}

func withVersions(l Local) Local {
	if l.Versions == nil {
		l.Versions = Versions()
	}
	return l
}

// unopened tells the two things that a person can put right, and leaves everything else to the code.
func (s *server) unopened(err error) error {
	if errors.Is(err, protocol.ErrClockSkew) {
		return refuse(StatusClockSkew, err.Error(), err)
	}
	return err
}

func (s *server) answer(ctx context.Context, from exchange.From, payload []byte) ([]byte, error) {
	var m message
	if err := protocol.Decode(payload, &m); err != nil {
		return nil, err
	}
	if m.Identity.NodeID != from.ID {
		return nil, fmt.Errorf("%w: it introduced itself as %s", protocol.ErrSender, m.Identity.NodeID.Fingerprint())
	}
	version := highestCommon(s.local.Versions, m.Versions)
	if version == 0 {
		reason := fmt.Sprintf("no protocol version in common: you speak %v, this node speaks %v; update the older of the two", m.Versions, s.local.Versions)
		return nil, refuse(StatusNoCommonVersion, reason, errors.New(reason))
	}
	rotations, err := protocol.OpenRotations(m.Rotations, from.ID)
	if err != nil {
		return nil, err
	}
	who := Introduction{Identity: m.Identity, NextDigest: m.NextDigest, Rotations: rotations}
	if err := s.local.Admit(ctx, from.ID, from.Addr, who); err != nil {
		var denied *DeniedError
		if errors.As(err, &denied) {
			return nil, refuse(StatusDenied, denied.Reason, err)
		}
		return nil, refuse(StatusTryLater, "this node cannot decide now, try again later", err)
	}
	id := s.local.Identity()
	if err := s.registry.admit(peerOf(who, m.X25519, version, from, s.endpoint), capabilitiesOf(id)); err != nil {
		return nil, err
	}
	return protocol.Encode(&ack{Status: StatusAccepted, Identity: &id, X25519: s.local.X25519[:], Version: version,
		NextDigest: &s.local.NextDigest, Rotations: &s.local.Rotations})
}

func peerOf(who Introduction, key [32]byte, v Version, from exchange.From, e *exchange.Endpoint) Peer {
	p := Peer{Identity: who.Identity, X25519: key, Version: v, Addr: from.Addr, Inbound: from.Inbound, Since: e.Now(), Skew: from.Skew, NextDigest: who.NextDigest}
	for _, r := range who.Rotations {
		p.Former = append(p.Former, r.OldID)
	}
	return p
}

// refuse makes the refusal that the peer is told before the connection ends.
func refuse(status Status, reason string, cause error) error {
	reason = printable(reason)
	if reason == "" {
		reason = "refused without a reason"
	}
	answer, err := protocol.Encode(&ack{Status: status, Reason: reason})
	if err != nil {
		return errors.Join(cause, err)
	}
	return exchange.Farewell(answer, cause)
}

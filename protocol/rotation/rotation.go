package rotation

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/time/rate"

	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
)

// ID is the protocol's name on streams.
const ID = "/caro/rotation/1.0.0"

// Status says what a node made of an announced rotation.
type Status string

// Statuses of a KeyRotationAck.
const (
	// StatusAccepted means that trust goes on under the new key; also when that was known before.
	StatusAccepted Status = "accepted"
	// StatusUnproven means that the node cannot tell whether the new key is the rightful one; its user has to decide.
	StatusUnproven Status = "unproven"
	// StatusRefused means that the statement contradicts what the node knows.
	StatusRefused Status = "refused"
)

type message struct {
	Rotations [][]byte `cbor:"1,keyasint"`
}

// Validate checks the number only; see [protocol.OpenRotations].
func (m *message) Validate() error {
	if n := len(m.Rotations); n == 0 || n > protocol.MaxRotations {
		return fmt.Errorf("%d rotations, expected 1 to %d", n, protocol.MaxRotations)
	}
	return nil
}

type ack struct {
	Status Status `cbor:"1,keyasint"`
	Reason string `cbor:"2,keyasint,omitempty"`
}

// Validate requires a reason with everything but an acceptance.
func (a *ack) Validate() error {
	if err := protocol.CheckText("reason", a.Reason, protocol.MaxReason); err != nil {
		return err
	}
	switch a.Status {
	case StatusAccepted:
		if a.Reason != "" {
			return errors.New("an accepting answer has no reason")
		}
		return nil
	case StatusUnproven, StatusRefused:
		if a.Reason == "" {
			return errors.New("an answer that does not accept needs a reason")
		}
		return nil
	}
	return fmt.Errorf("unknown status %q", string(a.Status))
}

// Learn takes the rotations of the node from: verified, linked, and leading from its key to a new one. With a status
// other than accepted the reason is told to the node. An error breaks off without a word.
type Learn func(ctx context.Context, from exchange.From, chain []*protocol.KeyRotation) (status Status, reason string, err error)

// Keys change every few weeks at most: two at once for one that is repeated, and one in fifty seconds. A chain takes 32 signature
// checks, about 2 ms.
var rules = exchange.Rules{
	Protocol: ID,
	Request:  protocol.MsgRotation,
	Answer:   protocol.MsgRotationAck,
	Rate:     rate.Limit(0.02), Burst: 4, PerPeer: 1, Total: 32,
}

// Serve receives rotations until the returned server is closed.
func Serve(e *exchange.Endpoint, learn Learn) *exchange.Server {
	return e.Serve(rules, func(ctx context.Context, from exchange.From, payload []byte) ([]byte, error) {
		var m message
		if err := protocol.Decode(payload, &m); err != nil {
			return nil, err
		}
		last, err := protocol.OpenRotation(m.Rotations[len(m.Rotations)-1])
		if err != nil {
			return nil, err
		}
		if last.OldID != from.ID {
			return nil, fmt.Errorf("%w: it announced a rotation of %s", protocol.ErrSender, last.OldID.Fingerprint())
		}
		chain, err := protocol.OpenRotations(m.Rotations, last.NewID)
		if err != nil {
			return nil, err
		}
		var a ack
		if a.Status, a.Reason, err = learn(ctx, from, chain); err != nil {
			return nil, err
		}
		if err := a.Validate(); err != nil {
			return nil, fmt.Errorf("our own answer: %w", err)
		}
		return protocol.Encode(&a)
	})
}

// Announce tells a connected node the signed statements that lead to this node's next key, oldest first, the latest
// [protocol.MaxRotations], and returns what it made of them. For errors see [exchange.Endpoint.Ask]; announcing again is
// safe.
func Announce(ctx context.Context, e *exchange.Endpoint, to protocol.NodeID, rotations [][]byte) (Status, string, error) {
	m := message{Rotations: rotations}
	if err := m.Validate(); err != nil {
		return "", "", err
	}
	payload, err := protocol.Encode(&m)
	if err != nil {
		return "", "", err
	}
	answer, err := e.Ask(ctx, to, rules, payload)
	if err != nil {
		return "", "", err
	}
	var a ack
	if err := protocol.Decode(answer.Payload, &a); err != nil {
		return "", "", e.Blame(answer, rules, err)
	}
	return a.Status, a.Reason, nil
}

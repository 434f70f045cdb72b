package checkpoint

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/time/rate"

	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
)

// ID is the protocol's name on streams.
const ID = "/caro/checkpoint/1.0.0"

// Status says what a witness made of a checkpoint.
type Status string

// Statuses of a CheckpointAck.
const (
	StatusCosigned Status = "cosigned"
	StatusStale    Status = "stale"    // the proof has to begin at the size that the answer tells
	StatusConflict Status = "conflict" // the log did not only grow
	StatusRefused  Status = "refused"  // the witness does not vouch for this node
)

// hash is one hash of a proof.
type hash = [32]byte

// push is CheckpointPush.
type push struct {
	Note    []byte `cbor:"1,keyasint"`
	OldSize uint64 `cbor:"2,keyasint"`
	Proof   []hash `cbor:"3,keyasint"`
}

// Validate checks the sizes; the note is verified when it is opened.
func (p *push) Validate() error {
	switch {
	case len(p.Note) == 0 || len(p.Note) > protocol.MaxCheckpointNote:
		return fmt.Errorf("a note of %d bytes, expected 1 to %d", len(p.Note), protocol.MaxCheckpointNote)
	case p.OldSize > protocol.MaxCount:
		return fmt.Errorf("an old size of %d, limit %d", p.OldSize, uint64(protocol.MaxCount))
	case len(p.Proof) > protocol.MaxProof:
		return fmt.Errorf("a proof of %d hashes, limit %d", len(p.Proof), protocol.MaxProof)
	case p.OldSize == 0 && len(p.Proof) > 0:
		return errors.New("a proof that begins nowhere")
	}
	return nil
}

// ack is CheckpointAck.
type ack struct {
	Status      Status `cbor:"1,keyasint"`
	Size        uint64 `cbor:"2,keyasint"`
	Cosignature []byte `cbor:"3,keyasint,omitempty"`
	Reason      string `cbor:"4,keyasint,omitempty"`
}

// Validate requires a cosignature exactly with "cosigned", and a reason exactly with a refusal.
func (a *ack) Validate() error {
	if err := protocol.CheckText("reason", a.Reason, protocol.MaxReason); err != nil {
		return err
	}
	if a.Size > protocol.MaxCount {
		return fmt.Errorf("a size of %d, limit %d", a.Size, uint64(protocol.MaxCount))
	}
	cosigned, reasoned := a.Status == StatusCosigned, a.Status == StatusConflict || a.Status == StatusRefused
	switch {
	case !cosigned && !reasoned && a.Status != StatusStale:
		return fmt.Errorf("unknown status %q", string(a.Status))
	case cosigned && (len(a.Cosignature) != protocol.CosignatureSize || a.Size == 0):
		return errors.New("a cosigning answer needs a cosignature and a size")
	case !cosigned && len(a.Cosignature) > 0:
		return errors.New("only a cosigning answer has a cosignature")
	case reasoned != (a.Reason != ""):
		return errors.New("an answer has a reason exactly when it refuses")
	}
	return nil
}

// Shown is a verified checkpoint that a node shows.
type Shown struct {
	Note       []byte
	Checkpoint protocol.Checkpoint
	OldSize    uint64
	Proof      [][32]byte
}

// Answer is what a witness says to it.
type Answer struct {
	Status Status
	// Size is how many entries of the log the witness knows; 0: none.
	Size        uint64
	Cosignature []byte // with StatusCosigned
	Reason      string // with StatusConflict and StatusRefused; one sentence that the node is told
}

// Judge decides about a checkpoint that the node from has signed. An error breaks off without a word, so that the node shows
// it again later.
type Judge func(ctx context.Context, from exchange.From, s Shown) (Answer, error)

// A node shows its checkpoint once an hour, after a start, and when its user wants it, each time at most twice: when the
// proof began elsewhere. Six at once are a handful of restarts; one in twenty seconds is far above what is needed. An
// exchange holds 10 KiB, verifies a signature, and waits for one durable write.
var rules = exchange.Rules{
	Protocol: ID,
	Request:  protocol.MsgCheckpointPush,
	Answer:   protocol.MsgCheckpointAck,
	Rate:     rate.Limit(0.05), Burst: 12, PerPeer: 1, Total: 16,
}

// Serve judges checkpoints until the returned server is closed. Each node shows its own, signed by the key that it is
// connected with.
func Serve(e *exchange.Endpoint, judge Judge) *exchange.Server {
	return e.Serve(rules, func(ctx context.Context, from exchange.From, payload []byte) ([]byte, error) {
		var p push
		if err := protocol.Decode(payload, &p); err != nil {
			return nil, err
		}
		c, err := protocol.OpenCheckpoint(p.Note, from.ID)
		if err != nil {
			return nil, err
		}
		if p.OldSize > c.Size {
			return nil, fmt.Errorf("%w: a checkpoint of %d entries with a proof from %d", protocol.ErrMalformed, c.Size, p.OldSize)
		}
		answer, err := judge(ctx, from, Shown{Note: p.Note, Checkpoint: c, OldSize: p.OldSize, Proof: p.Proof})
		if err != nil {
			return nil, err
		}
		a := ack(answer)
		if err := a.Validate(); err != nil {
			return nil, fmt.Errorf("our own answer: %w", err)
		}
		return protocol.Encode(&a)
	})
}

// Show shows a signed checkpoint to a connected node, with the proof that its log of oldSize entries is the beginning of it,
// and returns the answer; a cosignature was verified. For errors see [exchange.Endpoint.Ask]; after one, showing it again is
// safe.
func Show(ctx context.Context, e *exchange.Endpoint, to protocol.NodeID, note []byte, oldSize uint64, proof [][32]byte) (Answer, error) {
	p := push{Note: note, OldSize: oldSize, Proof: proof}
	if err := p.Validate(); err != nil {
		return Answer{}, fmt.Errorf("our own checkpoint: %w", err)
	}
	payload, err := protocol.Encode(&p)
	if err != nil {
		return Answer{}, err
	}
	answer, err := e.Ask(ctx, to, rules, payload)
	if err != nil {
		return Answer{}, err
	}
	var a ack
	if err := protocol.Decode(answer.Payload, &a); err != nil {
		return Answer{}, e.Blame(answer, rules, err)
	}
	if a.Status == StatusCosigned {
		if _, err := protocol.OpenCosignature(note, to, a.Cosignature); err != nil {
			return Answer{}, e.Blame(answer, rules, err)
		}
	}
	return Answer(a), nil
}

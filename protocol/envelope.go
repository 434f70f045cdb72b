package protocol

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"
)

// MsgType numbers the messages of the wire.
type MsgType uint16

// Message types (design §5).
const (
	MsgHello          MsgType = 0x0001
	MsgHelloAck       MsgType = 0x0002
	MsgCapabilities   MsgType = 0x0003
	MsgPing           MsgType = 0x0010
	MsgPong           MsgType = 0x0011
	MsgSummaryPush    MsgType = 0x0100
	MsgSummaryAck     MsgType = 0x0101
	MsgQuery          MsgType = 0x0200
	MsgQueryResponse  MsgType = 0x0201
	MsgQueryReceipt   MsgType = 0x0202
	MsgRotation       MsgType = 0x0300
	MsgRotationAck    MsgType = 0x0301
	MsgCheckpointPush MsgType = 0x0400
	MsgCheckpointAck  MsgType = 0x0401
	MsgGoodbye        MsgType = 0xFFFF
)

// String names the type for logs.
func (m MsgType) String() string {
	if n, ok := msgNames[m]; ok {
		return n
	}
	return fmt.Sprintf("0x%04x", uint16(m))
}

var msgNames = map[MsgType]string{
	MsgHello: "Hello", MsgHelloAck: "HelloAck", MsgCapabilities: "Capabilities", MsgPing: "Ping", MsgPong: "Pong",
	MsgSummaryPush: "SummaryPush", MsgSummaryAck: "SummaryAck", MsgQuery: "Query", MsgQueryResponse: "QueryResponse", MsgQueryReceipt: "QueryReceipt",
	MsgRotation: "KeyRotation", MsgRotationAck: "KeyRotationAck",
	MsgCheckpointPush: "CheckpointPush", MsgCheckpointAck: "CheckpointAck", MsgGoodbye: "Goodbye",
}

// Refusals of [Opener.Open], in the order in which they are checked; [ErrMalformed] and [ErrNotDeterministic] come after
// [ErrVersion], and [ErrSignature] comes last. Each means: drop the message, count it.
var (
	ErrTooLarge   = errors.New("message is larger than its type allows")
	ErrMagic      = errors.New("not a caro message")
	ErrVersion    = errors.New("protocol version is not supported")
	ErrType       = errors.New("message type does not belong on this stream")
	ErrSender     = errors.New("sender is not the authenticated peer")
	ErrClockSkew  = errors.New("clocks differ by more than 5 minutes")
	ErrTooOld     = errors.New("message is older than 5 minutes") // an [ErrClockSkew]
	ErrFromFuture = errors.New("message comes from the future")   // an [ErrClockSkew]
	ErrSequence   = errors.New("sequence number was used before or is too old")
	ErrNonce      = errors.New("nonce was used before")
	ErrNonceQuota = errors.New("too many messages inside the replay window")
)

var magic = [4]byte{'C', 'A', 'R', 'O'}

// preamble follows the first byte (the head of the map) of every envelope of every version: key 1, the magic, key 2. The
// version comes next, so that it can be told before the rest, whose layout depends on it, is decoded.
var preamble = []byte("\x01\x44CARO\x02")

// Envelope (WireMessage) is the outer layer of every message.
type Envelope struct {
	Magic     [4]byte         `cbor:"1,keyasint"`
	Version   uint8           `cbor:"2,keyasint"`
	Type      MsgType         `cbor:"3,keyasint"`
	Sender    NodeID          `cbor:"4,keyasint"`
	Timestamp Timestamp       `cbor:"5,keyasint"`
	Nonce     [NonceSize]byte `cbor:"6,keyasint"`
	Sequence  uint64          `cbor:"7,keyasint"`
	Payload   []byte          `cbor:"8,keyasint"`
	Signature []byte          `cbor:"9,keyasint"`
}

// envelopeBytes is what the envelope's signature covers besides its context.
type envelopeBytes struct {
	_         struct{} `cbor:",toarray"`
	Version   uint8
	Type      MsgType
	Sender    NodeID
	Timestamp Timestamp
	Nonce     [NonceSize]byte
	Sequence  uint64
	Payload   []byte
}

func (e *Envelope) signingInput() ([]byte, error) {
	return signingInput(contextEnvelope, envelopeBytes{Version: e.Version, Type: e.Type, Sender: e.Sender,
		Timestamp: e.Timestamp, Nonce: e.Nonce, Sequence: e.Sequence, Payload: e.Payload})
}

// Sequencer hands out strictly rising numbers that are never repeated, not even after a crash.
type Sequencer interface{ Next() (uint64, error) }

// Sealer makes envelopes for one node. It is safe for concurrent use when its parts are.
type Sealer struct {
	key Signer
	seq Sequencer
	now func() time.Time
}

// NewSealer returns a Sealer; now is the node's clock.
func NewSealer(key Signer, seq Sequencer, now func() time.Time) *Sealer {
	return &Sealer{key: key, seq: seq, now: now}
}

// Seal signs payload (already encoded by [Encode] or a Sign function) and returns the encoded envelope.
func (s *Sealer) Seal(t MsgType, payload []byte) ([]byte, error) {
	seq, err := s.seq.Next()
	if err != nil {
		return nil, fmt.Errorf("next sequence number: %w", err)
	}
	e := Envelope{Magic: magic, Version: Version, Type: t, Sender: s.key.NodeID(), Timestamp: At(s.now()), Sequence: seq, Payload: payload}
	if _, err := rand.Read(e.Nonce[:]); err != nil {
		return nil, fmt.Errorf("read random nonce: %w", err)
	}
	return sealWith(&e, s.key)
}

func sealWith(e *Envelope, key Signer) ([]byte, error) {
	msg, err := e.signingInput()
	if err != nil {
		return nil, err
	}
	if e.Signature, err = key.Sign(msg); err != nil {
		return nil, fmt.Errorf("sign %s: %w", e.Type, err)
	}
	return Encode(e)
}

// Opener checks envelopes for one node. It is safe for concurrent use.
type Opener struct {
	guard *ReplayGuard
	now   func() time.Time
}

// NewOpener returns an Opener with its own replay memory; now is the node's clock.
func NewOpener(now func() time.Time) *Opener {
	return &Opener{guard: NewReplayGuard(), now: now}
}

// SkewError is the refusal of a message whose clock is too far from ours; it tells both. It is [ErrClockSkew], and either
// [ErrTooOld] or [ErrFromFuture].
type SkewError struct{ Theirs, Ours time.Time }

// Error tells both clocks.
func (e *SkewError) Error() string {
	return fmt.Sprintf("%v: theirs says %s, ours %s; set the wrong one right", ErrClockSkew,
		e.Theirs.UTC().Format(time.RFC3339), e.Ours.UTC().Format(time.RFC3339))
}

// Unwrap makes errors.Is hold for the errors that it is.
func (e *SkewError) Unwrap() []error {
	if e.Theirs.Before(e.Ours) {
		return []error{ErrClockSkew, ErrTooOld}
	}
	return []error{ErrClockSkew, ErrFromFuture}
}

// Open decodes and checks one envelope that arrived from the authenticated peer from, on a stream that carries only
// the allowed types and at most limit bytes a message. Checks run in the order of the errors above, cheapest first. On
// error the envelope is nil and nothing of the message is remembered.
func (o *Opener) Open(data []byte, limit int, from NodeID, allowed ...MsgType) (*Envelope, error) {
	if len(data) > limit {
		return nil, fmt.Errorf("%w: %d bytes, limit %d", ErrTooLarge, len(data), limit)
	}
	if err := checkPreamble(data); err != nil {
		return nil, err
	}
	var e Envelope
	if err := decodeStrict(data, &e); err != nil {
		return nil, err
	}
	now := o.now()
	switch {
	case !slices.Contains(allowed, e.Type):
		return nil, fmt.Errorf("%w: %s", ErrType, e.Type)
	case e.Sender != from:
		return nil, fmt.Errorf("%w: message of %s came from %s", ErrSender, e.Sender.Fingerprint(), from.Fingerprint())
	case e.Timestamp.Time().Sub(now).Abs() > MaxSkew:
		return nil, &SkewError{Theirs: e.Timestamp.Time(), Ours: now}
	}
	if err := o.guard.Check(e.Sender, e.Sequence, e.Nonce, now); err != nil {
		return nil, err
	}
	msg, err := e.signingInput()
	if err != nil {
		return nil, err
	}
	if !verify(e.Sender, msg, e.Signature) {
		return nil, ErrSignature
	}
	// Only a genuine message may use up memory and numbers of its sender.
	if err := o.guard.Commit(e.Sender, e.Sequence, e.Nonce, now); err != nil {
		return nil, err
	}
	return &e, nil
}

// checkPreamble refuses what is not an envelope of this version. What it lets pass is still to be decoded strictly.
func checkPreamble(data []byte) error {
	if len(data) == 0 || !bytes.HasPrefix(data[1:], preamble) {
		return ErrMagic
	}
	rest := data[1+len(preamble):]
	var version uint8
	switch {
	case len(rest) > 0 && rest[0] < 24: // CBOR holds numbers below 24 in one byte …
		version = rest[0]
	case len(rest) > 1 && rest[0] == 24: // … and those below 256 in the next
		version = rest[1]
	default:
		return fmt.Errorf("%w: no version number", ErrMalformed)
	}
	switch {
	case version < Version:
		return fmt.Errorf("%w: %d is too old, this node speaks %d", ErrVersion, version, Version)
	case version > Version:
		return fmt.Errorf("%w: %d is newer than this node, which speaks %d", ErrVersion, version, Version)
	}
	return nil
}

// Forget drops what is remembered of senders that have been silent for longer than the replay window. Accepting a message
// does so too, now and then; calling it about once a minute frees the memory of a quiet node as well.
func (o *Opener) Forget() { o.guard.Forget(o.now()) }

// Skew returns how far the sender's clock is ahead of now.
func (e *Envelope) Skew(now time.Time) time.Duration { return e.Timestamp.Time().Sub(now) }

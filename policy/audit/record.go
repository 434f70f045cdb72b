package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/zeebo/blake3"

	"github.com/caro-mesh/caro-node/protocol"
)

// Event is what a caller wants recorded. Details hold short facts by snake_case name (rule, reason, query_id,
// summary_id, bytes, …), never raw events.
type Event struct {
	Type    protocol.AuditEventType
	Peer    protocol.NodeID // empty when no peer is concerned
	Details map[string]string
	Success bool
}

// Record (AuditEvent) is a recorded event, linked to the one before it.
type Record struct {
	ID        string                  `cbor:"1,keyasint" json:"id"` // UUIDv7
	Sequence  uint64                  `cbor:"2,keyasint" json:"sequence"`
	Timestamp protocol.Timestamp      `cbor:"3,keyasint" json:"timestamp"`
	Type      protocol.AuditEventType `cbor:"4,keyasint" json:"event_type"`
	Peer      protocol.NodeID         `cbor:"5,keyasint" json:"peer,omitempty"`
	Details   map[string]string       `cbor:"6,keyasint" json:"details"`
	Success   bool                    `cbor:"7,keyasint" json:"success"`
	PrevHash  Hash                    `cbor:"8,keyasint" json:"prev_hash"`
	Hash      Hash                    `cbor:"-" json:"hash"`
}

// Validate checks the shape of a record that comes from elsewhere.
func (r *Record) Validate() error {
	if r.Sequence == 0 || r.Sequence > protocol.MaxCount {
		return fmt.Errorf("an audit record with the number %d", r.Sequence)
	}
	return r.Type.Validate()
}

// Hash is a 32-byte BLAKE3 hash; JSON shows 64 hex digits.
type Hash [32]byte

// Log stores records durably and in order. Append assigns sequence, time and hashes; the record is stored when it
// returns nil.
type Log interface {
	Append(ctx context.Context, e Event) (Record, error)
}

const hashContext = "caro-mesh 2026-11 audit record v1"

// hashers are reused: a new one takes 11 KB and longer to prepare than a record takes to hash.
var hashers = sync.Pool{New: func() any { return blake3.NewDeriveKey(hashContext) }}

// Next returns the record of e that follows prev, at time now. For the first record prev is the zero Record: its
// sequence becomes 1 and its PrevHash zero. The record keeps nothing of e that could change under it.
func Next(prev Record, e Event, now time.Time) (Record, error) {
	if err := e.Type.Validate(); err != nil {
		return Record{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Record{}, fmt.Errorf("read random bytes: %w", err)
	}
	r := Record{ID: id.String(), Sequence: prev.Sequence + 1, Timestamp: protocol.At(now), Type: e.Type, Peer: e.Peer,
		Details: make(map[string]string, len(e.Details)), Success: e.Success, PrevHash: prev.Hash}
	for k, v := range e.Details {
		// JSON cannot carry anything but UTF-8, and an exported record has to keep its hash.
		r.Details[strings.ToValidUTF8(k, "\uFFFD")] = strings.ToValidUTF8(v, "\uFFFD")
	}
	r.Hash, err = r.ComputeHash()
	return r, err
}

// ComputeHash hashes every field but Hash: BLAKE3 in key-derivation mode over the deterministic encoding, so that no
// other use of the same bytes shares the hash.
func (r *Record) ComputeHash() (Hash, error) {
	b, err := protocol.Encode(r)
	if err != nil {
		return Hash{}, err
	}
	hasher := hashers.Get().(*blake3.Hasher) // the pool holds nothing else
	defer hashers.Put(hasher)
	hasher.Reset()
	if _, err := hasher.Write(b); err != nil {
		return Hash{}, fmt.Errorf("hash audit record %d: %w", r.Sequence, err)
	}
	var h Hash
	hasher.Sum(h[:0])
	return h, nil
}

// Errors of [Record.Follows]; each names what is wrong with the chain at this record.
var (
	ErrGap     = errors.New("sequence does not follow the record before it")
	ErrLink    = errors.New("previous hash is not the hash of the record before it")
	ErrAltered = errors.New("content does not match its hash")
)

// Follows reports whether r is intact and linked to prev (the zero Record before the first).
func (r *Record) Follows(prev Record) error {
	if r.Sequence != prev.Sequence+1 {
		return fmt.Errorf("%w: %d after %d", ErrGap, r.Sequence, prev.Sequence)
	}
	if r.PrevHash != prev.Hash {
		return ErrLink
	}
	h, err := r.ComputeHash()
	if err != nil {
		return err
	}
	if h != r.Hash {
		return ErrAltered
	}
	return nil
}

package protocol

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/zeebo/blake3"
)

// KeyDigest commits a node to the key that it will have next: BLAKE3 of the 32-byte public key. It is a byte string on
// the wire and 64 hex digits in JSON.
type KeyDigest [32]byte

// DigestOf returns the digest of a node's key, or the zero digest when the ID is malformed.
func DigestOf(id NodeID) KeyDigest {
	pub := id.PublicKey()
	if pub == nil {
		return KeyDigest{}
	}
	return blake3.Sum256(pub)
}

// String returns 64 lower-case hex digits.
func (d KeyDigest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText writes 64 lower-case hex digits.
func (d KeyDigest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads 64 hex digits.
func (d *KeyDigest) UnmarshalText(b []byte) error {
	raw, err := hex.DecodeString(string(b))
	if err != nil || len(raw) != len(d) {
		return fmt.Errorf("key digest %q is not 64 hex digits", b)
	}
	copy(d[:], raw)
	return nil
}

// RotationReason says why a node changed its key.
type RotationReason string

// Reasons of a rotation.
const (
	RotationScheduled RotationReason = "scheduled"
	// RotationCompromised means that somebody else may have the old key: it is refused at once, without a grace period.
	RotationCompromised RotationReason = "compromised"
)

// Validate requires a known reason.
func (r RotationReason) Validate() error {
	switch r {
	case RotationScheduled, RotationCompromised:
		return nil
	}
	return fmt.Errorf("unknown rotation reason %q", string(r))
}

// KeyRotation is a node's statement that it goes on under another key. The old key endorses the new one, and the new
// one accepts, so that nobody can be made the successor of a key against its will.
type KeyRotation struct {
	OldID      NodeID    `cbor:"1,keyasint" json:"old_id"`
	NewID      NodeID    `cbor:"2,keyasint" json:"new_id"`
	Generation uint64    `cbor:"3,keyasint" json:"generation"` // 1 for a node's first rotation, then 2, 3, …
	IssuedAt   Timestamp `cbor:"4,keyasint" json:"issued_at"`
	ValidFrom  Timestamp `cbor:"5,keyasint" json:"valid_from"` // when the new key begins
	// OldExpires is when the old key ends; until then both are the node's.
	OldExpires Timestamp      `cbor:"6,keyasint" json:"old_expires"`
	NextDigest KeyDigest      `cbor:"7,keyasint" json:"next_digest"` // of the key that may follow the new one
	Reason     RotationReason `cbor:"8,keyasint" json:"reason"`

	Endorsed *Signature `cbor:"-" json:"endorsed,omitempty"` // by the old key; set by [SignRotation] and [OpenRotation]
	Accepted *Signature `cbor:"-" json:"accepted,omitempty"` // by the new key; likewise

	wire []byte
}

// Wire returns the signed bytes that the statement was made of or opened from; nil for one that was not signed.
func (r *KeyRotation) Wire() []byte { return r.wire }

// Validate checks the fields and how they fit each other, not the signatures.
func (r *KeyRotation) Validate() error {
	if err := errors.Join(r.OldID.Validate(), r.NewID.Validate(), r.Reason.Validate()); err != nil {
		return err
	}
	if r.OldID == r.NewID {
		return errors.New("a key cannot follow itself")
	}
	if r.Generation == 0 || r.Generation > MaxCount {
		return fmt.Errorf("generation %d is not from 1 to %d", r.Generation, uint64(MaxCount))
	}
	lead, grace := r.ValidFrom.Time().Sub(r.IssuedAt.Time()), r.OldExpires.Time().Sub(r.ValidFrom.Time())
	switch {
	case lead < 0 || lead > MaxGrace:
		return fmt.Errorf("the new key begins at %s, which is not within %s after the statement of %s", r.ValidFrom, MaxGrace, r.IssuedAt)
	case grace < 0 || grace > MaxGrace:
		return fmt.Errorf("the old key ends at %s, which is not within %s after the new one begins at %s", r.OldExpires, MaxGrace, r.ValidFrom)
	case r.Reason == RotationCompromised && grace != 0:
		return errors.New("a compromised key has no grace period")
	case r.NextDigest == KeyDigest{}:
		return errors.New("next digest is zero")
	case r.NextDigest == DigestOf(r.OldID) || r.NextDigest == DigestOf(r.NewID):
		return errors.New("the key after the new one would be a key of now or before")
	}
	return nil
}

// signedTwice is the wire form of a rotation: the body with the signature of either key.
type signedTwice struct {
	Body     []byte    `cbor:"1,keyasint"`
	Endorsed Signature `cbor:"2,keyasint"`
	Accepted Signature `cbor:"3,keyasint"`
}

// Validate checks the shape, not the signatures.
func (s signedTwice) Validate() error {
	if len(s.Body) == 0 {
		return errors.New("rotation has no body")
	}
	return errors.Join(s.Endorsed.Validate(), s.Accepted.Validate())
}

// SignRotation sets both signatures and returns the bytes to send and store. It needs both keys, and refuses others.
func SignRotation(r *KeyRotation, old, successor Signer, now time.Time) ([]byte, error) {
	if r.OldID != old.NodeID() || r.NewID != successor.NodeID() {
		return nil, fmt.Errorf("rotation from %s to %s cannot be signed by %s and %s",
			r.OldID.Fingerprint(), r.NewID.Fingerprint(), old.NodeID().Fingerprint(), successor.NodeID().Fingerprint())
	}
	if err := r.Validate(); err != nil {
		return nil, err
	}
	body, err := Encode(r)
	if err != nil {
		return nil, err
	}
	var s signedTwice
	s.Body = body
	if s.Endorsed, err = signDetached(contextEndorsed, body, old, now); err != nil {
		return nil, err
	}
	if s.Accepted, err = signDetached(contextAccepted, body, successor, now); err != nil {
		return nil, err
	}
	wire, err := Encode(s)
	if err != nil {
		return nil, err
	}
	r.Endorsed, r.Accepted, r.wire = &s.Endorsed, &s.Accepted, wire
	return wire, nil
}

// OpenRotation decodes and validates a statement, and verifies the signatures of both keys. Whether the old key may be
// followed by the new one is for the caller: see [KeyRotation.Follows] and package comment of protocol/rotation.
func OpenRotation(wire []byte) (*KeyRotation, error) {
	if len(wire) > MaxRotationStatement {
		return nil, fmt.Errorf("%w: rotation statement of %d bytes, limit %d", ErrTooLarge, len(wire), MaxRotationStatement)
	}
	var s signedTwice
	if err := Decode(wire, &s); err != nil {
		return nil, err
	}
	var r KeyRotation
	if err := Decode(s.Body, &r); err != nil {
		return nil, err
	}
	if err := verifyDetached(contextEndorsed, s.Body, s.Endorsed, r.OldID); err != nil {
		return nil, fmt.Errorf("endorsement by the old key: %w", err)
	}
	if err := verifyDetached(contextAccepted, s.Body, s.Accepted, r.NewID); err != nil {
		return nil, fmt.Errorf("acceptance by the new key: %w", err)
	}
	r.Endorsed, r.Accepted, r.wire = &s.Endorsed, &s.Accepted, append([]byte(nil), wire...)
	return &r, nil
}

// ErrCommitment reports a key that the node had not committed to: whoever made the statement has its current key, and
// not the one that was to follow.
var ErrCommitment = errors.New("the new key is not the one that the old key had committed to")

// Keeps reports whether the statement leads to the key that the old key had committed to, and otherwise [ErrCommitment].
func (r *KeyRotation) Keeps(commitment KeyDigest) error {
	if DigestOf(r.NewID) != commitment {
		return ErrCommitment
	}
	return nil
}

// Follows reports whether the statement is the next one after before: it starts from its key, with the next number, and
// keeps its commitment.
func (r *KeyRotation) Follows(before *KeyRotation) error {
	switch {
	case r.OldID != before.NewID:
		return fmt.Errorf("rotation %d starts from %s, the one before led to %s", r.Generation, r.OldID.Fingerprint(), before.NewID.Fingerprint())
	case r.Generation != before.Generation+1:
		return fmt.Errorf("rotation %d comes after rotation %d", r.Generation, before.Generation)
	case r.IssuedAt < before.IssuedAt:
		return fmt.Errorf("rotation %d was issued before rotation %d", r.Generation, before.Generation)
	}
	return r.Keeps(before.NextDigest)
}

// OpenRotations opens a chain of statements, oldest first, that leads to the key of owner. It returns nothing unless
// every one verifies and follows the one before. An empty chain is fine.
func OpenRotations(wires [][]byte, owner NodeID) ([]*KeyRotation, error) {
	if len(wires) > MaxRotations {
		return nil, fmt.Errorf("%w: %d rotations, at most %d are allowed", ErrMalformed, len(wires), MaxRotations)
	}
	chain := make([]*KeyRotation, 0, len(wires))
	seen := make(map[NodeID]bool, len(wires)+1)
	for i, wire := range wires {
		r, err := OpenRotation(wire)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			if err := r.Follows(chain[i-1]); err != nil {
				return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
			}
		}
		seen[r.OldID] = true
		if seen[r.NewID] {
			return nil, fmt.Errorf("%w: the rotations lead back to %s", ErrMalformed, r.NewID.Fingerprint())
		}
		chain = append(chain, r)
	}
	if n := len(chain); n > 0 && chain[n-1].NewID != owner {
		return nil, fmt.Errorf("%w: the rotations lead to %s, not to %s", ErrMalformed, chain[n-1].NewID.Fingerprint(), owner.Fingerprint())
	}
	return chain, nil
}

package protocol

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"
)

// Context strings keep signatures of one kind of message from being taken for another. Each ends in a NUL so that
// none is a prefix of another.
const (
	contextEnvelope = "caro-mesh envelope v1\x00"
	contextSummary  = "caro-mesh summary v1\x00"
	contextQuery    = "caro-mesh query v1\x00"
	contextResponse = "caro-mesh response v1\x00"
	contextReceipt  = "caro-mesh receipt v1\x00"
	contextHealth   = "caro-mesh health v1\x00"
	contextEndorsed = "caro-mesh rotation endorsed v1\x00"
	contextAccepted = "caro-mesh rotation accepted v1\x00"
)

// ErrSignature reports a signature that does not belong to the bytes or to the named signer; drop the message.
var ErrSignature = errors.New("signature does not verify")

// ErrSigner is the [ErrSignature] of a message that says itself that another node signed it than the one it is of. In an
// envelope that cannot be told from an altered byte: it does not name its signer besides its sender.
var ErrSigner = errors.New("signed by another node")

// Signer signs for one node. Implementations keep the private key to themselves.
type Signer interface {
	NodeID() NodeID
	// Sign returns the 64-byte Ed25519 signature of msg.
	Sign(msg []byte) ([]byte, error)
}

// Signature is a detached signature that travels and is stored with what it signs.
type Signature struct {
	Signer    Fingerprint `cbor:"1,keyasint" json:"signer"`
	Value     []byte      `cbor:"2,keyasint" json:"value"` // 64 bytes
	Timestamp Timestamp   `cbor:"3,keyasint" json:"timestamp"`
}

// Validate checks the shape, not the signature.
func (s Signature) Validate() error {
	if err := s.Signer.Validate(); err != nil {
		return err
	}
	if len(s.Value) != ed25519.SignatureSize {
		return fmt.Errorf("signature has %d bytes, not %d", len(s.Value), ed25519.SignatureSize)
	}
	return nil
}

// signed is the wire form of a message that carries its own signature: the body stays the exact bytes that were
// signed, so that it verifies after it was stored or relayed, and nobody encodes again to verify.
type signed struct {
	Body      []byte    `cbor:"1,keyasint"`
	Signature Signature `cbor:"2,keyasint"`
}

func (s signed) Validate() error {
	if len(s.Body) == 0 {
		return errors.New("signed message has no body")
	}
	return s.Signature.Validate()
}

// signedBytes is what the signature covers besides its context.
type signedBytes struct {
	_         struct{} `cbor:",toarray"`
	Body      []byte
	Signer    Fingerprint
	Timestamp Timestamp
}

func signBody(context string, body any, key Signer, now time.Time) ([]byte, Signature, error) {
	raw, err := Encode(body)
	if err != nil {
		return nil, Signature{}, err
	}
	sig, err := signDetached(context, raw, key, now)
	if err != nil {
		return nil, Signature{}, err
	}
	wire, err := Encode(signed{Body: raw, Signature: sig})
	return wire, sig, err
}

// signDetached signs an encoded body for key under a context.
func signDetached(context string, body []byte, key Signer, now time.Time) (Signature, error) {
	sig := Signature{Signer: key.NodeID().Fingerprint(), Timestamp: At(now)}
	msg, err := signingInput(context, signedBytes{Body: body, Signer: sig.Signer, Timestamp: sig.Timestamp})
	if err != nil {
		return Signature{}, err
	}
	if sig.Value, err = key.Sign(msg); err != nil {
		return Signature{}, fmt.Errorf("sign: %w", err)
	}
	return sig, nil
}

// openBody decodes the container and its body into v, then verifies that signer() (known once v is decoded) made it.
func openBody(context string, wire []byte, v Validator, signer func() NodeID) (Signature, error) {
	s, err := decodeSigned(wire, v)
	if err != nil {
		return Signature{}, err
	}
	return s.Signature, s.verify(context, signer())
}

// decodeSigned decodes the container and its body into v. Nothing is verified yet.
func decodeSigned(wire []byte, v Validator) (signed, error) {
	var s signed
	if err := Decode(wire, &s); err != nil {
		return signed{}, err
	}
	return s, Decode(s.Body, v)
}

// verify checks that the node id made the signature.
func (s signed) verify(context string, id NodeID) error {
	return verifyDetached(context, s.Body, s.Signature, id)
}

// verifyDetached reports [ErrSignature] unless id signed the encoded body under the context.
func verifyDetached(context string, body []byte, sig Signature, id NodeID) error {
	if id.Fingerprint() != sig.Signer {
		return fmt.Errorf("%w: %w: made by %s, claimed for %s", ErrSignature, ErrSigner, sig.Signer, id.Fingerprint())
	}
	msg, err := signingInput(context, signedBytes{Body: body, Signer: sig.Signer, Timestamp: sig.Timestamp})
	if err != nil {
		return err
	}
	if !verify(id, msg, sig.Value) {
		return ErrSignature
	}
	return nil
}

func signingInput(context string, v any) ([]byte, error) {
	b, err := Encode(v)
	if err != nil {
		return nil, err
	}
	return append([]byte(context), b...), nil
}

func verify(id NodeID, msg, sig []byte) bool {
	pub := id.PublicKey()
	return pub != nil && len(sig) == ed25519.SignatureSize && ed25519.Verify(pub, msg, sig)
}

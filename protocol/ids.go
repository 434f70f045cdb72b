package protocol

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/zeebo/blake3"
)

// NodeIDPrefix starts every node ID.
const NodeIDPrefix = "caro:ed25519:"

// ErrNodeID reports a text that is not a node ID; the caller should ask for the output of "caro-node id".
var ErrNodeID = errors.New(`not a node ID (expected "caro:ed25519:" and 44 base64 characters, as "caro-node id" prints it)`)

// NodeID names a node: [NodeIDPrefix] followed by the standard base64 of its 32-byte Ed25519 public key.
// The same key is the libp2p host key, so a NodeID and a libp2p peer ID name the same node.
type NodeID string

// Fingerprint is the short name of a key for people: the first 8 bytes of BLAKE3(public key) as 16 lower-case
// hex digits. It identifies, it does not authenticate.
type Fingerprint string

// NewNodeID returns the node ID of a 32-byte Ed25519 public key.
func NewNodeID(pub ed25519.PublicKey) NodeID {
	return NodeID(NodeIDPrefix + base64.StdEncoding.EncodeToString(pub))
}

// ParseNodeID checks the text form, including that its base64 is canonical, so that one key has one ID.
func ParseNodeID(s string) (NodeID, error) {
	if _, err := NodeID(s).publicKey(); err != nil {
		return "", err
	}
	return NodeID(s), nil
}

// NodeIDFromPeerID converts a libp2p peer ID. It fails for peers whose key is not Ed25519.
func NodeIDFromPeerID(p peer.ID) (NodeID, error) {
	pub, err := p.ExtractPublicKey()
	if err != nil {
		return "", fmt.Errorf("peer %s has no Ed25519 key in its ID: %w", p, err)
	}
	if pub.Type() != crypto.Ed25519 {
		return "", fmt.Errorf("peer %s uses a %s key, only Ed25519 is accepted", p, pub.Type())
	}
	raw, err := pub.Raw()
	if err != nil {
		return "", fmt.Errorf("read the key of peer %s: %w", p, err)
	}
	id := NewNodeID(raw)
	// A second spelling of the same key as a peer ID would be a second peer with the same rights.
	if canonical, err := id.PeerID(); err != nil || canonical != p {
		return "", fmt.Errorf("peer ID %s is not the usual form of its key", p)
	}
	return id, nil
}

// Validate reports whether the ID is well formed.
func (id NodeID) Validate() error {
	_, err := id.publicKey()
	return err
}

// PublicKey returns the 32-byte key, or nil when the ID is malformed.
func (id NodeID) PublicKey() ed25519.PublicKey {
	pub, err := id.publicKey()
	if err != nil {
		return nil
	}
	return pub
}

// Fingerprint returns the short form, or "" when the ID is malformed.
func (id NodeID) Fingerprint() Fingerprint {
	pub, err := id.publicKey()
	if err != nil {
		return ""
	}
	return FingerprintOf(pub)
}

// PeerID returns the libp2p peer ID of the same key.
func (id NodeID) PeerID() (peer.ID, error) {
	raw, err := id.publicKey()
	if err != nil {
		return "", err
	}
	pub, err := crypto.UnmarshalEd25519PublicKey(raw)
	if err != nil {
		return "", fmt.Errorf("node ID %s: %w", id, err)
	}
	return peer.IDFromPublicKey(pub)
}

func (id NodeID) publicKey() (ed25519.PublicKey, error) {
	b64, ok := strings.CutPrefix(string(id), NodeIDPrefix)
	// The length comes first: DecodeString would skip line breaks and accept a second spelling of the same key.
	if !ok || len(b64) != 44 {
		return nil, ErrNodeID
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(b64)
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return nil, ErrNodeID
	}
	return raw, nil
}

// FingerprintOf returns the fingerprint of a public key.
func FingerprintOf(pub ed25519.PublicKey) Fingerprint {
	sum := blake3.Sum256(pub)
	return Fingerprint(hex.EncodeToString(sum[:8]))
}

// Validate reports whether the fingerprint is 16 lower-case hex digits.
func (f Fingerprint) Validate() error {
	raw, err := hex.DecodeString(string(f))
	if err != nil || len(raw) != 8 || strings.ToLower(string(f)) != string(f) {
		return fmt.Errorf("fingerprint %q is not 16 lower-case hex digits", string(f))
	}
	return nil
}

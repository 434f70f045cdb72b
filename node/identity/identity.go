package identity

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/caro-mesh/caro-node/protocol"
)

// contextX25519 separates the X25519 key from every other use of the seed.
const contextX25519 = "caro-mesh x25519 v1"

// Identity is a node's key pair and what follows from it. It is immutable and safe for concurrent use.
type Identity struct {
	key     ed25519.PrivateKey
	id      protocol.NodeID
	dh      *ecdh.PrivateKey
	host    crypto.PrivKey
	created time.Time
}

// New makes an identity from fresh random bytes; now is its time of creation. It touches no file.
func New(now time.Time) (*Identity, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make an Ed25519 key: %w", err)
	}
	return fromKey(key, now)
}

func fromKey(key ed25519.PrivateKey, created time.Time) (*Identity, error) {
	pub, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("an Ed25519 key has no Ed25519 public key")
	}
	host, err := crypto.UnmarshalEd25519PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("convert the key for libp2p: %w", err)
	}
	secret, err := hkdf.Key(sha256.New, key.Seed(), nil, contextX25519, 32)
	if err != nil {
		return nil, fmt.Errorf("derive the X25519 key: %w", err)
	}
	dh, err := ecdh.X25519().NewPrivateKey(secret)
	if err != nil {
		return nil, fmt.Errorf("derive the X25519 key: %w", err)
	}
	// Whole seconds, because that is what the file keeps.
	return &Identity{key: key, id: protocol.NewNodeID(pub), dh: dh, host: host, created: created.UTC().Truncate(time.Second)}, nil
}

// NodeID returns the node's name.
func (i *Identity) NodeID() protocol.NodeID { return i.id }

// Fingerprint returns the short name of the key, for people.
func (i *Identity) Fingerprint() protocol.Fingerprint { return i.id.Fingerprint() }

// CreatedAt returns when the key was made, in UTC, to the second.
func (i *Identity) CreatedAt() time.Time { return i.created }

// Sign returns the 64-byte Ed25519 signature of msg (see [protocol.Signer]). It never fails.
func (i *Identity) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(i.key, msg), nil }

// HostKey returns the key in the form that the libp2p host wants. It contains the secret: do not log or store it.
func (i *Identity) HostKey() crypto.PrivKey { return i.host }

// X25519 returns the public key that Hello announces.
func (i *Identity) X25519() [32]byte { return [32]byte(i.dh.PublicKey().Bytes()) }

// Exchange returns the X25519 shared secret with another node's announced key. It fails for a key of low order, which
// would give the same "secret" to everybody.
func (i *Identity) Exchange(theirs [32]byte) ([]byte, error) {
	pub, err := ecdh.X25519().NewPublicKey(theirs[:])
	if err != nil {
		return nil, fmt.Errorf("their X25519 key: %w", err)
	}
	secret, err := i.dh.ECDH(pub)
	if err != nil {
		return nil, fmt.Errorf("their X25519 key: %w", err)
	}
	return secret, nil
}

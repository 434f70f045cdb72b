package protocol

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/zeebo/blake3"
	"pgregory.net/rapid"
)

func drawPublicKey(t *rapid.T, label string) ed25519.PublicKey {
	seed := rapid.SliceOfN(rapid.Byte(), ed25519.SeedSize, ed25519.SeedSize).Draw(t, label)
	return ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
}

func TestNodeIDKeyAndPeerIDConvertBothWays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pub := drawPublicKey(t, "seed")
		id := NewNodeID(pub)
		if parsed, err := ParseNodeID(string(id)); err != nil || parsed != id {
			t.Fatalf("parse %s: %s, %v", id, parsed, err)
		}
		if !bytes.Equal(id.PublicKey(), pub) {
			t.Fatalf("%s gives key %x, not %x", id, id.PublicKey(), pub)
		}
		p, err := id.PeerID()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := NodeIDFromPeerID(p); err != nil || back != id {
			t.Fatalf("%s became %s, %v", id, back, err)
		}
		sum := blake3.Sum256(pub)
		if f := id.Fingerprint(); string(f) != hex.EncodeToString(sum[:])[:16] || f.Validate() != nil {
			t.Fatalf("fingerprint %q of key %x", f, pub)
		}
	})
}

func TestOneKeyHasOneNodeID(t *testing.T) {
	good := string(anna.NodeID())
	b64 := strings.TrimPrefix(good, NodeIDPrefix)
	unused := b64[:42] + string(base64Next(b64[42])) + "=" // other unused bits in the last character
	if raw, err := base64.StdEncoding.DecodeString(unused); err != nil || !bytes.Equal(raw, anna.NodeID().PublicKey()) {
		t.Fatalf("%s is no second spelling: %v", unused, err)
	}
	for name, s := range map[string]string{
		"empty": "", "prefix only": NodeIDPrefix, "no prefix": b64, "other case": strings.ToUpper(good), "space before": " " + good,
		"line break after": good + "\n", "line break within": NodeIDPrefix + b64[:20] + "\n" + b64[20:], "unused bits set": NodeIDPrefix + unused,
		"url alphabet": NodeIDPrefix + base64.URLEncoding.EncodeToString(bytes.Repeat([]byte{0xff}, 32)), "no padding": strings.TrimSuffix(good, "="),
		"31 bytes": NodeIDPrefix + base64.StdEncoding.EncodeToString(make([]byte, 31)), "33 bytes": NodeIDPrefix + base64.StdEncoding.EncodeToString(make([]byte, 33)),
		"other algorithm": strings.Replace(good, "ed25519", "ed448", 1),
	} {
		t.Run(name, func(t *testing.T) {
			if id, err := ParseNodeID(s); !errors.Is(err, ErrNodeID) || id != "" {
				t.Errorf("%q gives %q, %v", s, id, err)
			}
			id := NodeID(s)
			if !errors.Is(id.Validate(), ErrNodeID) || id.PublicKey() != nil || id.Fingerprint() != "" {
				t.Errorf("%q: %v, %x, %q", s, id.Validate(), id.PublicKey(), id.Fingerprint())
			}
			if _, err := id.PeerID(); !errors.Is(err, ErrNodeID) {
				t.Errorf("%q has a peer ID: %v", s, err)
			}
		})
	}
}

// base64Next returns the character after c in the standard alphabet.
func base64Next(c byte) byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	return alphabet[strings.IndexByte(alphabet, c)+1]
}

func TestPeersWithOtherKeysHaveNoNodeID(t *testing.T) {
	_, ecdsa, err := crypto.GenerateECDSAKeyPair(bytes.NewReader(bytes.Repeat([]byte{7}, 1024)))
	if err != nil {
		t.Fatal(err)
	}
	hashed := must(peer.IDFromPublicKey(ecdsa)) // does not contain the key
	_, secp, err := crypto.GenerateSecp256k1Key(bytes.NewReader(bytes.Repeat([]byte{7}, 1024)))
	if err != nil {
		t.Fatal(err)
	}
	small := must(peer.IDFromPublicKey(secp)) // contains the key
	// The same Ed25519 key with a needless field in its protobuf: another peer ID of the same key.
	usual := must(crypto.MarshalPublicKey(must(crypto.UnmarshalEd25519PublicKey(anna.NodeID().PublicKey()))))
	spelling := append(usual, 0x18, 0x01)
	second := peer.ID(append([]byte{0x00, byte(len(spelling))}, spelling...)) // a multihash of kind "identity"
	if key, err := second.ExtractPublicKey(); err != nil || key.Type() != crypto.Ed25519 {
		t.Fatalf("the second spelling is not readable: %v", err)
	}
	for name, p := range map[string]peer.ID{"hashed key": hashed, "secp256k1": small, "second spelling": second, "empty": "", "garbage": "nonsense"} {
		if id, err := NodeIDFromPeerID(p); err == nil || id != "" {
			t.Errorf("%s: %q, %v", name, id, err)
		}
	}
}

func TestFingerprintIsSixteenLowerCaseHexDigits(t *testing.T) {
	good := anna.NodeID().Fingerprint()
	if err := good.Validate(); err != nil || len(good) != 16 {
		t.Fatalf("%q: %v", good, err)
	}
	for _, bad := range []Fingerprint{"", good[:15], good + "0", Fingerprint(strings.ToUpper(string(good))), good[:15] + "g", " " + good[1:]} {
		if bad.Validate() == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

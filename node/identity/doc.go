// Package identity owns the node's keys: an Ed25519 key pair in one file, made on the first start, and the one that will
// follow it in another ([Ring]); and their encrypted backup.
//
// The same key names the node (its node ID and fingerprint), is its libp2p host key, and signs every message. The file
// is PKCS#8 in PEM, readable by its owner only, with a line of text above the block which says when it was made:
//
//	caro-node identity, created 2026-01-31T12:00:00Z. Keep this file secret.
//	-----BEGIN PRIVATE KEY-----
//	…
//	-----END PRIVATE KEY-----
//
// The static X25519 key that Hello announces is derived from the Ed25519 seed with HKDF-SHA-256 under its own context,
// so that there is one secret to keep, back up and lose. The derivation is one-way: neither key tells the other.
//
// A key is replaced only on a person's wish. A file that is damaged, of another kind, or open to others is refused with
// an error that says what to do, and is never overwritten.
package identity

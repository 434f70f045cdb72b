// Package hello is the protocol /caro/hello/1.0.0: two nodes introduce themselves before anything else is said.
//
// # Exchange
//
// Whoever dialled opens one stream and sends Hello (message 0x0001); the other answers HelloAck (0x0002), and that
// settles both directions. Both are CBOR maps with integer keys inside a version-1 envelope, which every version of the
// protocol keeps for Hello, so that the versions can be compared at all.
//
//	Hello     1 identity   NodeIdentity of the sender
//	          2 x25519     32 bytes, the sender's static X25519 public key
//	          3 versions   1 to 16 protocol versions that it speaks, rising
//	          4 next_digest  32 bytes: BLAKE3 of the public key that alone may follow the sender's
//	          5 rotations    list of at most 16 KeyRotation statements (byte strings), oldest first: how the sender
//	                         came to its key; longer histories leave out the oldest
//
//	HelloAck  1 status     "accepted", "denied", "no_common_version", "clock_skew" or "try_later"
//	          2 reason     one sentence, with every status but accepted
//	          3 identity   NodeIdentity of the answering node   ┐
//	          4 x25519     its static X25519 public key         │ with accepted only
//	          5 version    the highest version that both speak  │
//	          6 next_digest  as in Hello                        │
//	          7 rotations    as in Hello, may be empty          ┘
//
// Later, whenever its display name or its capabilities have changed (its user lowered what it ever shares, say), an admitted
// node sends Capabilities (0x0003) on a stream of its own, at most every ten seconds and the latest state only:
//
//	Capabilities  1? display_name   as in NodeIdentity; absent: it has none any more
//	              2  capabilities   as in NodeIdentity
//
// There is no answer; the end of the stream says that it was taken. It replaces what the Hello of the connection said. From
// a node whose Hello was not accepted it is refused, unread by any handler. Both kinds of request share one rate.
//
// A node that is refused learns the status and the reason, and neither name nor capabilities of who refused it.
//
// # Admission
//
// The answering node checks the identity against the authenticated peer, then the versions, then the rotations (each
// statement verifies, follows the one before, and the last leads to the sender's key), then asks Admit (its policy). The dialling node asks its own Admit about the identity in the answer. Who passed is recorded in the
// [Registry]; no other protocol serves a peer that is not recorded. The record ends with the last connection that was
// open when the Hello was accepted. A connection that does not lead to an accepted Hello within a few seconds is closed,
// and so is one whose Hello was refused, once the answer has been read.
package hello

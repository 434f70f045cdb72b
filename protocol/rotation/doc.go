// Package rotation is the protocol /caro/rotation/1.0.0: a node that is about to change its key tells its peers, so that
// they know the new key when it comes.
//
//	KeyRotation     0x0300  CBOR map: 1 rotations  list of 1 to 16 KeyRotation statements (byte strings), oldest first; the
//	                                               last leads from the sender's key to its new one
//	KeyRotationAck  0x0301  CBOR map: 1 status     "accepted", "unproven" or "refused"
//	                                  2? reason    one sentence, with every status but accepted
//
// Who is not connected learns the same from the rotations in Hello, at the next meeting. The statement itself, and how it
// is signed, stands in the comment of package protocol.
//
// # When a statement is believed
//
// The signatures show that somebody has both keys. A thief of the current key has it, and can make a new one. So each node
// commits ahead to the key that it will have next: Hello carries the digest of that key, which can lie in a drawer. A
// receiver keeps, for each node that it trusts by name, the first digest that it saw; later ones do not replace it. It
// believes a statement when
//
//   - both signatures verify, and the times fit each other and are not ahead of its own clock by more than 5 minutes;
//   - the digest of the new key is the one that it keeps for the old key, or that the statement before names;
//   - the old key is not denied, and was not followed by another key before;
//   - the new key follows no other key.
//
// A chain is followed link by link, each link's digest being the next_digest of the one before; links before the first
// key that the receiver knows are skipped. A statement that contradicts what is known ("refused") is a violation. Where
// the receiver knows none of the keys ("unproven"), nothing follows from it: a person decides about the new node, and is
// told whose successor it says to be.
//
// From a believed statement on, the new key gets what the old one was trusted with, and the old one is refused after
// old_expires; at once, where the reason is "compromised".
package rotation

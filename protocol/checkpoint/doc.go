// Package checkpoint is the protocol /caro/checkpoint/1.0.0: a node shows what its audit log has become to a peer, who
// remembers it and says so under its own key, but only if the log has done nothing but grow since it last looked. From then
// on not even the owner of the log's machine can rewrite it unnoticed.
//
//	CheckpointPush  0x0400  CBOR map: 1 note         the signed checkpoint (byte string, at most 1,024): protocol.SignCheckpoint
//	                                  2 old_size     how many entries the sender thinks the receiver knows; 0: none
//	                                  3 proof        list of at most 64 hashes (byte strings of 32): RFC 6962 consistency proof
//	                                                 from old_size to the note's size; empty when one of them is 0 or both are equal
//	CheckpointAck   0x0401  CBOR map: 1 status       "cosigned", "stale", "conflict" or "refused"
//	                                  2 size         how many entries of that log the receiver knows; 0: none
//	                                  3? cosignature byte string of 72, with "cosigned" only: protocol.Cosign
//	                                  4? reason      one sentence, with "conflict" and "refused" only
//
// The note is signed by the sender itself. A receiver that knows a checkpoint of the log, be it under an earlier key of the
// sender by rotations that it believes, judges by the rule of C2SP tlog-witness:
//
//   - the note covers fewer entries than it knows, or as many with another root: "conflict";
//   - as many with the same root: "cosigned" again;
//   - more, and old_size is not what it knows: "stale", and the sender tries again with a proof from size;
//   - more, and the proof does not hold: "conflict"; otherwise it stores the note in the other's place, durably, and only
//     then cosigns.
//
// A conflict is kept as evidence: two notes signed by one node that cannot both be true. "refused" means that the receiver
// vouches for nodes only that it trusts as peers.
package checkpoint

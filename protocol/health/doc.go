// Package health is the gossip topic caro/health/1: every node tells the whole mesh, over its neighbours, that it is there
// and how it is.
//
// # Carrier
//
// gossipsub v1.1 (protocol /meshsub/1.1.0, libp2p pubsub specification) between admitted neighbours: nodes whose Hello
// was accepted on both sides. It opens no connection and needs no other: peer exchange is ignored, in PRUNE messages
// that come in and in those that go out. A node subscribes to this topic and no other; subscriptions to others are
// ignored, messages on others refused.
//
//	message     fields "data" and "topic" only; "from", "seqno", "signature" and "key" must be absent, since the status
//	            carries the signature of the node that says it, which need not be the neighbour who passes it on
//	data        a signed NodeHealthStatus as package protocol describes it, at most 4,096 bytes
//	message ID  the first 16 bytes of BLAKE3(data)
//	RPC         at most 16,384 bytes, with its length before it as an unsigned varint
//
// # Saying
//
// A node with at least one neighbour on the topic publishes a status every 30 seconds, each time 20 % more or less by
// chance, so that a mesh does not speak in chorus. Two seconds after a neighbour has joined it publishes one more, unless
// the last was less than 12 seconds ago.
//
// # Believing
//
// Each status is judged before it is passed on, in this order, cheapest first:
//
//	size       longer than 4,096 bytes, or shorter than any status can be     ErrTooLarge, ErrMalformed
//	encoding   see package protocol                                           ErrMalformed, ErrNotDeterministic
//	author     it is our own                                                  ignored
//	timestamp  more than 5 minutes from the receiver's clock, either way      ignored
//	sequence   not above the last accepted of its node                        ignored
//	trust      the receiver's policy would not let its node connect           ignored
//	rate       more than one in 10 seconds of its node, two at once           ignored
//	signature  does not verify                                                ErrSignature
//
// What is refused with an error no honest neighbour would have passed on: it is held against the neighbour. What is
// ignored may be honest (neighbours differ in whom they trust, and in their clocks); it is counted, and goes no further
// from here. Only a status that passed everything is remembered. Ten minutes after the last accepted status of a node
// any sequence number of it is accepted, since what was said before is too old by then.
//
// A status of a node which is not connected comes without an address, so that rules about subnets cannot speak for it:
// such a node has to be trusted by its ID, or by default, to be heard through others.
//
// # Bounds
//
// What one neighbour sends is read at 64 KiB a second after the first 256 KiB, so that a flood stops at its own end of
// the connection. A mesh of 1,000 nodes makes about 8 KiB a second. Admission is asked again for every frame that is
// read or written: a neighbour that is no longer trusted neither hears nor is heard, even before its connection ends.
package health

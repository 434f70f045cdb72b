// Package summary is the protocol /caro/summary/1.0.0: a node hands its own signed summary (L1) to another.
//
//	SummaryPush  0x0100  payload: the bytes of protocol.SignSummary, unchanged
//	SummaryAck   0x0101  CBOR map: 1 summary_id   the ID of the pushed summary
//	                               2 status       "accepted", "duplicate" or "refused"
//	                               3 reason       one sentence, with "refused" only
//	                               4 code         one word for the reason, with "refused" only
//
// Only the node that a summary is about may push it, under the key that signed it or under one that followed it by the
// rotations in its Hello. "duplicate" means that the same bytes were accepted before, which
// makes pushing again after a lost answer safe. A refusal is final for this summary: pushing it again changes nothing
// before a person changes something. There are two exceptions. With the code "full" the receiver may have room later. With
// "out_of_order" a correction replaces another summary than the one which the receiver holds, whose acknowledgement may
// have been lost: the node pushes what lies between, in its order, and then the correction again.
package summary

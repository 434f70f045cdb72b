// Package protocol holds the nouns of the mesh, their validation and their form on the wire. It imports nothing else of
// this module, and nothing in it opens a connection or a file. The folders below it hold one protocol each, and state
// what is sent when.
//
// This comment is the specification of the wire, version 1. A second implementation needs it, the vectors in testdata
// and the comments of the folders below; docs/protocol.md is all of it in one document, with an example byte by byte. Sizes are in bytes, times in UTC, integers unsigned unless it says otherwise.
//
// # Encoding
//
// Everything is CBOR (RFC 8949) in the core deterministic encoding of its section 4.2.1: shortest form of every integer,
// length and float; map keys in byte order; definite lengths only. There are no tags, no simple values but true and
// false, no NaN and no infinity. Messages are maps with small integer keys; all fields are present, except those marked
// with "?", which are absent when empty and never null. Lists may be empty, never null. Text is UTF-8, and unless it is
// of a fixed form holds printable characters and the ASCII space only, since people see it on terminals.
//
// A receiver refuses whatever a sender could not have produced by these rules: duplicate, unknown and missing keys,
// trailing bytes, values outside the vocabulary, nesting deeper than 8 levels, lists of more than 10,000 items. The
// simplest way, taken here, is to decode strictly, encode again and compare. Signed parts are nevertheless never encoded
// again to be verified: they travel as byte strings.
//
// # Names
//
//	node ID      text, 57 bytes: "caro:ed25519:" and the standard base64 (padded, unused bits zero) of an Ed25519 public key
//	fingerprint  text, 16 lower-case hex digits: the first 8 bytes of BLAKE3(public key)
//	timestamp    integer, may be negative: nanoseconds since 1970-01-01T00:00:00Z
//	UUID         text, 36 bytes in lower case with hyphens
//	category     text: git docker kubernetes npm cargo file_ops network system editor other, or "other:" and a public tool name
//
// The public tool names are those of tools.go, and a part of this version: any other name could be private, so a message
// with one is refused. The words of the other vocabularies stand in vocabulary.go and are sent as text, except for the
// data level, which is sent as its number.
//
// # Signed messages
//
// A summary, a query, a response, a receipt and a health status carry a signature of their own, and so can be verified after they
// were stored or relayed. On the wire, and in the store, each is
//
//	1 body       byte string: the encoded message, exactly the bytes that were signed
//	2 signature  map: 1 signer     fingerprint of the node that signed
//	                  2 value      byte string, 64: an Ed25519 signature (RFC 8032, pure)
//	                  3 timestamp  when it was signed, by the signer's clock
//
// The signature covers a context string, followed directly by the encoding of the list [body, signer, timestamp]. The
// signer must be the node that the body is of: key 2 of a summary, of a query, of a response and of a receipt,
// key 1 of a health status.
//
//	summary   "caro-mesh summary v1" and a zero byte
//	query     "caro-mesh query v1" and a zero byte
//	response  "caro-mesh response v1" and a zero byte
//	receipt   "caro-mesh receipt v1" and a zero byte
//	health    "caro-mesh health v1" and a zero byte
//	envelope  "caro-mesh envelope v1" and a zero byte
//	rotation  "caro-mesh rotation endorsed v1" and "caro-mesh rotation accepted v1", each with a zero byte
//
// Checkpoints of the audit log and their cosignatures are notes, signed as they stand: their signed bytes begin with
// "caro-node/" and "cosignature/v1".
//
// No context is the beginning of another, so no two kinds of message share signed bytes.
//
// # Messages
//
// NodeIdentity (not signed by itself; it travels inside an envelope):
//
//	1  node_id
//	2  fingerprint      that of node_id
//	3? display_name     at most 64 bytes
//	4  capabilities     map: 1 protocol_version (at least 1), 2 caro_version (at most 64 bytes), 3 max_share_level (0 raw,
//	                    1 summarized, 2 aggregated), 4 can_aggregate (bool), 5 supported_queries (list, each once)
//	5  created_at       timestamp
//
// NodeSummary, the counts of one node over one period:
//
//	1  id               UUID
//	2  node_id
//	3  period           map: 1 start, 2 end, 3 granularity: "hourly", "daily" or "weekly", aligned in UTC, weeks from Monday
//	4  category_stats   list, sorted by category in byte order, each category once: map of 1 category, 2 count,
//	                    3 avg_duration_ms (float), 4 failure_rate (float), 5 duration_ms_sum, 6 timed_count, 7 failure_count
//	5  hourly_activity  list of 24 counts, by hour of the day; an hourly summary has them all in its own hour
//	6  daily_activity   list of 7 counts, by weekday from Monday; an hourly or daily summary has them all on its own weekday
//	7  safety_stats     map: 1 by_risk (map: 1 safe, 2 moderate, 3 high, 4 critical), 2 blocked_count,
//	                    3 user_confirmed_risky, 4 caro_generated, 5 caro_executed
//	8  total_commands
//	9  unique_patterns
//	10 generated_at     timestamp
//
// The counts of the categories, of the hours, of the weekdays and of the risk levels each add up to total_commands; no
// other count exceeds it. Timed and failed commands are no more than their category's count. avg_duration_ms is
// duration_ms_sum / timed_count and failure_rate is failure_count / count, each one division of two float64 and 0 when
// it would divide by 0; the receiver divides again and compares bits.
//
// MeshQuery:
//
//	1  query_id         UUID
//	2  requester        node ID
//	3  query_type       "tool_usage", "safety_posture", "activity_patterns", "anomalies" or "node_health"
//	4  time_range       map: 1 start (inclusive), 2 end (exclusive): whole hours, at most 366 days apart
//	5  filters          list of at most 16: map of 1 field (1 to 64 bytes), 2 operator, 3 value (at most 1,024 bytes)
//
// MeshResponse:
//
//	1  query_id         that of the query
//	2  responder        node ID
//	3  status           "success", "access_denied", "not_supported", "error" or "no_data"
//	4? reason           at most 512 bytes
//	5? data             present exactly when status is "success"; exactly one key:
//	                    1 tool_usage         1 by_category (list, sorted, each once: 1 category, 2 count, 3 node_count,
//	                                         4 duration_ms_sum, 5 timed_count, 6 failure_count), 2 total_commands, 3 time_range
//	                    2 safety_posture     1 by_risk, 2 blocked_count, 3 confirmed_risky, 4 total_commands
//	                    3 activity_patterns  1 hourly (24 counts), 2 daily (7 counts), 3 active_nodes
//	                    4 anomalies          1 items (list of at most 256: 1 anomaly_type, 2 severity 1 to 10,
//	                                         3 node_fingerprint, 4 detected_at, 5 description of at most 512 bytes)
//	                    5 node_health        1 fingerprint, 2 online (bool), 3 last_seen, 4 protocol_version,
//	                                         5 uptime_seconds, 6 event_count_24h
//	6  contributors     list of fingerprints, sorted, each once, at most 10,000: whose counts are in data
//	7  timestamp
//
// QueryReceipt, the countersignature of who asked under the answer that it got:
//
//	1  query_id         that of the query
//	2  requester        node ID
//	3  responder        node ID, another one
//	4  response         byte string, 32, not zero: BLAKE3 of the payload of QueryResponse, its signature included
//	5  timestamp
//
// KeyRotation, a node's statement that it goes on under another key, is signed by both keys. On the wire, and in the
// store, it is a map of at most 512 bytes: 1 body (byte string), 2 endorsed (signature by the old key), 3 accepted
// (signature by the new key); each signature is made as above, under its own context. The body:
//
//	1  old_id
//	2  new_id           another one
//	3  generation       1 for a node's first rotation, then 2, 3, …, at most 2^48
//	4  issued_at        timestamp
//	5  valid_from       timestamp, from issued_at to 30 days later
//	6  old_expires      timestamp, from valid_from to 30 days later; until then both keys are the node's
//	7  next_digest      byte string, 32: BLAKE3 of the public key that alone may follow new_id; of neither old_id nor new_id
//	8  reason           "scheduled", or "compromised" (then old_expires is valid_from)
//
// When a statement is believed is told in the comment of protocol/rotation.
//
// Data holds sums, never shares: averages, rates and percent are computed once, at the end, so that merging loses
// nothing. In tool_usage the categories add up to total_commands; in safety_posture by_risk counts the commands that were
// assessed, no more than total_commands; in activity_patterns hours and weekdays add up to the same. No count or sum in a
// message exceeds 2^48, so that sums over 10,000 messages fit 63 bits.
//
// NodeHealthStatus, on the topic caro/health/1 (package health), never in an envelope:
//
//	1  node_id
//	2  sequence         at least 1; rises with every status of the node, across restarts too
//	3  timestamp        when it was made; key 3 of the signature has the same
//	4  protocol_version at least 1
//	5  caro_version     at most 64 bytes
//	6  uptime_seconds
//	7? event_count_24h  present only if the node's policy lets it be told; 0 is written out
//	8  status           "ok" or "degraded"
//
// # Envelope
//
// Every message travels in an envelope:
//
//	1 magic      byte string 43 41 52 4F ("CARO")
//	2 version    1
//	3 msg_type   see below
//	4 sender     node ID
//	5 timestamp  when it was sealed, by the sender's clock
//	6 nonce      byte string, 16 random bytes
//	7 sequence   at least 1; a sender never uses a number twice, not even after a crash or a restart
//	8 payload    byte string: the encoded message
//	9 signature  byte string, 64
//
// The signature covers the envelope's context string, followed directly by the encoding of the list [version, msg_type,
// sender, timestamp, nonce, sequence, payload]. The first nine bytes of an envelope are therefore always
// A9 01 44 43 41 52 4F 02 01. Envelopes of later versions keep keys 1 and 2 and have at most 23 keys, so that bytes 2 to 8
// and the version after them can be told before the rest is understood.
//
//	/caro/hello/1.0.0    Hello 0x0001, HelloAck 0x0002                        at most 16,384 bytes, envelope included
//	                     Capabilities 0x0003 (no answer)                      16,384
//	/caro/ping/1.0.0     Ping 0x0010, Pong 0x0011                             1,024
//	/caro/summary/1.0.0  SummaryPush 0x0100                                   262,144
//	                     SummaryAck 0x0101                                    4,096
//	/caro/query/1.0.0    Query 0x0200                                         65,536
//	                     QueryResponse 0x0201                                 1,048,576
//	                     QueryReceipt 0x0202 (no answer, may be left out)     1,024
//	/caro/rotation/1.0.0 KeyRotation 0x0300                                   8,192
//	                     KeyRotationAck 0x0301                                1,024
//	/caro/checkpoint/1.0.0 CheckpointPush 0x0400                              4,096
//	                     CheckpointAck 0x0401                                 1,024
//	/caro/goodbye/1.0.0  Goodbye 0xFFFF (no answer)                           1,024
//
// Health statuses travel without an envelope over the gossip topic caro/health/1, signature included at most 4,096 bytes.
//
// The payloads of the streams that carry no summary, query, response or receipt are described in the packages of their protocols:
// hello, ping, summary (SummaryAck), rotation, checkpoint and goodbye.
//
// On a stream, an envelope is preceded by its length as an unsigned varint (seven bits a byte, least significant first,
// the high bit set on all but the last) of at most five bytes and in its shortest form.
//
// # Acceptance
//
// A receiver checks in this order, cheapest first, and refuses with the first error that applies:
//
//	length       longer than the stream's limit allows (before anything is read)    ErrTooLarge
//	magic        bytes 2 to 8 are not 01 44 43 41 52 4F 02                           ErrMagic
//	version      not 1                                                              ErrVersion
//	encoding     see above                                                          ErrMalformed, ErrNotDeterministic
//	type         not one that the stream carries in this direction                  ErrType
//	sender       not the peer that the connection authenticated                     ErrSender
//	timestamp    more than 5 minutes from the receiver's clock, either way          ErrClockSkew: ErrTooOld, ErrFromFuture
//	sequence     0, used before, or 1,024 or more below the highest of the sender   ErrSequence
//	nonce        used by this sender within the last 10 minutes                     ErrNonce
//	quota        30,200 messages of this sender within the last 10 minutes          ErrNonceQuota
//	signature    does not verify                                                    ErrSignature
//
// Only a message that passed all of these is remembered, so a forged one cannot use up a genuine one's number. Then its
// payload is decoded and validated, by its own errors ErrMalformed, ErrNotDeterministic and ErrSignature (ErrSigner when
// it says itself that another node than the one it is of has signed it). A refused
// message is dropped and counted.
//
// # Replay
//
// "Greater than the last number" would be the simplest rule, and loses honest messages: a node has several streams to
// the same peer, and the message that was sealed first can arrive second. Hence a window as in RFC 4303 section 3.4.3: the
// receiver keeps the highest number of each sender and which of the 1,024 numbers up to it were used, and accepts each
// at most once. 1,024 is far more than the messages that one node has on the way to another at any moment.
//
// Nonces are kept for 10 minutes, twice the allowed skew: a message whose timestamp is 5 minutes ahead when it arrives
// stays acceptable for 10. A sender from whom nothing came for longer is forgotten altogether, since its old messages are
// refused by their age. All of this is kept for each sender by itself. The quota (50 messages a second for 10 minutes,
// and 200 more) bounds it to about 2 MiB a sender, and no flood of one sender can push out what is known of another.
//
// The memory does not outlive the process. After a restart an envelope of the last 5 minutes would be accepted once more,
// but only from the node that sealed it, because connections are authenticated; stored messages have IDs, by which a
// repetition is recognised.
package protocol

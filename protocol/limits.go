package protocol

import "time"

// Every limit of the wire stands here, with its arithmetic. Both sides of each boundary are tested.

// Version is the protocol version of this package.
const Version = 1

// Message sizes in bytes, envelope included.
const (
	// MaxHello holds an identity (at most 360 bytes), MaxVersions versions and MaxRotations statements (at most 432 bytes
	// each, 6,912 together), with room for growth.
	MaxHello = 16 << 10
	// MaxRotation holds MaxRotations statements and the envelope around them, about 7,200 bytes.
	MaxRotation = 8 << 10
	// MaxRotationAck holds a status and a reason.
	MaxRotationAck = 1 << 10
	// MaxCheckpoint holds a note, MaxProof hashes of 34 bytes and the envelope, about 3,500 bytes; MaxCheckpointAck holds a
	// cosignature, a number and a reason.
	MaxCheckpoint    = 4 << 10
	MaxCheckpointAck = 1 << 10
	// MaxPing holds two timestamps: about 250 bytes, nearly all of them envelope.
	MaxPing = 1 << 10
	// MaxGoodbye holds one word.
	MaxGoodbye = 1 << 10
	// MaxSummary holds MaxCategories × 100 bytes and 45 other counts of 9 bytes: 103 KiB.
	MaxSummary = 256 << 10
	// MaxSummaryAck holds a status, an ID and a reason.
	MaxSummaryAck = 4 << 10
	// MaxQuery holds MaxFilters × (MaxFilterField + MaxFilterValue + 23) = 16 × 1,111 bytes: 18 KiB.
	MaxQuery = 64 << 10
	// MaxResponse holds MaxContributors × 17 bytes = 167 KiB, and either MaxCategories × 86 bytes = 86 KiB or
	// MaxAnomalies × 570 bytes = 143 KiB: 311 KiB.
	MaxResponse = 1 << 20
	// MaxReceipt holds two node IDs, a UUID, a digest, two times and a signature: 316 bytes.
	MaxReceipt = 1 << 10
	// MaxHealth is the largest signed health status: at most 310 bytes today, the rest is room for growth.
	MaxHealth = 4 << 10
	// MaxGossip is the largest RPC between gossip routers: three of the largest statuses, about 60 of today's, or the IDs
	// of 900.
	MaxGossip = 16 << 10
)

// Rates of gossip.
const (
	// HealthEvery is the time in which one status of a node is believed, in the long run; HealthBurst at once. A node
	// speaks every 30 seconds, and once more when it has a new neighbour or was started again.
	HealthEvery = 10 * time.Second
	HealthBurst = 2
	// GossipRate is how many bytes a second are read from one neighbour in the long run, GossipBurst how many at once. A
	// mesh of 1,000 nodes has 33 statuses a second of 240 bytes with their frames, which is 8 KiB when all come
	// from the same neighbour; once each at the same moment they are 235 KiB.
	GossipRate  = 64 << 10
	GossipBurst = 256 << 10
)

// sizes is the largest envelope of each message in bytes.
var sizes = map[MsgType]int{
	MsgHello: MaxHello, MsgHelloAck: MaxHello, MsgCapabilities: MaxHello,
	MsgPing: MaxPing, MsgPong: MaxPing,
	MsgSummaryPush: MaxSummary, MsgSummaryAck: MaxSummaryAck,
	MsgQuery: MaxQuery, MsgQueryResponse: MaxResponse, MsgQueryReceipt: MaxReceipt,
	MsgGoodbye:  MaxGoodbye,
	MsgRotation: MaxRotation, MsgRotationAck: MaxRotationAck,
	MsgCheckpointPush: MaxCheckpoint, MsgCheckpointAck: MaxCheckpointAck,
}

// MaxSize returns how many bytes an envelope of type t may have; 0 for a type that does not exist.
func MaxSize(t MsgType) int { return sizes[t] }

// Counts of things, and lengths of text in bytes of UTF-8, inside messages.
const (
	// MaxCategories is above the number of categories that exist: 10, and one for each of the 763 public tools.
	MaxCategories = 1024
	// MaxContributors is ten times the largest mesh that was simulated; it also bounds every list on the wire.
	MaxContributors = 10_000
	MaxAnomalies    = 256     // in one answer
	MaxFilters      = 16      // in one query
	MaxFilterField  = 64      // bytes
	MaxFilterValue  = 1 << 10 // bytes
	MaxDisplayName  = 64      // bytes
	MaxReason       = 512     // bytes; also an anomaly's description
	MaxVersionText  = 64      // bytes
	MaxVersions     = 16      // protocol versions in one Hello
	// MaxRotations is how many statements one message may have: a node that changes its key every month and met nobody
	// for a year is still recognised.
	MaxRotations = 16
	// MaxRotationStatement: two node IDs, a digest, four numbers, a reason and two signatures take at most 432 bytes.
	MaxRotationStatement = 512
	// MaxCheckpointNote: a name, a number, a root, what was removed and a signature take at most 280 bytes; the rest is room
	// for lines of later versions.
	MaxCheckpointNote = 1 << 10
	// MaxProof is how many hashes show that one tree is the beginning of another: at most 49 for MaxCount entries.
	MaxProof = 64
	// MaxGrace is how long an old key may stay valid beside the new one, and how far ahead a rotation may be announced.
	MaxGrace = 30 * 24 * time.Hour
	// MaxQueryRange is a leap year; summaries are kept for 365 days unless configured otherwise.
	MaxQueryRange = 366 * 24 * time.Hour
	// MaxCount bounds every count and every sum in one message: 2^48 commands is one every microsecond for nine
	// years, and sums over MaxContributors messages (below 2^14) still fit 63 bits.
	MaxCount = 1 << 48
)

// Codec bounds, given to the CBOR decoder before anything is allocated.
const (
	// maxNesting: the deepest message is a response: map, data, tool usage, list, category.
	maxNesting       = 8
	maxArrayElements = MaxContributors
	maxMapPairs      = 1024
)

// Clock and replay bounds.
const (
	// MaxSkew is how far a sender's clock may be from ours.
	MaxSkew = 5 * time.Minute
	// WarnSkew is the skew from which people are told.
	WarnSkew = time.Minute
	// NonceSize in bytes.
	NonceSize = 16
	// MaxRate is the number of messages per second accepted from one sender, sustained; MaxBurst at once.
	MaxRate  = 50
	MaxBurst = 200
	// maxNonces per sender: no more than MaxRate × 2 × MaxSkew + MaxBurst = 30,200 messages can be inside the window.
	// Each takes 24 bytes in order of arrival and about 30 in the set, plus what their growth leaves free: 2 MiB for a
	// peer that floods without pause for ten minutes, and below 1 KiB for one that does not.
	maxNonces = MaxRate*2*int(MaxSkew/time.Second) + MaxBurst
	// sequenceWindow is how far behind the highest sequence a message may arrive: concurrent streams of one sender
	// overtake each other, and at most this many are in flight.
	sequenceWindow = 1024
)

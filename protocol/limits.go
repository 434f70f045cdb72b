package protocol

import "time"

// Every limit of the wire stands here, with its arithmetic. Both sides of each boundary are tested.

// Version is the protocol version of this package.
const Version = 1

// Message sizes in bytes, envelope included.
const (
	// MaxHello holds an identity (about 400 bytes), 5 query types and 16 versions, with room for growth.
	MaxHello = 16 << 10
	// MaxSummary holds MaxCategories × about 120 bytes plus 31 activity counters of at most 9 bytes: below 70 KiB.
	MaxSummary = 256 << 10
	// MaxSummaryAck holds a status, an ID and a reason.
	MaxSummaryAck = 4 << 10
	// MaxQuery holds MaxFilters × (MaxFilterField + MaxFilterValue) = 16 × 1,088 bytes: below 20 KiB.
	MaxQuery = 64 << 10
	// MaxResponse holds MaxCategories × about 60 bytes and MaxContributors × about 70 bytes: below 800 KiB.
	MaxResponse = 1 << 20
)

// Counts and lengths inside messages.
const (
	MaxCategories   = 512
	MaxContributors = 10_000
	MaxAnomalies    = 256
	MaxFilters      = 16
	MaxFilterField  = 64
	MaxFilterValue  = 1 << 10
	MaxDisplayName  = 64
	MaxReason       = 512
	MaxVersionText  = 64
	MaxVersions     = 16
	// MaxQueryRange is one year and a day: audited, stored summaries live no longer.
	MaxQueryRange = 366 * 24 * time.Hour
	// MaxCount bounds every count: 2^48 commands is one every microsecond for nine years, and sums of
	// MaxContributors such counts still fit 63 bits.
	MaxCount = 1 << 48
)

// Codec bounds, given to the CBOR decoder before anything is allocated.
const (
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
	// maxNonces per sender: no more than MaxRate × 2 × MaxSkew + MaxBurst = 30,200 messages can be inside the window, at
	// 24 bytes each below 1.5 MiB for a peer that floods without pause and a few hundred bytes for one that does not.
	maxNonces = MaxRate*2*int(MaxSkew/time.Second) + MaxBurst
	// sequenceWindow is how far behind the highest sequence a message may arrive: concurrent streams of one sender
	// overtake each other, and at most this many are in flight.
	sequenceWindow = 1024
)

package health

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/caro-mesh/caro-node/protocol"
)

// maxHeard is how many nodes are remembered: four times the largest mesh that was simulated. Each takes about 400 bytes,
// so that all take 1.6 MiB.
const maxHeard = 4096

// forgetAfter is when a silent node may be forgotten: what it said before is refused by its age by then, twice over.
const forgetAfter = 2 * protocol.MaxSkew

// Why a status of another node is ignored.
var (
	errOwn       = errors.New("it is this node's own status")
	errOld       = errors.New("a later status of the node was accepted before")
	errUntrusted = errors.New("its node is not trusted")
	errTooOften  = errors.New("its node speaks too often")
	errFull      = fmt.Errorf("%d other nodes are remembered already", maxHeard)
)

// Heard is what a node said last.
type Heard struct {
	Status protocol.NodeHealthStatus
	At     time.Time // when it arrived, by the receiver's clock
}

// Counts counts statuses of others.
type Counts struct {
	Accepted uint64 // believed and passed on
	Ignored  uint64 // not believed here, and perhaps elsewhere
	Refused  uint64 // held against the neighbour who sent it
}

// board remembers the last status of each node and judges new ones by it.
type board struct {
	self    protocol.NodeID
	now     func() time.Time
	trusted func(protocol.NodeID) bool

	mu     sync.Mutex
	heard  map[protocol.NodeID]*entry
	swept  time.Time // when silent nodes were last forgotten, by the machine's clock
	counts Counts
}

type entry struct {
	Heard
	since  time.Time     // of At, by the machine's clock, which nobody sets
	bucket *rate.Limiter // by the machine's clock
}

func newBoard(self protocol.NodeID, now func() time.Time, trusted func(protocol.NodeID) bool) *board {
	return &board{self: self, now: now, trusted: trusted, heard: make(map[protocol.NodeID]*entry)}
}

// take opens a status, judges it and remembers it.
func (b *board) take(wire []byte) error {
	h, err := protocol.OpenHealth(wire, b.check)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err == nil:
		if err = b.remember(h); err != nil {
			b.counts.Ignored++
		} else {
			b.counts.Accepted++
		}
	case blames(err):
		b.counts.Refused++
	default:
		b.counts.Ignored++
	}
	return err
}

// blames reports an error that no honest neighbour would have let pass.
func blames(err error) bool {
	for _, known := range []error{protocol.ErrMalformed, protocol.ErrNotDeterministic, protocol.ErrSignature, protocol.ErrTooLarge, protocol.ErrType} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// check refuses what is not wanted, before the signature is verified.
func (b *board) check(h *protocol.NodeHealthStatus) error {
	if h.NodeID == b.self {
		return errOwn
	}
	if now := b.now(); h.Timestamp.Time().Sub(now).Abs() > protocol.MaxSkew {
		return fmt.Errorf("%w: it was made at %s, this node's clock says %s", protocol.ErrClockSkew, h.Timestamp, protocol.At(now))
	}
	b.mu.Lock()
	e := b.heard[h.NodeID]
	old := e != nil && e.before(h)
	often := e != nil && e.bucket.Tokens() < 1
	b.mu.Unlock()
	switch {
	case old:
		return errOld
	case !b.trusted(h.NodeID):
		return errUntrusted
	case often:
		return errTooOften
	}
	return nil
}

// before reports that the entry is not older than h.
func (e *entry) before(h *protocol.NodeHealthStatus) bool {
	return h.Sequence <= e.Status.Sequence && time.Since(e.since) < forgetAfter
}

// remember takes a verified status, unless another one of its node came between. The caller holds mu.
func (b *board) remember(h *protocol.NodeHealthStatus) error {
	e := b.heard[h.NodeID]
	if e == nil {
		if len(b.heard) >= maxHeard {
			b.forget()
		}
		if len(b.heard) >= maxHeard {
			return errFull
		}
		e = &entry{bucket: rate.NewLimiter(rate.Every(protocol.HealthEvery), protocol.HealthBurst)}
		b.heard[h.NodeID] = e
	} else if e.before(h) {
		return errOld
	}
	if !e.bucket.Allow() {
		return errTooOften
	}
	e.Heard, e.since = Heard{Status: *h, At: b.now()}, time.Now()
	return nil
}

// forget drops nodes that have long been silent, at most once a second. The caller holds mu.
func (b *board) forget() {
	now := time.Now()
	if now.Sub(b.swept) < time.Second {
		return
	}
	b.swept = now
	for id, e := range b.heard {
		if now.Sub(e.since) >= forgetAfter {
			delete(b.heard, id)
		}
	}
}

// refuse counts what never reached take.
func (b *board) refuse() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.Refused++
}

func (b *board) last(id protocol.NodeID) (Heard, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.heard[id]; e != nil {
		return e.Heard, true
	}
	return Heard{}, false
}

func (b *board) counted() Counts {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.counts
}

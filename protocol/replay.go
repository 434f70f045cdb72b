package protocol

import (
	"fmt"
	"sync"
	"time"
)

// ReplayGuard remembers, for each sender, which sequence numbers and nonces it has used inside the window of
// 2 × [MaxSkew]. Senders do not share memory: a flood from one cannot push out the nonces of another.
//
// Sequence numbers follow the anti-replay window of RFC 4303 §3.4.3 instead of "greater than the last": a sender's
// concurrent streams overtake each other, and refusing the slower one would lose honest messages. A number is still
// accepted at most once.
//
// The guard lives in memory. After a restart, or [ReplayGuard.Forget], a message of the last [MaxSkew] could be accepted
// once more; on a direct stream only its own sender could send it, because the connection is authenticated.
type ReplayGuard struct {
	mu      sync.Mutex
	senders map[NodeID]*senderState
	swept   time.Time // when idle senders were last dropped
}

type senderState struct {
	highest uint64
	seen    [sequenceWindow / 64]uint64 // ring bitmap: bit n%sequenceWindow is set when n was used
	nonces  map[[NonceSize]byte]struct{}
	first   time.Time   // when this state began; order counts from here
	order   []usedNonce // oldest first, from head
	head    int
	last    time.Time
}

type usedNonce struct {
	nonce [NonceSize]byte
	at    time.Duration // since senderState.first; a third of the size of a time.Time, and as monotonic
}

// replayWindow is how long a nonce must be remembered: a message that is MaxSkew ahead of our clock when it arrives
// stays acceptable until our clock is MaxSkew past its timestamp.
const replayWindow = 2 * MaxSkew

// NewReplayGuard returns an empty guard.
func NewReplayGuard() *ReplayGuard {
	return &ReplayGuard{senders: make(map[NodeID]*senderState)}
}

// Check reports whether a message could still be accepted, without remembering it.
func (g *ReplayGuard) Check(sender NodeID, seq uint64, nonce [NonceSize]byte, now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.senders[sender]
	if s == nil {
		s = &senderState{}
	}
	s.expire(now)
	return s.check(seq, nonce)
}

// Commit remembers an authenticated message, or refuses it when another one took its place since [ReplayGuard.Check].
func (g *ReplayGuard) Commit(sender NodeID, seq uint64, nonce [NonceSize]byte, now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.senders[sender]
	if s == nil {
		s = &senderState{first: now, nonces: make(map[[NonceSize]byte]struct{})}
	}
	s.expire(now)
	if err := s.check(seq, nonce); err != nil {
		return err
	}
	s.use(seq)
	s.nonces[nonce] = struct{}{}
	s.order = append(s.order, usedNonce{nonce, now.Sub(s.first)})
	s.last = now
	g.senders[sender] = s
	if now.Sub(g.swept) > replayWindow {
		g.forget(now)
	}
	return nil
}

// Forget drops senders from whom nothing came for longer than the window: their messages of that time are refused by
// their age. [ReplayGuard.Commit] does the same once per window, so calling it is needed only to free memory earlier.
func (g *ReplayGuard) Forget(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forget(now)
}

func (g *ReplayGuard) forget(now time.Time) {
	g.swept = now
	for id, s := range g.senders {
		if now.Sub(s.last) > replayWindow {
			delete(g.senders, id)
		}
	}
}

func (s *senderState) check(seq uint64, nonce [NonceSize]byte) error {
	// Subtracting from highest, never adding to seq: a sender may choose numbers near the end of uint64.
	if seq == 0 || (s.highest >= sequenceWindow && seq <= s.highest-sequenceWindow) {
		return fmt.Errorf("%w: %d, highest is %d", ErrSequence, seq, s.highest)
	}
	if seq <= s.highest && s.used(seq) {
		return fmt.Errorf("%w: %d again", ErrSequence, seq)
	}
	if _, ok := s.nonces[nonce]; ok {
		return ErrNonce
	}
	if len(s.nonces) >= maxNonces {
		return ErrNonceQuota
	}
	return nil
}

func (s *senderState) used(seq uint64) bool {
	i := seq % sequenceWindow
	return s.seen[i/64]&(1<<(i%64)) != 0
}

func (s *senderState) use(seq uint64) {
	if seq > s.highest {
		if seq-s.highest >= sequenceWindow {
			clear(s.seen[:])
		} else {
			for n := uint64(1); n <= seq-s.highest; n++ {
				i := (s.highest + n) % sequenceWindow
				s.seen[i/64] &^= 1 << (i % 64)
			}
		}
		s.highest = seq
	}
	i := seq % sequenceWindow
	s.seen[i/64] |= 1 << (i % 64)
}

// expire drops the nonces that are older than the window. Its cost is constant per message, averaged over many.
func (s *senderState) expire(now time.Time) {
	elapsed := now.Sub(s.first)
	for s.head < len(s.order) && elapsed-s.order[s.head].at > replayWindow {
		delete(s.nonces, s.order[s.head].nonce)
		s.head++
	}
	switch {
	case s.head == 0:
	case s.head == len(s.order): // a map does not shrink: give back what a busy time took
		s.order, s.head, s.nonces = nil, 0, make(map[[NonceSize]byte]struct{})
	case s.head > len(s.order)/2:
		s.order, s.head = s.order[:copy(s.order, s.order[s.head:])], 0
	}
}

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
type ReplayGuard struct {
	mu      sync.Mutex
	senders map[NodeID]*senderState
}

type senderState struct {
	highest uint64
	seen    [sequenceWindow / 64]uint64 // ring bitmap: bit n%sequenceWindow is set when n was used
	nonces  map[[NonceSize]byte]struct{}
	order   []usedNonce // oldest first
	last    time.Time
}

type usedNonce struct {
	nonce [NonceSize]byte
	at    time.Time
}

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
		return nil
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
		s = &senderState{nonces: make(map[[NonceSize]byte]struct{})}
		g.senders[sender] = s
	}
	s.expire(now)
	if err := s.check(seq, nonce); err != nil {
		return err
	}
	s.use(seq)
	s.nonces[nonce] = struct{}{}
	s.order = append(s.order, usedNonce{nonce, now})
	s.last = now
	return nil
}

// Forget drops senders from whom nothing came for longer than the window; their messages of that time are refused
// by their age, so that nothing is lost. Call it now and then, for example once a minute.
func (g *ReplayGuard) Forget(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id, s := range g.senders {
		if now.Sub(s.last) > replayWindow {
			delete(g.senders, id)
		}
	}
}

func (s *senderState) check(seq uint64, nonce [NonceSize]byte) error {
	if seq == 0 || seq+sequenceWindow <= s.highest {
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
			for n := s.highest + 1; n <= seq; n++ {
				i := n % sequenceWindow
				s.seen[i/64] &^= 1 << (i % 64)
			}
		}
		s.highest = seq
	}
	i := seq % sequenceWindow
	s.seen[i/64] |= 1 << (i % 64)
}

func (s *senderState) expire(now time.Time) {
	n := 0
	for n < len(s.order) && now.Sub(s.order[n].at) > replayWindow {
		delete(s.nonces, s.order[n].nonce)
		n++
	}
	if n > 0 {
		s.order = append(s.order[:0:0], s.order[n:]...)
	}
}

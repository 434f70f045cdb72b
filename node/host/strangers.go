package host

import (
	"fmt"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// strangers bounds the streams that peers which are not trusted hold open. The gate lets them in to be told why they are
// refused; those that come together must not take what trusted peers need to begin a stream.
type strangers struct {
	network.ResourceManager
	trusted func(peer.ID) bool // nil: everybody is

	mu   sync.Mutex
	open map[peer.ID]int // inbound streams that began when the peer was not trusted
}

// OpenStream opens a stream within the limits.
func (s *strangers) OpenStream(p peer.ID, dir network.Direction) (network.StreamManagementScope, error) {
	if dir != network.DirInbound || s.trusted == nil || s.trusted(p) {
		return s.ResourceManager.OpenStream(p, dir)
	}
	if !s.enter(p) {
		return nil, fmt.Errorf("%w: a peer that is not trusted holds %d streams", network.ErrResourceLimitExceeded, streamsPerStranger)
	}
	scope, err := s.ResourceManager.OpenStream(p, dir)
	if err != nil {
		s.leave(p)
		return nil, err
	}
	return &strangerStream{StreamManagementScope: scope, leave: sync.OnceFunc(func() { s.leave(p) })}, nil
}

func (s *strangers) enter(p peer.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[p] >= streamsPerStranger {
		return false
	}
	s.open[p]++
	return true
}

func (s *strangers) leave(p peer.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[p]--; s.open[p] <= 0 {
		delete(s.open, p)
	}
}

// strangerStream gives its place back when it is done.
type strangerStream struct {
	network.StreamManagementScope
	leave func()
}

// Done ends the stream's accounting.
func (s *strangerStream) Done() {
	s.StreamManagementScope.Done()
	s.leave()
}

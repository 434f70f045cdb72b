package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/caro-mesh/caro-node/protocol"
)

// farewellWait is how long a connection stays open for the peer to read why it was refused.
const farewellWait = 2 * time.Second

// Server answers one protocol until it is closed.
type Server struct {
	e       *Endpoint
	rules   Rules
	handler Receipted
	routes  []Route
	limits  *limiter
	owed    *limiter // the places of answered exchanges that wait for their receipt

	ctx    context.Context // lives as long as the server: libp2p starts the streams
	cancel context.CancelFunc
	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

// Serve starts answering r.Protocol with h, and what else its streams carry with routes. Close the server to stop.
func (e *Endpoint) Serve(r Rules, h Handler, routes ...Route) *Server {
	return e.serve(r, func(ctx context.Context, from From, payload []byte) ([]byte, func(context.Context, []byte) error, error) {
		answer, err := h(ctx, from, payload)
		return answer, nil, err
	}, routes)
}

func (e *Endpoint) serve(r Rules, h Receipted, routes []Route) *Server {
	s := &Server{e: e, rules: r.complete(), handler: h, routes: routes, limits: newLimiter(r),
		owed: newLimiter(Rules{PerPeer: r.PerPeer, Total: owedPerSlot * r.Total})}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	e.c.Host.SetStreamHandler(r.Protocol, s.handle)
	return s
}

// Close stops serving, breaks off what is under way and waits for it. It may be called more than once.
func (s *Server) Close() {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if first {
		s.e.c.Host.RemoveStreamHandler(s.rules.Protocol)
		s.cancel()
	}
	s.wg.Wait()
}

func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.wg.Add(1)
	return true
}

func (s *Server) handle(st network.Stream) {
	if !s.begin() {
		_ = st.ResetWithError(codeOf(ErrClosing)) // the stream is gone either way
		return
	}
	defer s.wg.Done()
	ctx, cancel := context.WithTimeout(s.ctx, s.e.c.Timeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		var why error
		if s.ctx.Err() != nil {
			why = ErrClosing
		}
		_ = st.ResetWithError(codeOf(why))
	})
	defer stop()

	name := string(s.rules.Protocol)
	from, err := fromConn(st.Conn())
	if err == nil {
		err = s.serve(ctx, st, &from)
	}
	if err == nil {
		s.e.count(name, func(c *Count) { c.Served++ })
		_ = st.Close() // the answer is written; if the peer is gone, nothing is left to do
		return
	}
	switch {
	case s.ctx.Err() != nil:
		err = fmt.Errorf("%w: %w", ErrClosing, err)
	case ctx.Err() != nil || late(err): // the stream's own error may only say that we reset it
		err = fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	s.e.count(name, func(c *Count) { c.Refused++ })
	s.e.refused(Refusal{Peer: from.ID, Addr: from.Addr, Protocol: name, Err: err})
	var bye *farewell
	if errors.As(err, &bye) {
		s.sayFarewell(st, bye.answer)
		return
	}
	_ = st.ResetWithError(codeOf(err))
}

// serve climbs the ladder that the package comment describes.
func (s *Server) serve(ctx context.Context, st network.Stream, from *From) error {
	deadline, _ := ctx.Deadline()
	if err := st.SetDeadline(deadline); err != nil {
		return fmt.Errorf("set the deadline: %w", err)
	}
	if !s.limits.allow(from.ID) {
		return ErrRateLimited
	}
	if !s.rules.BeforeHello && !s.e.c.Admitted(ctx, from.ID) {
		return ErrNotAdmitted
	}
	if !s.limits.enter(from.ID) {
		return ErrBusy
	}
	leave := sync.OnceFunc(func() { s.limits.leave(from.ID) })
	defer leave()
	release, err := reserve(st, s.rules)
	if err != nil {
		return err
	}
	release = sync.OnceFunc(release)
	defer release()

	data, err := protocol.ReadFrame(st, s.rules.RequestLimit)
	if err != nil {
		return err
	}
	env, err := s.e.open(data, s.rules.RequestLimit, from.ID, s.requests()...)
	if err != nil {
		if s.rules.Unopened != nil {
			return s.rules.Unopened(err)
		}
		return err
	}
	from.Skew = env.Skew(s.e.c.Now())
	if i := slices.IndexFunc(s.routes, func(r Route) bool { return r.Request == env.Type }); i >= 0 {
		if !s.e.c.Admitted(ctx, from.ID) {
			return ErrNotAdmitted
		}
		return s.routes[i].Handler(ctx, *from, env.Payload)
	}
	answer, taken, err := s.handler(ctx, *from, env.Payload)
	if err != nil || s.rules.Answer == 0 {
		return err
	}
	if err := s.write(st, answer); err != nil || taken == nil {
		return err
	}
	// Who waits for a receipt keeps nobody from being answered.
	release()
	leave()
	if !s.owed.enter(from.ID) {
		return nil
	}
	defer s.owed.leave(from.ID)
	return s.takeReceipt(ctx, st, *from, taken)
}

// requests are the types that a request may have.
func (s *Server) requests() []protocol.MsgType {
	types := []protocol.MsgType{s.rules.Request}
	for _, r := range s.routes {
		types = append(types, r.Request)
	}
	return types
}

func (s *Server) write(st network.Stream, answer []byte) error {
	sealed, err := s.e.c.Sealer.Seal(s.rules.Answer, answer)
	if err != nil {
		return err
	}
	if len(sealed) > s.rules.AnswerLimit {
		return fmt.Errorf("our own %s has %d bytes, limit %d", s.rules.Answer, len(sealed), s.rules.AnswerLimit)
	}
	return protocol.WriteFrame(st, sealed)
}

// sayFarewell tells the peer why and closes the connection once it has read that, or after a moment.
func (s *Server) sayFarewell(st network.Stream, answer []byte) {
	if err := s.write(st, answer); err == nil {
		_ = st.CloseWrite()
		_ = st.SetReadDeadline(time.Now().Add(farewellWait))
		var one [1]byte
		_, _ = st.Read(one[:]) // ends when the peer closes its side, which it does after reading
	}
	_ = st.Reset()
	_ = st.Conn().Close()
}

// reserve accounts the stream to the protocol and its largest messages to the host's resource limits.
func reserve(st network.Stream, r Rules) (release func(), err error) {
	scope := st.Scope()
	if err := scope.SetService(string(r.Protocol)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBusy, err)
	}
	size := r.RequestLimit + r.AnswerLimit + r.ReceiptLimit
	if err := scope.ReserveMemory(size, network.ReservationPriorityHigh); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return func() { scope.ReleaseMemory(size) }, nil
}

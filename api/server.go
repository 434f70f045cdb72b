package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	v1 "github.com/caro-mesh/caro-node/api/v1"
)

// Limits of the HTTP server. The longest honest request is a query, which may wait a minute for slow nodes.
const (
	maxBody           = 64 << 10 // a query with 16 filters of 1,088 bytes each is below 20 KiB
	maxReports        = 8 << 20  // the longest command of 1 MiB takes 6 MiB when JSON escapes every byte of it
	maxHeader         = 16 << 10
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = 90 * time.Second
	deletionTimeout   = 10 * time.Minute // a million events of a large database, every page of which is looked through
	idleTimeout       = 2 * time.Minute
	shutdownGrace     = 3 * time.Second
)

// allowance bounds one request.
type allowance struct {
	body   int64         // bytes
	answer time.Duration // from the end of the request's head to the end of the answer
}

// allow returns what a request with this method and path may cost.
func allow(method, path string) allowance {
	a := allowance{maxBody, writeTimeout}
	if path == policyDiffPath || path == policyReplayPath {
		a.body = maxPolicyBody
	}
	if path == eventsPath {
		switch method {
		case http.MethodPost:
			a.body = maxReports
		case http.MethodDelete:
			a.answer = deletionTimeout
		}
	}
	return a
}

// Config says where and how the API is served.
type Config struct {
	// Socket is the path by which the unix socket is found. A lock beside it keeps every other daemon away, so it belongs
	// into the folder of the data. It is required.
	Socket string
	// SocketDir is the folder in which the unix socket is made, whose path has at most 88 bytes; Socket is then a link to
	// it. Empty: that of Socket.
	SocketDir string
	// Listen is a loopback address and port for TCP, such as "127.0.0.1:9237"; port 0 chooses a free one. Empty
	// switches TCP off, and the page with it.
	Listen string
	// Token is what TCP requests must carry, see [TokenFile]. It is required when Listen is set.
	Token string
	// Page serves "/" and "/assets/", without any data of the user. Nil serves no page.
	Page http.Handler
	// Version of the program, for the API description and metrics.
	Version string
	// Explain may turn errors of the backend into refusals, see [Refuse], in one place for all operations. Nil: it leaves
	// them as they are.
	Explain func(error) error
	// Logger defaults to discarding.
	Logger *slog.Logger
	// Now defaults to [time.Now].
	Now func() time.Time
}

// Server is the local HTTP server. It holds its addresses from [Listen] on and answers while [Server.Run] runs.
type Server struct {
	config Config
	socket *socket
	tcp    net.Listener // nil when switched off
	grace  time.Duration
}

// Listen takes the unix socket and the TCP address. It is meant to be called early at start: a second daemon for the
// same socket is refused here, before it touches anything else. The caller then calls either Run or Close.
func Listen(ctx context.Context, c Config) (*Server, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Explain == nil {
		c.Explain = func(err error) error { return err }
	}
	if c.Listen != "" && len(c.Token) < minToken {
		return nil, errors.New("the local API needs a token to listen on TCP")
	}
	addr, err := loopback(c.Listen)
	if err != nil {
		return nil, err
	}
	sock, err := listenSocket(ctx, c.Socket, c.SocketDir)
	if err != nil {
		return nil, err
	}
	s := &Server{config: c, socket: sock, grace: shutdownGrace}
	if addr != "" {
		if s.tcp, err = listenTCP(ctx, addr); err != nil {
			return nil, errors.Join(err, sock.Close())
		}
	}
	return s, nil
}

// Endpoints tells where the server can be reached, with the real port where 0 was asked for.
func (s *Server) Endpoints() v1.Endpoints {
	e := v1.Endpoints{Socket: s.socket.path}
	if s.tcp != nil {
		e.Listen = s.tcp.Addr().String()
	}
	return e
}

// Close gives up the addresses of a server that does not run. After Run it does nothing.
func (s *Server) Close() error {
	var err error
	if s.tcp != nil {
		err = s.tcp.Close()
	}
	if err = errors.Join(err, s.socket.Close()); errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Run answers requests with b until ctx ends, lets those under way finish within a short grace, and removes the
// socket. It returns nil after an orderly end.
func (s *Server) Run(ctx context.Context, b Backend) error {
	inner, err := newHandler(s.config, b)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	// Requests outlive ctx by the grace, and no longer.
	requests, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()

	group, stopping := errgroup.WithContext(ctx)
	serve := func(l net.Listener, h http.Handler) {
		srv := s.newHTTP(requests, h)
		group.Go(func() error {
			if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve the local API on %s: %w", l.Addr(), err)
			}
			return nil
		})
		group.Go(func() error {
			<-stopping.Done()
			grace, done := context.WithTimeout(context.WithoutCancel(ctx), s.grace)
			defer done()
			if err := srv.Shutdown(grace); err != nil {
				cancel()
				return srv.Close()
			}
			return nil
		})
	}
	serve(s.socket, inner)
	if s.tcp != nil {
		serve(s.tcp, newGuard(s.tcp.Addr(), s.config.Token, inner))
	}
	return errors.Join(group.Wait(), s.Close())
}

func (s *Server) newHTTP(requests context.Context, h http.Handler) *http.Server {
	return &http.Server{
		Handler:           outermost(s.config.Logger, h),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.config.Logger.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return requests },
	}
}

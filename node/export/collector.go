package export

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"
)

// Times of a connection to a collector.
const (
	dialTimeout  = 10 * time.Second
	writeTimeout = 30 * time.Second
	// closeTimeout is how long the collector may take to close its side, once everything was sent.
	closeTimeout = 5 * time.Second
)

// ErrCollector means that the collector could not be reached, or that the connection ended; it is worth trying again.
var ErrCollector = errors.New("the log collector cannot be reached")

// Collector is a syslog collector that listens for RFC 5425: TLS 1.2 or newer, each message with its length before it. It has
// to have a certificate of one of the authorities, for its IP address or, where serverName is not empty, for that name,
// which is compared and not looked up. addr comes from [ParseAddress].
func Collector(addr netip.AddrPort, authorities *x509.CertPool, serverName string) Target {
	if serverName == "" {
		serverName = addr.Addr().WithZone("").String()
	}
	return collectorTarget{addr, &tls.Config{RootCAs: authorities, ServerName: serverName, MinVersion: tls.VersionTLS12}}
}

type collectorTarget struct {
	addr   netip.AddrPort
	config *tls.Config
}

func (t collectorTarget) name() string    { return "tls://" + t.addr.String() }
func (t collectorTarget) open(int64) sink { return &collectorSink{collectorTarget: t} }

// collectorSink keeps one connection and makes a new one when it has ended.
type collectorSink struct {
	collectorTarget
	link *link // nil: none
}

// link is one connection and the goroutine that watches it.
type link struct {
	conn   *tls.Conn
	raw    *net.TCPConn
	leaves atomic.Bool   // the collector has said that it closes
	ended  chan struct{} // closed when the connection has ended
	err    error         // how; nil for in order
}

func (*collectorSink) message() bool   { return true }
func (*collectorSink) position() int64 { return 0 }

// failed words an error of the connection.
func (s *collectorSink) failed(err error) error {
	return fmt.Errorf("%w: %s: %w", ErrCollector, s.name(), err)
}

// put sends the messages in frames of RFC 5425, section 4.3: the length in octets, a space, and the message.
func (s *collectorSink) put(ctx context.Context, messages [][]byte) error {
	if _, err := s.settled(); err != nil {
		return err
	}
	if s.link == nil {
		var err error
		if s.link, err = s.connect(ctx); err != nil {
			return s.failed(err)
		}
	}
	var frames bytes.Buffer
	for _, m := range messages {
		frames.WriteString(strconv.Itoa(len(m)))
		frames.WriteByte(' ')
		frames.Write(m)
	}
	conn := s.link.conn
	err := conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err == nil {
		stop := context.AfterFunc(ctx, func() { _ = conn.SetWriteDeadline(time.Now()) })
		_, err = conn.Write(frames.Bytes())
		stop()
	}
	if err != nil {
		s.drop()
		return s.failed(err)
	}
	return nil
}

func (s *collectorSink) connect(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.addr.String())
	if err != nil {
		return nil, err
	}
	tcp, ok := raw.(*net.TCPConn)
	if !ok {
		return nil, errors.Join(errors.New("the connection is not TCP"), raw.Close())
	}
	l := &link{conn: tls.Client(raw, s.config), raw: tcp, ended: make(chan struct{})}
	if err := l.conn.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	go l.watch()
	return l, nil
}

// watch reads until the connection has ended. A collector has nothing to say, so that its end is all that can come.
func (l *link) watch() {
	defer close(l.ended)
	_, l.err = io.Copy(io.Discard, l.conn)
	l.leaves.Store(true)
	if l.err == nil {
		// It has closed its side of TLS. Whether it had read everything shows in how it ends TCP: with a reset if not.
		l.err = l.raw.SetReadDeadline(time.Now().Add(closeTimeout))
		if l.err == nil {
			_, l.err = io.Copy(io.Discard, l.raw)
		}
	}
	_ = l.raw.Close() // how it ended is known already
}

// settled is true when the connection is still in order at a later moment than the last put.
func (s *collectorSink) settled() (bool, error) {
	if s.link == nil {
		return false, nil
	}
	if s.link.leaves.Load() {
		s.drop()
		return false, s.failed(errLeft)
	}
	return true, nil
}

var errLeft = errors.New("the collector has closed the connection")

// drop ends the connection and waits for its goroutine.
func (s *collectorSink) drop() {
	if s.link == nil {
		return
	}
	_ = s.link.raw.Close() // what was sent may or may not have arrived, whatever this says
	<-s.link.ended
	s.link = nil
}

// close says that nothing more comes, and waits for the collector to have read all before it. An error means that it may
// not have.
func (s *collectorSink) close() error {
	if s.link == nil {
		return nil
	}
	if _, err := s.settled(); err != nil {
		return err
	}
	defer s.drop()
	if err := s.link.conn.CloseWrite(); err != nil {
		return s.failed(err)
	}
	_ = s.link.raw.CloseWrite() // fails when the collector was so quick that the connection has ended already
	patience := time.NewTimer(closeTimeout)
	defer patience.Stop()
	select {
	case <-s.link.ended:
		if err := s.link.err; err != nil && !errors.Is(err, io.ErrUnexpectedEOF) { // some end TCP and say nothing in TLS
			return s.failed(fmt.Errorf("%w: %w", errLeft, err))
		}
	case <-patience.C: // a collector that leaves its side open has read what it got all the same
	}
	return nil
}

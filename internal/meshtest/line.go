package meshtest

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// newLine returns the two ends of a connection on which everything takes delay to arrive. Unlike those of [net.Pipe],
// whoever writes does not wait for who reads: two nodes that close a connection at the same moment would wait for each
// other, which stops the clock of a bubble for good.
func newLine(delay time.Duration) (near, far net.Conn) {
	there, back := newLane(delay), newLane(delay)
	return &lineEnd{in: back, out: there}, &lineEnd{in: there, out: back}
}

// lineEnd is one end of a line.
type lineEnd struct{ in, out *lane }

func (e *lineEnd) Read(b []byte) (int, error)  { return e.in.read(b) }
func (e *lineEnd) Write(b []byte) (int, error) { return e.out.write(b) }

// Close ends both ways. What was written before still arrives, and then the end does.
func (e *lineEnd) Close() error {
	e.in.abandon()
	e.out.end()
	return nil
}

func (e *lineEnd) LocalAddr() net.Addr  { return &net.TCPAddr{} }
func (e *lineEnd) RemoteAddr() net.Addr { return &net.TCPAddr{} }

// SetDeadline is about reading: writing never waits.
func (e *lineEnd) SetDeadline(t time.Time) error     { return e.SetReadDeadline(t) }
func (e *lineEnd) SetWriteDeadline(time.Time) error  { return nil }
func (e *lineEnd) SetReadDeadline(t time.Time) error { return e.in.setDeadline(t) }

// lane is one way of a line, with room for whatever is under way: the nodes' own windows bound it.
type lane struct {
	delay time.Duration
	wake  chan struct{} // capacity 1: something changed for who reads

	mu        sync.Mutex
	parcels   []parcel
	ended     bool // nothing follows the parcels
	abandoned bool // nobody reads any more
	deadline  time.Time
}

// parcel is what was written at once, or the end, which has no data.
type parcel struct {
	data []byte
	due  time.Time
}

func newLane(delay time.Duration) *lane { return &lane{delay: delay, wake: make(chan struct{}, 1)} }

func (l *lane) changed() {
	select {
	case l.wake <- struct{}{}:
	default: // a change waits to be seen already
	}
}

func (l *lane) write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return 0, io.ErrClosedPipe
	}
	if len(b) > 0 && !l.abandoned { // else nobody is there to get it, which the writer does not know yet
		l.parcels = append(l.parcels, parcel{append([]byte(nil), b...), time.Now().Add(l.delay)})
		l.changed()
	}
	return len(b), nil
}

func (l *lane) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		l.ended = true
		l.parcels = append(l.parcels, parcel{due: time.Now().Add(l.delay)})
		l.changed()
	}
}

func (l *lane) abandon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.abandoned, l.parcels = true, nil
	l.changed()
}

func (l *lane) setDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deadline = t
	l.changed()
	return nil
}

func (l *lane) read(b []byte) (int, error) {
	for {
		n, wait, err := l.take(b)
		if wait == 0 {
			return n, err
		}
		if wait == forever {
			<-l.wake
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-l.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// forever is how long a reader waits that only a change can wake.
const forever = 1 << 62

// take reads what has arrived, or tells how long to wait unless something changes.
func (l *lane) take(b []byte) (n int, wait time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	wait = forever
	if l.abandoned {
		return 0, 0, io.ErrClosedPipe
	}
	if !l.deadline.IsZero() {
		if wait = l.deadline.Sub(now); wait <= 0 {
			return 0, 0, os.ErrDeadlineExceeded
		}
	}
	if len(l.parcels) == 0 {
		return 0, wait, nil
	}
	first := &l.parcels[0]
	switch due := first.due.Sub(now); {
	case due > 0:
		return 0, min(wait, due), nil
	case first.data == nil:
		return 0, 0, io.EOF
	}
	n = copy(b, first.data)
	if first.data = first.data[n:]; len(first.data) == 0 {
		l.parcels = l.parcels[1:]
	}
	return n, 0, nil
}

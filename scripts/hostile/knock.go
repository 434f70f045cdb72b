package hostile

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Knocks says how a flood of connections went.
type Knocks struct {
	Tried     int64 // connections begun
	Let       int64 // that got as far as an encrypted connection
	Skipped   int64 // that could not be begun in time, because too many were under way
	LastError error
}

// knocksAtOnce bounds the connections that are being made.
const knocksAtOnce = 512

// Knock tries to connect perSecond times a second, over TCP and TLS, until ctx ends, and closes each connection at once.
func (p *Peer) Knock(ctx context.Context, t Target, perSecond int) Knocks {
	var k Knocks
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, knocksAtOnce)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	begun, start := 0, time.Now()
	for {
		select {
		case <-ctx.Done():
			wg.Wait()
			return k
		case <-tick.C:
		}
		for due := int(time.Since(start).Seconds() * float64(perSecond)); begun < due; begun++ {
			select {
			case slots <- struct{}{}:
			default:
				k.Skipped++
				continue
			}
			k.Tried++
			wg.Go(func() {
				defer func() { <-slots }()
				err := p.knock(ctx, t)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					k.Let++
				} else {
					k.LastError = err
				}
			})
		}
	}
}

func (p *Peer) knock(ctx context.Context, t Target) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	c, err := p.transport.Dial(ctx, t.info.Addrs[0], t.info.ID)
	if err != nil {
		return err
	}
	return c.Close()
}

// Park holds conns connections that say nothing, or one byte a second, and opens another whenever one is closed, until
// ctx ends. It returns how many were opened and how many the target closed.
func Park(ctx context.Context, t Target, conns int) (opened, closed int64) {
	var o, c atomic.Int64
	var wg sync.WaitGroup
	for i := range conns {
		wg.Go(func() {
			for ctx.Err() == nil {
				if park(ctx, t, i%2 == 0) == nil {
					o.Add(1)
					if ctx.Err() == nil {
						c.Add(1)
					}
				}
				pause(ctx, 50*time.Millisecond)
			}
		})
	}
	wg.Wait()
	return o.Load(), c.Load()
}

// park holds one connection until the target closes it; an error means that it was not opened.
func park(ctx context.Context, t Target, drip bool) error {
	c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", t.tcp.String())
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // nothing was said
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	if !drip {
		_, _ = io.Copy(io.Discard, c)
		return nil
	}
	go func() { _, _ = io.Copy(io.Discard, c) }() // ends with the connection
	for _, b := range []byte("\x13/multistream/1.0.0\n") {
		if _, err := c.Write([]byte{b}); err != nil {
			return nil // the target closed it
		}
		pause(ctx, time.Second)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

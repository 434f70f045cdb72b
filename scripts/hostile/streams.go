package hostile

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	libp2p "github.com/libp2p/go-libp2p/core/protocol"

	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/goodbye"
	"github.com/caro-mesh/caro-node/protocol/hello"
	"github.com/caro-mesh/caro-node/protocol/ping"
	"github.com/caro-mesh/caro-node/protocol/query"
	"github.com/caro-mesh/caro-node/protocol/summary"
)

// streamsAtOnce is how many streams an attack holds or uses at the same time: more than a peer's share.
const streamsAtOnce = 64

// kinds are the requests that are abused.
var kinds = []struct {
	id   libp2p.ID
	typ  protocol.MsgType
	size int // of the largest frame that is not refused by its length
}{
	{summary.ID, protocol.MsgSummaryPush, protocol.MaxSummary},
	{query.ID, protocol.MsgQuery, protocol.MaxQuery},
	{hello.ID, protocol.MsgCapabilities, protocol.MaxHello},
	{ping.ID, protocol.MsgPing, protocol.MaxPing},
	{goodbye.ID, protocol.MsgGoodbye, protocol.MaxGoodbye},
}

// Uses says how an attack over streams went.
type Uses struct {
	Streams int64 // that were opened
	Refused int64 // that could not be opened
	Sent    int64 // bytes, as far as the target took them
}

// abuse keeps streamsAtOnce streams busy with use until ctx ends, over a connection that is renewed when it is lost.
func (p *Peer) abuse(ctx context.Context, t Target, use func(ctx context.Context, n int64, s network.Stream) (sent int), protos func(n int64) libp2p.ID) Uses {
	var n, refused, sent atomic.Int64
	var meeting sync.Mutex
	var wg sync.WaitGroup
	for range streamsAtOnce {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := n.Add(1)
				s, err := p.stream(ctx, t, protos(i))
				if err != nil {
					n.Add(-1)
					refused.Add(1)
					meeting.Lock()
					_ = p.Meet(ctx, t) // tried again by the next, a moment later
					meeting.Unlock()
					pause(ctx, 50*time.Millisecond)
					continue
				}
				stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
				sent.Add(int64(use(ctx, i, s)))
				stop()
				_ = s.Reset()
			}
		})
	}
	wg.Wait()
	return Uses{Streams: n.Load(), Refused: refused.Load(), Sent: sent.Load()}
}

func kindOf(n int64) int { return int(n) % len(kinds) }

// Drip opens streams, announces a large message on each, and sends one byte of it a second.
func (p *Peer) Drip(ctx context.Context, t Target) Uses {
	return p.abuse(ctx, t, func(ctx context.Context, n int64, s network.Stream) (sent int) {
		k := kinds[kindOf(n)]
		_ = s.SetWriteDeadline(time.Now().Add(30 * time.Second))
		if _, err := s.Write(binary.AppendUvarint(nil, uint64(k.size))); err != nil {
			return sent
		}
		for ctx.Err() == nil {
			if _, err := s.Write([]byte{0xa9}); err != nil {
				return sent
			}
			sent++
			pause(ctx, time.Second)
		}
		return sent
	}, func(n int64) libp2p.ID { return kinds[kindOf(n)].id })
}

// Nonces sends valid pings as fast as it can, each with a number and a nonce of its own.
func (p *Peer) Nonces(ctx context.Context, t Target) Uses {
	return p.abuse(ctx, t, func(_ context.Context, _ int64, s network.Stream) int {
		payload, err := protocol.Encode(map[int]int64{1: time.Now().UnixNano()})
		if err != nil {
			return 0
		}
		return p.say(s, protocol.MsgPing, payload)
	}, func(int64) libp2p.ID { return ping.ID })
}

// Giants sends the largest and most deeply nested things that fit, in envelopes that are valid and in none.
func (p *Peer) Giants(ctx context.Context, t Target) Uses {
	return p.abuse(ctx, t, func(_ context.Context, n int64, s network.Stream) int {
		k := kinds[kindOf(n)]
		body := monsters[int(n)/len(kinds)%len(monsters)](k.size - 1024)
		switch n % 3 {
		case 0: // announced, and not sent
			_ = s.SetWriteDeadline(time.Now().Add(time.Second))
			sent, _ := s.Write(append(binary.AppendUvarint(nil, math.MaxUint32), body[:min(len(body), 1024)]...))
			return sent
		case 1:
			return write(s, body)
		}
		return p.say(s, k.typ, body)
	}, func(n int64) libp2p.ID { return kinds[kindOf(n)].id })
}

// monsters make a payload of about the size.
var monsters = []func(size int) []byte{
	func(size int) []byte { return bytes.Repeat([]byte{0x81}, max(size, 1)) },         // a list in a list in a list …
	func(size int) []byte { return bytes.Repeat([]byte{0xa1, 0x01}, max(size/2, 1)) }, // a map in a map …
	func(size int) []byte {
		return append([]byte{0x9a, 0x7f, 0xff, 0xff, 0xff}, make([]byte, max(size, 0))...)
	},
	func(size int) []byte {
		return append([]byte{0xba, 0x7f, 0xff, 0xff, 0xff}, make([]byte, max(size, 0))...)
	},
	func(size int) []byte { return []byte{0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff} },    // a string without end
	func(size int) []byte { return append([]byte{0x9f}, make([]byte, max(size, 0))...) },             // a list without end
	func(size int) []byte { return append([]byte{0xb9, 0x03, 0xff}, make([]byte, max(size, 0))...) }, // the same key again and again
	func(size int) []byte { return bytes.Repeat([]byte{0xc1}, max(size, 1)) },                        // a tag on a tag on a tag
	func(size int) []byte { // a summary with ten thousand categories
		return append([]byte{0xa2, 0x01, 0x5a, 0, 0, 0xff, 0xff}, bytes.Repeat([]byte{0xf9, 0x7e, 0x00}, max(size/3, 1))...)
	},
}

// say sends one sealed message and waits for the end of the stream.
func (p *Peer) say(s network.Stream, m protocol.MsgType, payload []byte) int {
	sealed, err := p.Sealer.Seal(m, payload)
	if err != nil {
		return 0
	}
	return write(s, sealed)
}

// write sends one frame and waits for an answer or the end of the stream.
func write(s network.Stream, data []byte) int {
	_ = s.SetDeadline(time.Now().Add(5 * time.Second))
	if protocol.WriteFrame(s, data) != nil {
		return 0
	}
	_, _ = protocol.ReadFrame(s, protocol.MaxResponse) // answer or reset, either is good
	return len(data)
}

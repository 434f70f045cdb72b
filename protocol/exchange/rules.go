package exchange

import (
	"context"

	libp2p "github.com/libp2p/go-libp2p/core/protocol"
	"golang.org/x/time/rate"

	"github.com/caro-mesh/caro-node/protocol"
)

// Rules are what one protocol asks of an exchange.
type Rules struct {
	Protocol libp2p.ID
	// Request and Answer are the two message types, with their largest envelopes in bytes. An Answer of zero means that
	// there is none: the end of the stream says that the request was taken.
	Request      protocol.MsgType
	RequestLimit int
	Answer       protocol.MsgType
	AnswerLimit  int
	// Rate is how many requests a second one peer may send in the long run, Burst how many at once.
	Rate  rate.Limit
	Burst int
	// PerPeer and Total bound the exchanges that are served at the same time.
	PerPeer, Total int
	// BeforeHello lets peers in that have not been admitted. Only hello sets it.
	BeforeHello bool
	// Unopened may turn the error of an envelope that could not be opened into a [Farewell], so that the peer learns
	// about its clock or version. Nil: the peer gets a code.
	Unopened func(error) error
}

// Handler answers one request: payload is the content of an envelope that was opened and belongs to from. The answer is
// an encoded payload. An error breaks the exchange off without a word (or with those of a [Farewell]); what it says
// goes to the local log only.
type Handler func(ctx context.Context, from From, payload []byte) (answer []byte, err error)

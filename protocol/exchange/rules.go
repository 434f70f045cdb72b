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
	// Request and Answer are the two message types. An Answer of zero means that there is none: the end of the stream says
	// that the request was taken.
	Request protocol.MsgType
	Answer  protocol.MsgType
	// Receipt is the type of a third message, with which the asker may end an exchange that was answered; zero: there is
	// none. It needs [Endpoint.ServeReceipted] and [Endpoint.AskReceipted].
	Receipt protocol.MsgType
	// RequestLimit, AnswerLimit and ReceiptLimit are the largest envelopes in bytes; zero means protocol.MaxSize of the type.
	RequestLimit int
	AnswerLimit  int
	ReceiptLimit int
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

// Route is a further request that the streams of a protocol carry, besides the one of its [Rules]. It has no answer, and
// shares rate, slots and the limit of the request with the first. It is served to admitted peers only, also where the
// first is served to anybody.
type Route struct {
	Request protocol.MsgType
	Handler func(ctx context.Context, from From, payload []byte) error
}

// complete fills in the limits that the message types have.
func (r Rules) complete() Rules {
	if r.RequestLimit == 0 {
		r.RequestLimit = protocol.MaxSize(r.Request)
	}
	if r.AnswerLimit == 0 {
		r.AnswerLimit = protocol.MaxSize(r.Answer)
	}
	if r.ReceiptLimit == 0 {
		r.ReceiptLimit = protocol.MaxSize(r.Receipt)
	}
	return r
}

// Handler answers one request: payload is the content of an envelope that was opened and belongs to from. The answer is
// an encoded payload. An error breaks the exchange off without a word (or with those of a [Farewell]); what it says
// goes to the local log only.
type Handler func(ctx context.Context, from From, payload []byte) (answer []byte, err error)

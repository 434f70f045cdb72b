// Package exchange is the ladder that every request on a stream climbs, on both sides: one signed question, one signed
// answer, one stream. The protocols (hello, ping, summary, query) state their [Rules] and their handler; what they have
// in common stands here once, so that no protocol can forget a step.
//
// The server's steps, cheapest first; the first that fails ends the exchange:
//
//	deadline       the whole exchange, reading, work and writing, has one deadline
//	rate           a token bucket per peer, before a single byte is read
//	admission      the peer's Hello was accepted (hello itself is exempt)
//	slots          so many exchanges at once per peer, and so many in all
//	memory         the stream's resource scope reserves what question and answer can take
//	bounded read   one frame of at most RequestLimit bytes
//	envelope       protocol.Opener: version, type, sender, clock, replay, signature
//	handler        decodes, validates, asks the policy, works
//	answer         sealed and written; no internal error text crosses the wire
//
// A refused peer gets a stream reset with a code and nothing else, unless the protocol says goodbye with [Farewell].
// Every refusal is counted and reported to [Config.Refused]. A peer that goes on causing refusals which show intent is
// disconnected, so that refusing it does not take from others.
package exchange

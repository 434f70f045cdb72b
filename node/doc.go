// Package node connects the parts of a mesh node: it builds the host, lets peers in and out, and starts and joins small
// workers, each of which can be understood alone.
//
//   - publisher: makes this node's summaries and pushes them
//   - intake: takes the summaries of others
//   - answerer: answers the queries of others
//   - asker: puts questions to others and merges what they say
//   - clerk: writes down what callbacks of the network report, which must not block
//   - pinger: measures round trips and clocks
//   - pulse: says how this node is
//
// Node itself decides nothing. What may leave is decided by policy through its audit gate, and what is sent and read on
// streams by the packages under protocol.
package node

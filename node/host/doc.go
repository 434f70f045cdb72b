// Package host assembles the libp2p host of a node from its parts: swarm, upgrader, TLS 1.3, yamux, TCP and the basic
// host. There is no relay, NAT mapping, hole punching, DHT or name resolution. libp2p's root package would link QUIC and
// WebRTC whatever options it is given, which costs 7 MiB of memory; a test keeps them out.
//
// The host enforces what no other part may forget. It dials, accepts and listens inside loopback, link-local and private
// ranges only (package scope), looks no name up, and announces no addresses: libp2p's identify, which answers every
// connected peer before Hello, tells the public key, the protocol names, the agent "caro/1" and the address that the
// peer is seen from, and nothing else. Who may connect at all is for the gate it is given.
package host

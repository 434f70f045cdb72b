// Package mdns announces this node on the local network and hears the announcements of others: multicast DNS (RFC 6762)
// with service discovery (RFC 6763), as far as nodes of one network need it. It knows nothing of trust; whoever is told
// of a [Sighting] decides what it means. Nothing is sent but to 224.0.0.251 and ff02::fb, which routers do not forward.
//
// # What is said
//
// The service is _caro._tcp.local. For every address that the node listens on, and for every interface that has it, there
// is one instance with a random name, so that names never collide and tell nothing. Its records, in one packet:
//
//	_caro._tcp.local.              PTR  <16 hex digits>._caro._tcp.local.
//	<16 hex>._caro._tcp.local.     SRV  0 0 <port> <16 hex>.local.
//	<16 hex>._caro._tcp.local.     TXT  "dnsaddr=/ip4/10.0.0.5/tcp/9238/p2p/12D3Koo…" (one text for each port)
//	<16 hex>.local.                A or AAAA
//
// Only TXT is read by other nodes; the others are there for the usual tools. The packet is sent from the very address
// that it announces, and a receiver believes an address only if the packet came from it. A neighbour can thus claim to be
// another node, which TLS then disproves, but not send a thousand nodes to a third machine. Addresses are IPv4 and IPv6
// in private ranges; IPv6 link-local addresses cannot be dialled (libp2p has no zones) and are not announced.
//
// # When
//
// An address is announced when it appears, three times (0, 1 and 3 s), and also after the machine slept; interfaces are
// looked at every three seconds. It is taken back (time to live 0) when the node stops. Questions are sent at 0, 1, 3 and
// 9 s and then once a minute, with what is known already, so that who is known stays silent for half of its time to live
// (ten minutes). A question that somebody else asked is not asked again. Answers wait 20 to 120 ms and are sent at most
// once a second. No packet is longer than 1,200 bytes.
//
// # What it may cost
//
// Packets that do not name the service are dropped unread, others above 10 a second from one address and 256 a second in
// all. What is remembered is bounded.
package mdns

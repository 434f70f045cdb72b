package v1

import (
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// PeerState says how this node and another stand right now.
type PeerState string

// Peer states.
const (
	PeerConnected PeerState = "connected"
	PeerOffline   PeerState = "offline"   // trusted, and not reached; reconnecting goes on
	PeerRefused   PeerState = "refused"   // reached, and it refused this node; state_reason has its words
	PeerUntrusted PeerState = "untrusted" // this node refuses it, by rule
	PeerPending   PeerState = "pending"   // it tried to connect and nobody has decided yet
)

// PeerSource says how a node came into the list of peers.
type PeerSource string

// Peer sources.
const (
	SourceConfig  PeerSource = "config" // network.static_peers
	SourceManual  PeerSource = "manual" // peers add
	SourceMDNS    PeerSource = "mdns"
	SourcePending PeerSource = "pending" // it tried to connect
)

// Peer is another node as this one sees it.
type Peer struct {
	NodeID          protocol.NodeID      `json:"node_id"`
	Fingerprint     protocol.Fingerprint `json:"fingerprint"`
	PeerID          string               `json:"peer_id"`
	DisplayName     string               `json:"display_name,omitempty" doc:"the name this node's user gave it, else the one it gave itself"`
	Trust           protocol.TrustLevel  `json:"trust" enum:"untrusted,share_to,query_from,peer,supervisor" doc:"what it may get from this node"`
	Rule            Rule                 `json:"rule" doc:"the rule that gave this trust"`
	Addresses       []string             `json:"addresses"`
	Source          PeerSource           `json:"source" enum:"config,manual,mdns,pending"`
	State           PeerState            `json:"state" enum:"connected,offline,refused,untrusted,pending"`
	StateReason     string               `json:"state_reason,omitempty" doc:"one sentence, when the state is not connected"`
	Online          bool                 `json:"online" doc:"connected to this node, or heard through others within the last 90 seconds"`
	LastSeen        *time.Time           `json:"last_seen,omitempty" doc:"absent when it was never connected or heard"`
	RTTMS           *float64             `json:"rtt_ms,omitempty" doc:"last measured round trip; absent when unknown"`
	CaroVersion     string               `json:"caro_version,omitempty"`
	ProtocolVersion uint8                `json:"protocol_version,omitempty"`
	Health          protocol.HealthState `json:"health,omitempty" enum:"ok,degraded" doc:"what it says of itself every half minute; absent while it is not heard"`
	UptimeSeconds   *int64               `json:"uptime_seconds,omitempty" doc:"how long it has been running, by its own account; absent while it is not heard"`
	EventCount24h   *uint64              `json:"event_count_24h,omitempty" doc:"commands of its last 24 whole hours; absent unless its policy lets it be told"`
}

// PeerPage is the answer of GET /api/v1/peers: connected ones first, then offline, refused, pending and untrusted ones, each of
// these by name. All peers fit one page.
type PeerPage struct {
	SchemaVersion int    `json:"schema_version"`
	Peers         []Peer `json:"peers"`
}

// PeerDocument is the answer of POST /api/v1/peers.
type PeerDocument struct {
	SchemaVersion int `json:"schema_version"`
	Peer
}

// AddPeerRequest is the body of POST /api/v1/peers.
type AddPeerRequest struct {
	Address string `json:"address" minLength:"1" maxLength:"512" doc:"multiaddr with /p2p/<peer ID>, as id prints it" example:"/ip4/10.0.0.5/tcp/9238/p2p/12D3KooW…"`
}

// Ping is the answer of POST /api/v1/peers/ping.
type Ping struct {
	SchemaVersion int                  `json:"schema_version"`
	NodeID        protocol.NodeID      `json:"node_id"`
	Fingerprint   protocol.Fingerprint `json:"fingerprint"`
	DisplayName   string               `json:"display_name,omitempty"`
	RTTMS         float64              `json:"rtt_ms"`
	ClockOffsetMS float64              `json:"clock_offset_ms" doc:"how far its clock is ahead of this node's"`
}

// PingRequest is the body of POST /api/v1/peers/ping.
type PingRequest struct {
	Peer string `json:"peer" minLength:"1" maxLength:"128" doc:"node ID, peer ID, fingerprint or name"`
}

// Removed is the answer of DELETE /api/v1/peers: the node that was forgotten.
type Removed struct {
	SchemaVersion int                 `json:"schema_version"`
	NodeID        protocol.NodeID     `json:"node_id"`
	Trust         protocol.TrustLevel `json:"trust" doc:"what it is still called here"`
	MayReturn     []Return            `json:"may_return" doc:"why it may be in the list again by itself; empty when it may not"`
}

// Return is a reason for which a node that was forgotten may come back by itself.
type Return string

// The reasons.
const (
	ReturnTrusted    Return = "trusted"    // it may connect
	ReturnAnnounced  Return = "announced"  // it says on the local network that it is there
	ReturnConfigured Return = "configured" // it stands in network.static_peers, which the next start reads
)

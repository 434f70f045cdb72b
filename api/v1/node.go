package v1

import (
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// Identity is the answer of GET /api/v1/identity: who this node is.
type Identity struct {
	SchemaVersion int                       `json:"schema_version"`
	NodeID        protocol.NodeID           `json:"node_id"`
	Fingerprint   protocol.Fingerprint      `json:"fingerprint"`
	PeerID        string                    `json:"peer_id" doc:"libp2p peer ID of the same key"`
	DisplayName   string                    `json:"display_name"`
	Addresses     []string                  `json:"addresses" doc:"multiaddrs with /p2p/<peer ID>, for static_peers and peers add"`
	Capabilities  protocol.NodeCapabilities `json:"capabilities"`
	CreatedAt     time.Time                 `json:"created_at"`
	Keys          *Keys                     `json:"keys,omitempty" doc:"how this key came about, and what comes next"`
}

// Health says in one word how the node is.
type Health string

// Healths, from good to bad.
const (
	HealthOK       Health = "ok"
	HealthStarting Health = "starting" // not everything is up yet; ask again in a second
	HealthDegraded Health = "degraded" // works, but a person should look at health_reasons
	HealthFailing  Health = "failing"  // does not record or does not answer
)

// Status is the answer of GET /api/v1/status: one screen about the running node.
type Status struct {
	SchemaVersion int                  `json:"schema_version"`
	NodeID        protocol.NodeID      `json:"node_id"`
	Fingerprint   protocol.Fingerprint `json:"fingerprint"`
	DisplayName   string               `json:"display_name"`
	Version       string               `json:"version" doc:"version of the program"`
	StartedAt     time.Time            `json:"started_at"`
	UptimeSeconds int64                `json:"uptime_seconds"`
	Events        int64                `json:"events" doc:"commands stored"`
	Events24h     int64                `json:"events_24h" doc:"commands that started in the last 24 hours"`
	Peers         PeerCounts           `json:"peers"`
	Refused       Refused              `json:"refused"`
	Spool         Spool                `json:"spool"`
	Database      Database             `json:"database"`
	Memory        Memory               `json:"memory"`
	Health        Health               `json:"health" enum:"ok,starting,degraded,failing"`
	HealthReasons []string             `json:"health_reasons" doc:"one sentence for each thing that is not well; empty when health is ok"`
	Listen        []string             `json:"listen" doc:"multiaddrs on which the mesh listens"`
	API           Endpoints            `json:"api"`
	Policy        PolicyState          `json:"policy"`
}

// PeerCounts counts the nodes this node knows.
type PeerCounts struct {
	Connected int `json:"connected"`
	Known     int `json:"known" doc:"every node in the list of peers, connected or not"`
	Pending   int `json:"pending" doc:"nodes that tried to connect and wait for a decision about trust"`
}

// Refused counts what other nodes were refused since this one started. Denied queries are answers, and not counted here.
type Refused struct {
	Connections uint64            `json:"connections" doc:"connections cut off as soon as the node's key was known: not trusted, and above the budget for strangers"`
	Messages    map[string]uint64 `json:"messages" doc:"requests and answers of peers by the reason of their refusal; docs/protocol.md explains each"`
}

// Spool tells how observation goes: the way of a command from the shell's hook into the database.
type Spool struct {
	PendingFiles int        `json:"pending_files" doc:"spool files that still hold records to read"`
	PendingBytes int64      `json:"pending_bytes"`
	Torn         int64      `json:"torn" doc:"records that were cut in half and set aside since the start"`
	Ignored      int64      `json:"ignored" doc:"commands that a filter or a pause kept out since the start, as far as they reached the node"`
	LastEventAt  *time.Time `json:"last_event_at,omitempty" doc:"start of the last command that was stored; absent before the first"`
	LastError    string     `json:"last_error,omitempty" doc:"the last failure to read or store records; absent when there was none"`
}

// Database tells the state of the local database.
type Database struct {
	Path          string  `json:"path"`
	SizeBytes     int64   `json:"size_bytes"`
	FreeBytes     int64   `json:"free_bytes" doc:"part of size_bytes that removed rows have left, and that is used again"`
	WALBytes      int64   `json:"wal_bytes" doc:"size of the write-ahead log beside it"`
	SchemaVersion int     `json:"schema_version" doc:"version of the database's own schema, not of this document"`
	Summaries     int64   `json:"summaries" doc:"own and received"`
	AuditEntries  int64   `json:"audit_entries"`
	Growth        *Growth `json:"growth,omitempty" doc:"absent in the first day"`
	Repair        *Repair `json:"repair,omitempty" doc:"the last repair; absent when there was none, or when the file that was there before is gone"`
}

// Growth is how the database has changed over some days.
type Growth struct {
	Bytes  int64 `json:"bytes" doc:"without unused space; below 0 when it has shrunk"`
	Events int64 `json:"events"`
	Days   int   `json:"days" doc:"1 to 7"`
}

// Memory tells what the process uses now.
type Memory struct {
	RSSBytes  uint64 `json:"rss_bytes" doc:"resident set size; 0 where the system does not tell"`
	HeapBytes uint64 `json:"heap_bytes" doc:"bytes of live and not yet swept Go objects"`
}

// Endpoints tells where the local API is served.
type Endpoints struct {
	Socket string `json:"socket" doc:"path of the unix socket"`
	Listen string `json:"listen" doc:"loopback address and port of the page and the API; empty when switched off"`
}

// Alive is the answer of GET /api/v1/health, open without a token: the process serves requests. It tells nothing else.
type Alive struct {
	SchemaVersion int  `json:"schema_version"`
	OK            bool `json:"ok"`
}

// Readiness is the answer of GET /api/v1/ready, open without a token, with 503 when the node is not ready.
type Readiness struct {
	SchemaVersion int  `json:"schema_version"`
	Ready         bool `json:"ready" doc:"the node records commands and answers"`
}

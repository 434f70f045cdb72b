package v1

import (
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// Keys tells where a node stands in the course of its keys.
type Keys struct {
	Generation uint64        `json:"generation" doc:"how often the key was rotated"`
	NextDigest string        `json:"next_digest" doc:"BLAKE3 of the next public key, to which this node has committed; hex"`
	NextHere   bool          `json:"next_here" doc:"the next key lies beside the current one; otherwise it is kept elsewhere"`
	Rotations  []KeyRotation `json:"rotations" doc:"how the current key came about, oldest first"`
}

// KeyRotation is one change of a node's key. It is the answer of POST /api/v1/identity/rotate, with schema_version.
type KeyRotation struct {
	SchemaVersion  int                  `json:"schema_version,omitempty"`
	OldID          protocol.NodeID      `json:"old_id"`
	OldFingerprint protocol.Fingerprint `json:"old_fingerprint"`
	NodeID         protocol.NodeID      `json:"node_id" doc:"of the new key"`
	Fingerprint    protocol.Fingerprint `json:"fingerprint" doc:"of the new key"`
	Generation     uint64               `json:"generation"`
	IssuedAt       time.Time            `json:"issued_at"`
	OldExpires     time.Time            `json:"old_expires" doc:"when peers stop to accept the old key"`
	Reason         string               `json:"reason" enum:"scheduled,compromised"`
}

// RotateKeyRequest is the body of POST /api/v1/identity/rotate.
type RotateKeyRequest struct {
	GraceSeconds *int64 `json:"grace_seconds,omitempty" minimum:"0" maximum:"2592000" doc:"how long the old key counts beside the new one; a day when absent"`
	Compromised  bool   `json:"compromised,omitempty" doc:"somebody else may have the old key: it ends at once"`
}

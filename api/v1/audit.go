package v1

import (
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// AuditRecord is one entry of the audit chain.
type AuditRecord struct {
	ID          string                  `json:"id"`
	Sequence    uint64                  `json:"sequence"`
	Timestamp   time.Time               `json:"timestamp"`
	EventType   protocol.AuditEventType `json:"event_type"`
	Peer        protocol.NodeID         `json:"peer,omitempty"`
	Fingerprint protocol.Fingerprint    `json:"fingerprint,omitempty" doc:"of the peer"`
	Name        string                  `json:"name,omitempty" doc:"of the peer, where it is known now; not part of the chain"`
	Details     map[string]string       `json:"details"`
	Success     bool                    `json:"success"`
	PrevHash    string                  `json:"prev_hash" doc:"64 hex digits"`
	Hash        string                  `json:"hash" doc:"64 hex digits"`
}

// AuditPage is the answer of GET /api/v1/audit.
type AuditPage struct {
	SchemaVersion int           `json:"schema_version"`
	Records       []AuditRecord `json:"records"`
	NextCursor    string        `json:"next_cursor,omitempty"`
}

// AuditVerification is the answer of GET /api/v1/audit/verify.
type AuditVerification struct {
	SchemaVersion int    `json:"schema_version"`
	OK            bool   `json:"ok"`
	Entries       uint64 `json:"entries" doc:"records checked"`
	FirstBad      uint64 `json:"first_bad" doc:"sequence of the first record that does not fit; 0 when ok"`
	Reason        string `json:"reason" doc:"what is wrong there; empty when ok"`
	Head          string `json:"head" doc:"hash of the last intact record, 64 hex digits; note it elsewhere to notice a chain that was cut and regrown"`
	Pruned        uint64 `json:"pruned" doc:"up to which record retention has removed the log; 0: it is whole"`
	Checkpoints   uint64 `json:"checkpoints" doc:"signed checkpoints that fit"`
	Signed        uint64 `json:"signed" doc:"records that the last of them covers"`
	// Witnesses is there where it was asked for.
	Witnesses []AuditWitness `json:"witnesses,omitzero"`
}

// AuditWitness is a node that has said, under its own key, that an audit log did nothing but grow up to a record.
type AuditWitness struct {
	NodeID      protocol.NodeID      `json:"node_id"`
	Fingerprint protocol.Fingerprint `json:"fingerprint"`
	Name        string               `json:"name,omitempty"`
	Entries     uint64               `json:"entries" doc:"records that it vouches for"`
	CosignedAt  *time.Time           `json:"cosigned_at,omitempty"`
}

// AuditCheckpoint is the answer of POST /api/v1/audit/checkpoint.
type AuditCheckpoint struct {
	SchemaVersion int            `json:"schema_version"`
	Entries       uint64         `json:"entries" doc:"records that the log has had"`
	Note          string         `json:"note" doc:"the signed checkpoint, a note of C2SP tlog-checkpoint; keep it elsewhere"`
	Shown         []AuditShowing `json:"shown" doc:"what connected peers made of it"`
}

// AuditShowing is what a peer made of a checkpoint that it was shown.
type AuditShowing struct {
	NodeID      protocol.NodeID      `json:"node_id"`
	Fingerprint protocol.Fingerprint `json:"fingerprint"`
	Name        string               `json:"name,omitempty"`
	Cosigned    bool                 `json:"cosigned"`
	Conflict    bool                 `json:"conflict" doc:"it says that the log is not what it was"`
	Reason      string               `json:"reason,omitempty" doc:"why it is not cosigned"`
}

// AuditAcceptance is the body of POST /api/v1/audit/accept.
type AuditAcceptance struct {
	NodeID string `json:"node_id" minLength:"1" maxLength:"128" doc:"node ID, or the peer ID, fingerprint or name of a known peer"`
}

// AuditAccepted is its answer: a peer's audit log that contradicts what it was, and is witnessed anew.
type AuditAccepted struct {
	SchemaVersion int                  `json:"schema_version"`
	NodeID        protocol.NodeID      `json:"node_id"`
	Fingerprint   protocol.Fingerprint `json:"fingerprint"`
	Name          string               `json:"name,omitempty"`
	EntriesBefore uint64               `json:"entries_before" doc:"records that this node had cosigned"`
	Entries       uint64               `json:"entries" doc:"records of the log that is witnessed from now on"`
	Reason        string               `json:"reason" doc:"what the contradiction is"`
}

// AuditProof is what "audit check-proof" prints about a proof that holds.
type AuditProof struct {
	SchemaVersion int                  `json:"schema_version"`
	OK            bool                 `json:"ok"`
	NodeID        protocol.NodeID      `json:"node_id" doc:"whose audit log it is"`
	Fingerprint   protocol.Fingerprint `json:"fingerprint"`
	Entries       uint64               `json:"entries" doc:"records that the log had when it was signed"`
	Record        AuditRecord          `json:"record"`
	Witnesses     []AuditWitness       `json:"witnesses" doc:"those that were demanded, and have cosigned"`
}

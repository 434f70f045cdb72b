package v1

import (
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// Changes of trust besides the names of the trust levels.
const (
	// TrustDeny refuses the node whatever other rules say.
	TrustDeny = "deny"
	// TrustClear takes back what was set at run time, so that the configuration decides again.
	TrustClear = "clear"
)

// TrustChange is the body of PUT /api/v1/trust.
type TrustChange struct {
	NodeID string `json:"node_id" minLength:"1" maxLength:"128" doc:"node ID, or the peer ID, fingerprint or name of a known peer"`
	Trust  string `json:"trust" enum:"untrusted,share_to,query_from,peer,supervisor,deny,clear"`
	Name   string `json:"name,omitempty" maxLength:"64" doc:"a name for people; replaces an earlier one when given"`
}

// Grant is what this node says of another, at run time or in the configuration.
type Grant struct {
	NodeID      protocol.NodeID      `json:"node_id"`
	Fingerprint protocol.Fingerprint `json:"fingerprint"`
	Name        string               `json:"name,omitempty"`
	Trust       protocol.TrustLevel  `json:"trust" enum:"untrusted,share_to,query_from,peer,supervisor" doc:"the level now in force, after every rule"`
	Deny        bool                 `json:"deny" doc:"refused explicitly"`
	Rule        Rule                 `json:"rule" doc:"the rule in force"`
	ChangedAt   *time.Time           `json:"changed_at,omitempty" doc:"when it was set at run time; absent for the configuration"`
}

// TrustPage is the answer of GET /api/v1/trust. All grants fit one page.
type TrustPage struct {
	SchemaVersion int     `json:"schema_version"`
	Grants        []Grant `json:"grants"`
}

// GrantDocument is the answer of PUT /api/v1/trust: what is in force now.
type GrantDocument struct {
	SchemaVersion int `json:"schema_version"`
	Grant
}

package v1

import (
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// Event is one observed command. It is raw data (L0): this API is for the machine's own user, and nothing here may be
// passed on.
type Event struct {
	ID            string                   `json:"id" doc:"UUIDv7; sorts by time"`
	Timestamp     time.Time                `json:"timestamp" doc:"when the command started"`
	Shell         protocol.ShellType       `json:"shell" enum:"bash,zsh,fish,sh,other"`
	Command       string                   `json:"command" doc:"as typed, after redaction; may hold any character but NUL"`
	CWD           string                   `json:"cwd"`
	ExitCode      *int                     `json:"exit_code,omitempty" doc:"absent when unknown"`
	DurationMS    *int64                   `json:"duration_ms,omitempty" doc:"absent when unknown"`
	Category      protocol.CommandCategory `json:"category"`
	RiskLevel     protocol.RiskLevel       `json:"risk_level" enum:"safe,moderate,high,critical"`
	CaroGenerated bool                     `json:"caro_generated" doc:"a program wrote the command"`
	CaroExecuted  bool                     `json:"caro_executed" doc:"a program ran the command"`
	UserConfirmed bool                     `json:"user_confirmed" doc:"the guard asked and the person confirmed"`
	Blocked       bool                     `json:"blocked" doc:"the guard stopped it; it did not run"`
	Session       string                   `json:"session,omitempty"`
	Redactions    []string                 `json:"redactions" doc:"kinds of secrets that were replaced before storage"`
}

// EventPage is the answer of GET /api/v1/events, newest first.
type EventPage struct {
	SchemaVersion int     `json:"schema_version"`
	Events        []Event `json:"events"`
	NextCursor    string  `json:"next_cursor,omitempty"`
}

package v1

import (
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// Limits of one POST /api/v1/events.
const (
	// MaxReports is the most commands of one request.
	MaxReports = 1000
	// MaxCommand is the longest command, in characters.
	MaxCommand = 1 << 20
)

// EventReport is one command as another program reports it. What is left out is unknown.
type EventReport struct {
	ID            string             `json:"id,omitempty" format:"uuid" doc:"made by the caller: a command whose ID is stored already is not stored again, so that a report can be repeated; made by the node when left out"`
	Timestamp     *time.Time         `json:"timestamp,omitempty" doc:"when the command started; now minus duration_ms when left out"`
	Shell         protocol.ShellType `json:"shell,omitempty" enum:"bash,zsh,fish,sh,other" doc:"whose syntax the command has; other when left out"`
	Command       string             `json:"command" minLength:"1" maxLength:"1048576" doc:"as typed; secrets in it are replaced before it is stored"`
	CWD           string             `json:"cwd,omitempty" maxLength:"4096"`
	ExitCode      *int               `json:"exit_code,omitempty" minimum:"-2147483648" maximum:"2147483647"`
	DurationMS    *int64             `json:"duration_ms,omitempty" minimum:"0"`
	CaroGenerated bool               `json:"caro_generated,omitempty" doc:"a program wrote the command, not the person"`
	CaroExecuted  bool               `json:"caro_executed,omitempty" doc:"a program ran it; also when it is caro_generated and has an exit_code"`
	UserConfirmed bool               `json:"user_confirmed,omitempty" doc:"the person confirmed it after a warning"`
	Blocked       bool               `json:"blocked,omitempty" doc:"it was stopped and did not run; excludes caro_executed"`
	Redactions    []string           `json:"redactions,omitempty" maxItems:"64" maxLength:"64" pattern:"^[a-z][a-z0-9_]*$" doc:"kinds of secrets that the caller has replaced in the command already"`
}

// EventReports is the body of POST /api/v1/events.
type EventReports struct {
	Events []EventReport `json:"events" minItems:"1" maxItems:"1000"`
	// Import marks history: a pause of recording does not keep it out, and the answer has no events.
	Import bool `json:"import,omitempty" doc:"these are of the past: a pause of recording does not keep them out, and the answer counts them without repeating them"`
}

// StoredEvents is the answer of POST /api/v1/events. Stored, AlreadyStored and Ignored add up to what was sent.
type StoredEvents struct {
	SchemaVersion int     `json:"schema_version"`
	Stored        int     `json:"stored"`
	AlreadyStored int     `json:"already_stored" doc:"their ID was stored before or, of an import, a shell recorded the same command at that time"`
	Ignored       int     `json:"ignored" doc:"kept out by an ignore pattern, a leading blank, or a pause of recording"`
	Redacted      int     `json:"redacted" doc:"of the stored ones, those in which a secret was replaced"`
	Events        []Event `json:"events" doc:"the stored ones as they were stored, in the order of the request; empty for an import"`
}

// EventDocument is the answer of GET /api/v1/events/{id}.
type EventDocument struct {
	SchemaVersion int `json:"schema_version"`
	Event
}

// EventCount is the answer of GET /api/v1/events/count.
type EventCount struct {
	SchemaVersion int   `json:"schema_version"`
	Count         int64 `json:"count"`
}

// DeletedEvents is the answer of DELETE /api/v1/events. What was deleted is overwritten in the files when it arrives.
type DeletedEvents struct {
	SchemaVersion int   `json:"schema_version"`
	Deleted       int64 `json:"deleted"`
}

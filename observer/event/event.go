// Package event defines the raw event (L0): one command as it was typed. Nothing that speaks to the network may
// import it; a test on the import graph keeps it so (design §2.1).
package event

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/caro-mesh/caro-node/protocol"
)

// Event is one observed command. It never leaves the machine.
type Event struct {
	ID         string    // UUIDv7, made when the record was read; its time is Timestamp
	Timestamp  time.Time // when the command started, from MinTime to MaxTime
	Shell      protocol.ShellType
	Command    string // after redaction
	CWD        string
	ExitCode   *int   // nil: unknown, for example of an imported or a blocked command
	DurationMS *int64 // nil: unknown
	// CaroGenerated marks a command that a program wrote, not the person.
	CaroGenerated bool
	// CaroExecuted marks a generated command that was then run.
	CaroExecuted  bool
	Category      protocol.CommandCategory
	RiskLevel     protocol.RiskLevel
	UserConfirmed bool   // the guard asked and the person confirmed
	Blocked       bool   // the guard stopped it; it did not run
	Session       string // shell session, the name of its spool file without extension; may be empty
	// Pattern is the command's shape without its values; only the number of distinct ones is ever shared.
	Pattern string
	// Redactions names the kinds of secrets that were replaced, sorted, each once.
	Redactions []string
	// Expanded is Command as the shell expanded its aliases, empty where it held none. It is judged in place of Command on the
	// way to the store, and goes no further.
	Expanded string
}

// NewID returns a UUIDv7 that carries t, so that IDs sort by time.
func NewID(t time.Time) string {
	u, err := uuid.NewV7()
	if err != nil { // only if the system has no random source
		panic(fmt.Sprintf("read random bytes: %v", err))
	}
	ms := uint64(t.UnixMilli())
	for i := range 6 {
		u[i] = byte(ms >> (40 - 8*i))
	}
	return u.String()
}

// Failed reports whether the command is known to have failed.
func (e *Event) Failed() bool { return e.ExitCode != nil && *e.ExitCode != 0 }

// Validate checks what the store relies on.
func (e *Event) Validate() error {
	if _, err := uuid.Parse(e.ID); err != nil {
		return fmt.Errorf("event ID %q is not a UUID", e.ID)
	}
	if e.Timestamp.IsZero() {
		return errors.New("event without a time")
	}
	if err := CheckTime(e.Timestamp); err != nil {
		return err
	}
	if e.Command == "" {
		return errors.New("event without a command")
	}
	if e.DurationMS != nil && *e.DurationMS < 0 {
		return fmt.Errorf("event with the negative duration %d ms", *e.DurationMS)
	}
	if err := e.Category.Validate(); err != nil {
		return err
	}
	return e.RiskLevel.Validate()
}

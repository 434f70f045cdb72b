package audit

import (
	"errors"

	"github.com/caro-mesh/caro-node/policy"
)

// Sentinels for errors.Is; both describe a [*DeniedError].
var (
	// ErrDenied is what every DeniedError is: answer the peer with the decision's reason and go on.
	ErrDenied = errors.New("denied by policy")
	// ErrNotRecorded is what a DeniedError is when the record could not be written, whatever the policy said. Tell the
	// person: their node shares nothing until this is mended.
	ErrNotRecorded = errors.New("the audit log cannot be written, so nothing is shared; look for a full disk or a read-only data folder")
)

// DeniedError is returned for everything that does not happen: because the policy does not permit it, or because it
// could not be recorded.
type DeniedError struct {
	// Decision is the refusal; its Reason may be sent to the refused peer, Error's text may not.
	Decision policy.Decision
	// Cause is why the record could not be written; nil when it was.
	Cause error
}

// Error returns a sentence for the local log.
func (e *DeniedError) Error() string {
	if e.Cause != nil {
		return ErrNotRecorded.Error() + ": " + e.Cause.Error()
	}
	return ErrDenied.Error() + " (" + e.Decision.Rule.Name + ", " + e.Decision.Rule.Place() + "): " + e.Decision.Reason
}

// Unwrap makes errors.Is find [ErrDenied], and with a cause [ErrNotRecorded] and the cause.
func (e *DeniedError) Unwrap() []error {
	if e.Cause != nil {
		return []error{ErrDenied, ErrNotRecorded, e.Cause}
	}
	return []error{ErrDenied}
}

package audit

import (
	"errors"

	"github.com/caro-mesh/caro-node/policy"
)

// ErrDenied is what every [DeniedError] is, for callers that do not need the decision.
var ErrDenied = errors.New("denied by policy")

// DeniedError is returned for everything that the policy does not permit.
type DeniedError struct {
	Decision policy.Decision
}

// Error returns the decision's reason, which is safe to send to the refused peer.
func (e *DeniedError) Error() string { return ErrDenied.Error() + ": " + e.Decision.Reason }

// Unwrap lets errors.Is find [ErrDenied].
func (e *DeniedError) Unwrap() error { return ErrDenied }

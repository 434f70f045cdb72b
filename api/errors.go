package api

import (
	"errors"
	"fmt"
)

// Kinds of refusal. Each has its HTTP status; see [Refuse].
var (
	ErrNotFound    = errors.New("not found")         // 404
	ErrInvalid     = errors.New("invalid request")   // 422
	ErrConflict    = errors.New("conflict")          // 409
	ErrDenied      = errors.New("denied by policy")  // 403
	ErrUnavailable = errors.New("not available now") // 503
	ErrTimeout     = errors.New("no answer in time") // 504
)

// Refuse returns an error of one of the kinds above with a sentence for the person who asked: what is wrong and what
// to do. The sentence is sent as it is; %w in it keeps the cause for errors.Is and for the log, so its text is sent too.
func Refuse(kind error, format string, args ...any) error {
	return &refusal{kind: kind, detail: fmt.Errorf(format, args...)}
}

// refusal is an error that may be told.
type refusal struct {
	kind   error
	detail error
}

func (r *refusal) Error() string   { return r.detail.Error() }
func (r *refusal) Unwrap() []error { return []error{r.kind, r.detail} }

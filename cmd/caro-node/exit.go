package main

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/caro-mesh/caro-node/api/client"
)

// Exit codes, the same for every command; `check` has its own.
const (
	exitDone       = 0
	exitFailed     = 1
	exitUsage      = 2
	exitNotRunning = 3
	exitDenied     = 4
)

// exitError carries the exit code of an error that was already worded for the person. A nil err prints nothing.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usageErrorf reports wrong use: the person has to type something else.
func usageErrorf(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// exitCode maps an error to the exit code that scripts rely on.
func exitCode(err error) int {
	var ee *exitError
	var problem *client.Error
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &ee):
		return ee.code
	case errors.Is(err, client.ErrNotRunning):
		return exitNotRunning
	case errors.As(err, &problem) && problem.Denied():
		return exitDenied
	case errors.As(err, &problem) && problem.Status == http.StatusUnprocessableEntity:
		return exitUsage
	}
	return exitFailed
}

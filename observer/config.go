package observer

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/caro-mesh/caro-node/observer/event"
)

// Sink stores events. Its errors are taken as passing: the observer keeps the spool file and tries again.
type Sink interface {
	// SpoolOffset returns how far the claimed file was read, in bytes; 0 when the file is unknown.
	SpoolOffset(ctx context.Context, file string) (int64, error)
	// AppendFromSpool stores events, their roll-ups and the new offset of the file in one transaction.
	AppendFromSpool(ctx context.Context, file string, offset int64, events []event.Event) error
	// ForgetSpool drops the offset of a file that no longer exists.
	ForgetSpool(ctx context.Context, file string) error
	// Durable returns once everything appended so far survives a power failure.
	Durable(ctx context.Context) error
	// Append stores events that come from elsewhere: an import, the API.
	Append(ctx context.Context, events []event.Event) error
}

// Config of an [Observer]. SpoolDir and Sink are required.
type Config struct {
	// SpoolDir is where the hooks write; Run makes it.
	SpoolDir string
	Sink     Sink
	// Logger defaults to [slog.Default].
	Logger *slog.Logger
	// Now defaults to [time.Now].
	Now func() time.Time
	// Redact replaces the secrets in a command and names their kinds. Nil: nothing is replaced.
	Redact func(command string) (clean string, kinds []string)
	// Annotate sets category, risk level and pattern of an event whose command is redacted already. Nil: [Annotate].
	Annotate func(*event.Event)
	// Ignore holds patterns of commands and folders that are not kept, see [ParseIgnore].
	Ignore []string
	// Started is called once, when Run has the spool folder for itself and is about to read it. Nil: nobody is told.
	Started func()
	// Poll is how often the spool folder is looked at although nothing was heard of it. Default: a minute where the
	// system tells of changes, a second where it cannot.
	Poll time.Duration
	// Grace is how long a claimed file is kept for a shell that opened it before the claim. Default: 5 s.
	Grace time.Duration

	retryMin, retryMax time.Duration // backoff after errors; defaults 1 s and 1 min
	batchEvents        int           // default 500
	batchBytes         int           // of commands, default 4 MiB
	noWatch            bool          // tests: as on a system that cannot tell of changes
}

func (c *Config) complete() error {
	if c.SpoolDir == "" {
		return errors.New("the observer needs a spool folder")
	}
	if c.Sink == nil {
		return errors.New("the observer needs a sink")
	}
	c.defaults()
	return nil
}

func (c *Config) defaults() {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Annotate == nil {
		c.Annotate = Annotate
	}
	if c.Redact == nil {
		c.Redact = func(command string) (string, []string) { return command, nil }
	}
	if c.Started == nil {
		c.Started = func() {}
	}
	c.Grace = orElse(c.Grace, 5*time.Second)
	c.retryMin, c.retryMax = orElse(c.retryMin, time.Second), orElse(c.retryMax, time.Minute)
	c.batchEvents, c.batchBytes = orElse(c.batchEvents, 500), orElse(c.batchBytes, 4<<20)
}

func orElse[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

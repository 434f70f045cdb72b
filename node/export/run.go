package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/policy/audit/siem"
)

// Target is where records go: a [File], a [Stream] or a [Collector].
type Target interface {
	name() string // for the state file
	open(offset int64) sink
}

// sink takes lines in order.
type sink interface {
	// message tells that it takes syslog messages instead of lines.
	message() bool
	put(ctx context.Context, lines [][]byte) error
	// settled tells whether what was put counts as delivered. An error means that it may be lost.
	settled() (bool, error)
	position() int64
	// close returns nil when all that was put counts as delivered.
	close() error
}

// Config is one export.
type Config struct {
	// Records returns at most limit records with a sequence above after, by rising sequence.
	Records func(ctx context.Context, after uint64, limit int) ([]audit.Record, error)
	Origin  siem.Origin
	Format  siem.Format
	Target  Target
	State   string // path of the state file; empty: it begins with the first record, and nobody remembers
	// Follow goes on with what is recorded later, until the context ends, and tries again when the collector is away.
	Follow bool
	Every  time.Duration // how often it looks for new records; 0 means DefaultEvery
	// Note is told what a person should know, such as that the collector is away. May be nil.
	Note func(string)
}

// DefaultEvery is how often new records are looked for.
const DefaultEvery = time.Second

const (
	batch        = 500 // records between two acknowledgements
	longestPause = time.Minute
)

// ErrBroken means that the log is not the one any more that was exported so far. "caro-node audit verify" tells more, and
// another state file exports what is there now from its beginning.
var ErrBroken = errors.New("the audit log does not continue what was exported")

// export is a [Config] under way.
type export struct {
	Config
	sink  sink
	acked state  // what the state file says
	put   state  // what was put, and may not be acknowledged yet
	count uint64 // of the records between the two
	sent  uint64
}

// Run delivers records until there are no more, or with Follow until ctx ends, and returns how many it has delivered.
func Run(ctx context.Context, c Config) (sent uint64, err error) {
	unlock, err := lock(c.State)
	if err != nil {
		return 0, err
	}
	defer unlock()
	if c.Every <= 0 {
		c.Every = DefaultEvery
	}
	e := &export{Config: c}
	if e.acked, err = load(c.State, string(c.Format), c.Target.name()); err != nil {
		return 0, err
	}
	e.put = e.acked
	if err := e.stillHolds(ctx, e.acked); err != nil {
		return 0, err
	}
	e.sink = c.Target.open(e.acked.Offset)
	err = e.run(ctx)
	if ctx.Err() != nil && c.Follow {
		err = nil // it was told to stop
	}
	closed := e.sink.close()
	if closed == nil && err == nil {
		err = e.acknowledge()
	}
	return e.sent, errors.Join(err, closed)
}

// stillHolds checks that the log still has the last record of a state, or that retention has removed it.
func (e *export) stillHolds(ctx context.Context, s state) error {
	if s.Sequence == 0 {
		return nil
	}
	rs, err := e.Records(ctx, s.Sequence-1, 1)
	switch {
	case err != nil:
		return err
	case len(rs) == 0:
		return fmt.Errorf("%w: it ends before record %d; it was cut or restored from an older copy (to export what is there now from its beginning, name another file with --state)", ErrBroken, s.Sequence)
	case rs[0].Sequence == s.Sequence && rs[0].Hash != s.Hash:
		return fmt.Errorf("%w: record %d is another one now; it was rewritten (to export what is there now from its beginning, name another file with --state)", ErrBroken, s.Sequence)
	}
	return nil
}

func (e *export) run(ctx context.Context) error {
	pause := e.Every
	for {
		n, err := e.step(ctx)
		switch {
		case errors.Is(err, ErrCollector) && e.Follow && ctx.Err() == nil:
			e.put, e.count = e.acked, 0 // what may be lost is sent again
			e.note("%v; trying again in %s", err, pause)
		case err != nil:
			return err
		case n == batch:
			continue
		case !e.Follow:
			return nil
		default:
			pause = e.Every
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		if err != nil {
			pause = min(2*pause, longestPause)
		}
	}
}

// step acknowledges what has settled and puts the next records, whose number it returns.
func (e *export) step(ctx context.Context) (int, error) {
	if e.put != e.acked {
		if ok, err := e.sink.settled(); err != nil {
			return 0, err
		} else if ok {
			if err := e.acknowledge(); err != nil {
				return 0, err
			}
		}
	}
	rs, err := e.Records(ctx, e.put.Sequence, batch)
	if err != nil || len(rs) == 0 {
		return 0, err
	}
	lines, next, err := e.lines(ctx, rs)
	if err != nil {
		return 0, err
	}
	if err := e.sink.put(ctx, lines); err != nil {
		return 0, err
	}
	next.Offset = e.sink.position()
	e.put, e.count = next, e.count+uint64(len(rs))
	if !e.sink.message() { // what is on the disk needs no second look
		err = e.acknowledge()
	}
	return len(rs), err
}

// lines writes the records and returns the state after them. What does not fit the chain is told and exported all the same:
// whoever collects the log needs it most then.
func (e *export) lines(ctx context.Context, rs []audit.Record) ([][]byte, state, error) {
	next := e.put
	out := make([][]byte, len(rs))
	for i, r := range rs {
		err := r.Follows(audit.Record{Sequence: next.Sequence, Hash: next.Hash})
		switch {
		case errors.Is(err, audit.ErrGap):
			e.note("records %d to %d are not there any more and were not exported", next.Sequence+1, r.Sequence-1)
		case err != nil:
			if i == 0 { // or the log was changed while it was looked away from
				if err := e.stillHolds(ctx, next); err != nil {
					return nil, state{}, err
				}
			}
			e.note("record %d does not fit the chain: %v (caro-node audit verify tells more); it is exported as it stands", r.Sequence, err)
		}
		next.Sequence, next.Hash = r.Sequence, r.Hash
		if e.sink.message() {
			out[i], err = e.Origin.Message(e.Format, r)
		} else {
			out[i], err = e.Origin.Line(e.Format, r)
		}
		if err != nil {
			return nil, state{}, err
		}
	}
	return out, next, nil
}

func (e *export) acknowledge() error {
	if e.put == e.acked {
		return nil
	}
	if err := e.put.save(e.State); err != nil {
		return err
	}
	e.sent, e.count = e.sent+e.count, 0
	e.acked = e.put
	return nil
}

func (e *export) note(format string, args ...any) {
	if e.Note != nil {
		e.Note(fmt.Sprintf(format, args...))
	}
}

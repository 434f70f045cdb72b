package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"
)

// Verification is the outcome of checking a chain of records, or all that is kept of a log.
type Verification struct {
	OK bool `json:"ok"`
	// Entries that were found intact, from the first on; those that retention removed are counted.
	Entries uint64 `json:"entries"`
	// FirstBad is the place in the chain, counted from 1, where the first fault shows; 0 when OK.
	FirstBad uint64 `json:"first_bad"`
	// Reason is one sentence for people; empty when OK.
	Reason string `json:"reason"`
	// Head is the hash of the last intact entry; zero when there is none.
	Head Hash `json:"head"`
	// Pruned is up to which entry retention removed the log.
	Pruned uint64 `json:"pruned,omitempty"`
	// Checkpoints is how many signed checkpoints were found to fit, Signed how many entries the last of them covers.
	Checkpoints uint64 `json:"checkpoints,omitempty"`
	Signed      uint64 `json:"signed,omitempty"`
}

// Head is what somebody remembered of a chain: how many entries it had, and the hash of the last of them. With a zero
// Hash only the length is compared; with zero Entries the hash may be that of any entry.
type Head struct {
	Entries uint64 `json:"entries"`
	Hash    Hash   `json:"head"`
}

// ErrUnreadable is what a source of records wraps when a stored record cannot be decoded. [Verify] reports it as a
// fault of the chain; any other error means that the chain could not be read to its end, which says nothing about it.
var ErrUnreadable = errors.New("record cannot be decoded")

// Verify reads a whole chain in ascending order and stops at the first fault. The remembered heads, if any, must all be
// part of it. Memory does not grow with the length. An error means that there is no verdict, because ctx ended or
// records could not be read; what was intact until then is reported with it, and OK is false.
func Verify(ctx context.Context, records iter.Seq2[Record, error], remembered ...Head) (Verification, error) {
	c := checker{remembered: remembered, found: make([]bool, len(remembered))}
	for r, err := range records {
		if ctxErr := ctx.Err(); ctxErr != nil {
			return c.interrupted(ctxErr)
		}
		if err != nil && !errors.Is(err, ErrUnreadable) {
			return c.interrupted(err)
		}
		if err == nil {
			err = c.add(r)
		}
		if err != nil {
			return c.bad(c.last.Sequence+1, explain(c.last, r, err)), nil
		}
	}
	if err := ctx.Err(); err != nil { // a source that ends early when ctx does must not look like a short chain
		return c.interrupted(err)
	}
	return c.end(), nil
}

// checker holds what is known of the part of the chain that was read.
type checker struct {
	last       Record
	remembered []Head
	found      []bool
}

var errRewritten = errors.New("entry is not the remembered one")

func (c *checker) add(r Record) error {
	if err := r.Follows(c.last); err != nil {
		return err
	}
	for i, h := range c.remembered {
		switch {
		case h.Entries == r.Sequence && h.Hash != (Hash{}) && h.Hash != r.Hash:
			return errRewritten
		case h.Entries == r.Sequence, h.Entries == 0 && h.Hash == r.Hash:
			c.found[i] = true
		}
	}
	c.last = r
	return nil
}

// end judges what only shows when the last record was read.
func (c *checker) end() Verification {
	for i, h := range c.remembered {
		switch {
		case c.found[i] || h == Head{}:
		case h.Entries == 0:
			return c.bad(c.last.Sequence+1, fmt.Sprintf("no entry has the remembered hash %s: entries were cut off or the chain was written anew", h.Hash))
		default:
			return c.bad(c.last.Sequence+1, fmt.Sprintf("the chain ends after %d entries, but it had %d: entries were cut off at its end", c.last.Sequence, h.Entries))
		}
	}
	return Verification{OK: true, Entries: c.last.Sequence, Head: c.last.Hash}
}

func (c *checker) bad(at uint64, reason string) Verification {
	return Verification{Entries: c.last.Sequence, FirstBad: at, Reason: reason, Head: c.last.Hash}
}

func (c *checker) interrupted(err error) (Verification, error) {
	return c.bad(0, "the audit log could not be read to its end"),
		fmt.Errorf("reading stopped after entry %d: %w", c.last.Sequence, err)
}

// explain puts a fault at record r, after the intact record last, into words.
func explain(last, r Record, err error) string {
	at := last.Sequence + 1
	switch {
	case errors.Is(err, ErrGap) && r.Sequence > at:
		return fmt.Sprintf("entry %d is missing: entry %d follows entry %d", at, r.Sequence, last.Sequence)
	case errors.Is(err, ErrGap):
		return fmt.Sprintf("entry %d stands where entry %d belongs: it was moved, repeated or inserted", r.Sequence, at)
	case errors.Is(err, ErrLink) && last.Sequence == 0:
		return "entry 1 refers to an entry before it: entries were removed at the beginning"
	case errors.Is(err, ErrLink):
		return fmt.Sprintf("entry %d does not refer to entry %d as it is now: one of the two was replaced", at, last.Sequence)
	case errors.Is(err, ErrAltered):
		return fmt.Sprintf("entry %d was altered: its content does not match its hash", at)
	case errors.Is(err, errRewritten):
		return fmt.Sprintf("entry %d is not the remembered one: the chain was written anew up to there", at)
	}
	return fmt.Sprintf("entry %d cannot be checked: %v", at, err)
}

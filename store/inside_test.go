package store

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/protocol"
)

func TestADamagedSegmentFailsTheSearchAndIsNamed(t *testing.T) {
	for what, change := range map[string]string{
		"attributes cut off":    `UPDATE segment SET attributes = substr(attributes, 1, length(attributes) - 1)`,
		"commands cut off":      `UPDATE segment SET commands = substr(commands, 1, length(commands) - 1)`,
		"attributes of nothing": `UPDATE segment SET attributes = zeroblob(length(attributes))`,
	} {
		s := open(t, Options{packing: &packing{events: 8, bytes: 1 << 16}})
		check(t, s.Append(t.Context(), newGenerator(1, noon, 1e9).batch(64)))
		check(t, s.write(t.Context(), "damage", func(tx *tx) error { _, err := tx.exec(change); return err }))
		_, _, err := s.Events(t.Context(), EventFilter{Search: "e", Limit: 64})
		wantErr(t, err, ErrDamaged)
		if what != "commands cut off" { // which are not looked at
			_, _, err = s.Events(t.Context(), EventFilter{MinRisk: protocol.RiskModerate})
			wantErr(t, err, ErrDamaged)
		}
	}
}

func TestASearchEndsWithItsContext(t *testing.T) {
	s := open(t, Options{packing: &packing{events: 8, bytes: 1 << 16}})
	check(t, s.Append(t.Context(), newGenerator(1, noon, 1e9).batch(64)))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := s.read(ctx, func(r *sql.Tx) error {
		m, _, err := newMatcher(ctx, r, &EventFilter{Search: "git"})
		check(t, err)
		f := newFinder(ctx, r, &m, 10)
		cancel() // between two segments, for what the search sees
		return f.findPacked()
	})
	wantErr(t, err, context.Canceled)
}

func TestSearchesUnderWayKeepApart(t *testing.T) {
	s := open(t, Options{packing: &packing{events: 8, bytes: 1 << 16}})
	for i := range 512 {
		check(t, s.Append(t.Context(), []event.Event{plainEvent(noon.Add(time.Duration(i)*time.Second), fmt.Sprintf("make %d", i%8))}))
	}
	var g errgroup.Group
	for w := range 8 {
		g.Go(func() error {
			for range 20 {
				list, _, err := s.Events(t.Context(), EventFilter{Search: fmt.Sprintf("make %d", w), Limit: 100})
				if err != nil || len(list) != 64 {
					return fmt.Errorf("make %d: %d found: %w", w, len(list), err)
				}
				for _, e := range list {
					if want := fmt.Sprintf("make %d", w); e.Command != want {
						return fmt.Errorf("%q was found for %q", e.Command, want)
					}
				}
			}
			return nil
		})
	}
	check(t, g.Wait())
	if n := len(inside.m); n != 0 {
		t.Errorf("%d searches are still known after their end", n)
	}
}

package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// Two stores on one file stand for two processes: the second knows nothing of what the first has in memory.
func TestManyWritersAndReadersOfTwoStoresAgree(t *testing.T) {
	small := Options{packing: &packing{events: 50, bytes: 1 << 16}}
	one := open(t, small)
	two := openAt(t, one.Path(), small)
	const writers, size = 3, 7
	batches := int64(30)
	if raceDetector { // each write of one store waits for the other's, which the detector makes fifteen times longer
		batches = 6
	}
	var mu sync.Mutex
	reserved := make(map[uint64]bool)
	group, ctx := errgroup.WithContext(t.Context())
	for w := range writers {
		for i, s := range []*Store{one, two} {
			group.Go(func() error { // each from its own file, all in the same hours
				g := newGenerator(uint64(w*2+i), noon, 10*time.Second)
				for b := range batches {
					events := g.batch(size)
					for range 2 { // the second time it is stored already
						if err := s.AppendFromSpool(ctx, fmt.Sprint("f", w, i), b+1, events); err != nil {
							return err
						}
					}
				}
				return nil
			})
		}
	}
	for _, s := range []*Store{one, two} {
		group.Go(func() error {
			for range batches {
				if _, err := s.AuditLog().Append(ctx, audit.Event{Type: protocol.AuditPeerConnected, Peer: nodeID(3), Success: true}); err != nil {
					return err
				}
				first, err := s.ReserveSequence(ctx, 3)
				if err != nil {
					return err
				}
				mu.Lock()
				for n := range uint64(3) {
					if reserved[first+n] {
						t.Errorf("sequence number %d was handed out twice", first+n)
					}
					reserved[first+n] = true
				}
				mu.Unlock()
			}
			return nil
		})
		group.Go(func() error {
			for range batches {
				list, _, err := s.Events(ctx, EventFilter{Search: "git", Limit: 20})
				if err != nil {
					return err
				}
				for i := 1; i < len(list); i++ {
					if list[i].Timestamp.After(list[i-1].Timestamp) {
						return errors.New("events are out of order")
					}
				}
				n, err := s.CountEvents(ctx)
				if err != nil {
					return err
				}
				if n%size != 0 {
					return fmt.Errorf("%d events are seen: part of a transaction", n)
				}
				if v, err := s.VerifyAudit(ctx); err != nil || !v.OK {
					return fmt.Errorf("audit log: %s, %w", v.Reason, err)
				}
			}
			return nil
		})
	}
	check(t, group.Wait())
	for _, s := range []*Store{one, two} {
		if n, err := s.CountEvents(t.Context()); err != nil || n != writers*2*batches*size {
			t.Errorf("%d events, want %d, %v", n, writers*2*batches*size, err)
		}
		if n := auditCount(t, s); n != 2*batches {
			t.Errorf("%d audit records, want %d", n, 2*batches)
		}
		sound(t, s)
	}
}

func TestWhatOneProcessDeletesTheOtherDoesNotUseAgain(t *testing.T) {
	one := open(t, Options{})
	two := openAt(t, one.Path(), Options{})
	g := newGenerator(1, noon, time.Second)
	check(t, one.Append(t.Context(), g.batch(50))) // now it remembers folders and sessions
	_, err := two.DeleteMatching(t.Context(), EventFilter{})
	check(t, err)
	check(t, one.Append(t.Context(), g.batch(50)))
	sound(t, one)
	if n, err := two.CountEvents(t.Context()); err != nil || n != 50 {
		t.Errorf("%d events, %v", n, err)
	}
}

func TestAWriterThatGivesUpLeavesTheStoreUsable(t *testing.T) {
	s := open(t, Options{})
	check(t, s.writer.acquire(t.Context())) // somebody is writing
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	wantErr(t, s.Append(ctx, newGenerator(1, noon, 1e9).batch(1)), context.DeadlineExceeded)
	s.writer.release()
	boom := errors.New("boom")
	wantErr(t, s.write(t.Context(), "test", func(tx *tx) error {
		if err := tx.append(newGenerator(1, noon, 1e9).batch(3)); err != nil {
			return err
		}
		return boom
	}), boom)
	func() {
		defer func() { _ = recover() }()
		_ = s.write(t.Context(), "test", func(tx *tx) error {
			check(t, tx.append(newGenerator(2, noon, 1e9).batch(3)))
			panic("boom")
		})
	}()
	check(t, s.Append(t.Context(), newGenerator(1, noon, 1e9).batch(5)))
	if n, err := s.CountEvents(t.Context()); err != nil || n != 5 {
		t.Errorf("%d events, %v", n, err)
	}
	sound(t, s)
}

// untilFree tries again what failed because others were writing for longer than anybody waits: this machine may be slow.
func untilFree(t *testing.T, do func() error) (err error) {
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); {
		if err = do(); !isBusy(err) || t.Context().Err() != nil {
			break
		}
	}
	return err
}

func TestManyMayCreateTheSameDatabaseAtOnce(t *testing.T) {
	for range 5 {
		path := filepath.Join(t.TempDir(), "caro.db")
		stores := make([]*Store, 6)
		var group errgroup.Group
		for i := range stores {
			group.Go(func() (err error) {
				return untilFree(t, func() (err error) {
					if stores[i] == nil {
						stores[i], err = Open(t.Context(), path, Options{})
					}
					if err == nil {
						err = stores[i].Append(t.Context(), newGenerator(uint64(i), noon, time.Second).batch(5))
					}
					return err
				})
			})
		}
		err := group.Wait()
		for _, s := range stores {
			if s != nil {
				if n, err := s.CountEvents(t.Context()); err != nil || n != 30 {
					t.Errorf("%d events, %v", n, err)
				}
				check(t, s.Close())
			}
		}
		check(t, err)
	}
}

package rotation_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
	"github.com/caro-mesh/caro-node/protocol/rotation"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// two returns two nodes that have met.
func two(t *testing.T) (a, b *meshtest.Node) {
	t.Helper()
	a, b = meshtest.New(t, meshtest.Options{}), meshtest.New(t, meshtest.Options{})
	client := a.Greets(nil)
	b.Greets(nil)
	meshtest.Meet(t, a, client, b)
	return a, b
}

func newKey(t *testing.T) *identity.Identity {
	t.Helper()
	id, err := identity.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func statement(t *testing.T, from, to, next *identity.Identity, generation uint64) []byte {
	t.Helper()
	now := protocol.At(time.Now())
	wire, err := protocol.SignRotation(&protocol.KeyRotation{OldID: from.NodeID(), NewID: to.NodeID(), Generation: generation, IssuedAt: now,
		ValidFrom: now, OldExpires: now, NextDigest: protocol.DigestOf(next.NodeID()), Reason: protocol.RotationScheduled}, from, to, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

func TestAnAnnouncedRotationIsVerifiedAndAnswered(t *testing.T) {
	for _, want := range []struct {
		status rotation.Status
		reason string
	}{{rotation.StatusAccepted, ""}, {rotation.StatusUnproven, "this node never met that key"}, {rotation.StatusRefused, "another key followed it"}} {
		a, b := two(t)
		before, next, after := newKey(t), newKey(t), newKey(t)
		var got []*protocol.KeyRotation
		b.OnClose(rotation.Serve(b.Endpoint, func(_ context.Context, from exchange.From, chain []*protocol.KeyRotation) (rotation.Status, string, error) {
			if from.ID != a.Key.NodeID() {
				t.Errorf("announced by %s", from.ID)
			}
			got = chain
			return want.status, want.reason, nil
		}).Close)
		wires := [][]byte{statement(t, before, a.Key, next, 4), statement(t, a.Key, next, after, 5)}
		status, reason, err := rotation.Announce(t.Context(), a.Endpoint, b.Key.NodeID(), wires)
		if err != nil || status != want.status || reason != want.reason {
			t.Errorf("%s %q, %v", status, reason, err)
		}
		if len(got) != 2 || got[1].NewID != next.NodeID() || got[1].Endorsed == nil || string(got[0].Wire()) != string(wires[0]) {
			t.Errorf("received %+v", got)
		}
	}
}

func TestARotationIsTakenFromTheNodeWhoseKeyItIsOnly(t *testing.T) {
	a, b := two(t)
	k1, k2, k3 := newKey(t), newKey(t), newKey(t)
	b.OnClose(rotation.Serve(b.Endpoint, func(context.Context, exchange.From, []*protocol.KeyRotation) (rotation.Status, string, error) {
		t.Error("it was learnt")
		return rotation.StatusAccepted, "", nil
	}).Close)
	for name, c := range map[string]struct {
		wires [][]byte
		want  error
	}{
		"of another node":             {[][]byte{statement(t, k1, k2, k3, 1)}, protocol.ErrSender},
		"that led to the sender":      {[][]byte{statement(t, k1, a.Key, k3, 1)}, protocol.ErrSender},
		"with an unrelated one first": {[][]byte{statement(t, k1, k2, k3, 1), statement(t, a.Key, k2, k3, 2)}, protocol.ErrMalformed},
	} {
		if _, _, err := rotation.Announce(t.Context(), a.Endpoint, b.Key.NodeID(), c.wires); !errors.Is(err, exchange.ErrViolation) {
			t.Errorf("%s: %v", name, err)
		}
		meshtest.Eventually(t, func() error {
			all := b.Refusals()
			if len(all) == 0 || !errors.Is(all[len(all)-1].Err, c.want) || !all[len(all)-1].Hostile() {
				return fmt.Errorf("%s: b reported %v", name, all)
			}
			return nil
		})
	}
	if _, _, err := rotation.Announce(t.Context(), a.Endpoint, b.Key.NodeID(), nil); err == nil {
		t.Error("nothing was announced")
	}
}

func TestOurOwnTroubleIsNotTold(t *testing.T) {
	a, b := two(t)
	next, after := newKey(t), newKey(t)
	b.OnClose(rotation.Serve(b.Endpoint, func(context.Context, exchange.From, []*protocol.KeyRotation) (rotation.Status, string, error) {
		return "", "", errors.New("the disk is full")
	}).Close)
	if _, _, err := rotation.Announce(t.Context(), a.Endpoint, b.Key.NodeID(), [][]byte{statement(t, a.Key, next, after, 1)}); !errors.Is(err, exchange.ErrNoAnswer) {
		t.Errorf("error %v", err)
	}
}

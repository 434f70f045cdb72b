package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/rotation"
	"github.com/caro-mesh/caro-node/store"
)

// sharedClock is the clock of all members of one test: the machine's, put forward by an offset.
type sharedClock struct{ offset atomic.Int64 }

func (c *sharedClock) now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

// member is a node with its files, which can be stopped and started again.
type member struct {
	t     *testing.T
	clock *sharedClock
	dir   string
	port  string // fixed after the first start
	db    *store.Store
	keys  *Keys
	peers []string // static ones, kept from start to start
	doc   policy.Document

	node *Node
	stop func()
}

func newMember(t *testing.T, clock *sharedClock) *member {
	t.Helper()
	m := &member{t: t, clock: clock, dir: t.TempDir(), port: "0"}
	var err error
	if m.db, err = store.Open(t.Context(), filepath.Join(m.dir, "caro.db"), store.Options{Now: clock.now}); err != nil {
		t.Fatal(err)
	}
	m.keys = &Keys{Ring: identity.NewRing(filepath.Join(m.dir, identity.FileName), clock.now), Store: m.db, Now: clock.now}
	t.Cleanup(func() {
		m.halt()
		if err := m.db.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func (m *member) standing() Standing {
	m.t.Helper()
	s, err := m.keys.Open(context.Background())
	if err != nil {
		m.t.Fatal(err)
	}
	return s
}

func (m *member) id() protocol.NodeID { return m.standing().Identity.NodeID() }

// start runs the node with the keys that are there.
func (m *member) start() {
	m.t.Helper()
	m.run(m.standing())
}

func (m *member) run(s Standing) {
	m.t.Helper()
	n, err := New(m.t.Context(), Config{Identity: s.Identity, NextDigest: s.NextDigest, Rotations: s.Wires(), Version: "test",
		Listen: []string{"/ip4/127.0.0.1/tcp/" + m.port}, StaticPeers: m.peers, Policy: m.doc, Store: m.db, Now: m.clock.now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		m.t.Fatal(err)
	}
	m.port = strings.Split(n.Addresses()[0], "/")[4]
	m.node = n
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	m.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			m.t.Error(err)
		}
	}
}

func (m *member) halt() {
	if m.stop != nil {
		m.stop()
		m.stop = nil
	}
}

// rotate changes the key as the daemon does.
func (m *member) rotate(o RotateOptions) *protocol.KeyRotation {
	m.t.Helper()
	running := m.stop != nil
	if running {
		o.Announce = m.node.AnnounceRotation
	}
	r, err := m.keys.Rotate(m.t.Context(), o)
	if err != nil {
		m.t.Fatal(err)
	}
	if running {
		m.halt()
		m.start()
	}
	return r
}

// trusts makes o a peer of m.
func (m *member) trusts(o protocol.NodeID) {
	m.t.Helper()
	if err := m.node.SetTrust(m.t.Context(), policy.Grant{Node: o, Trust: protocol.TrustPeer, Name: "friend"}); err != nil {
		m.t.Fatal(err)
	}
}

// address is where m listens, under the key that it has now.
func (m *member) address() string { return m.node.Addresses()[0] }

func (m *member) view(id protocol.NodeID) (PeerView, bool) {
	m.t.Helper()
	views, err := m.node.Peers(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	i := slices.IndexFunc(views, func(v PeerView) bool { return v.ID == id })
	if i < 0 {
		return PeerView{}, false
	}
	return views[i], true
}

// audited returns the details of the records of a type.
func (m *member) audited(typ protocol.AuditEventType) []map[string]string {
	m.t.Helper()
	records, err := m.db.AuditRecords(m.t.Context(), store.AuditFilter{Types: []protocol.AuditEventType{typ}})
	if err != nil {
		m.t.Fatal(err)
	}
	var out []map[string]string
	for _, r := range records {
		out = append(out, r.Details)
	}
	return out
}

// connected waits until m sees id connected, and returns how.
func (m *member) connected(id protocol.NodeID) PeerView {
	m.t.Helper()
	var v PeerView
	meshtest.Eventually(m.t, func() error {
		var ok bool
		if v, ok = m.view(id); !ok || v.State != PeerConnected {
			return fmt.Errorf("%s is %q: %s", id.Fingerprint(), v.State, v.Reason)
		}
		return nil
	})
	return v
}

// meet connects a to b, which trust each other from then on.
func meet(t *testing.T, a, b *member) {
	t.Helper()
	a.trusts(b.id())
	b.trusts(a.id())
	if _, err := a.node.AddPeer(t.Context(), b.address()); err != nil {
		t.Fatal(err)
	}
	a.connected(b.id())
	b.connected(a.id())
	meshtest.Eventually(t, func() error { return errors.Join(rowOf(a, b.id()), rowOf(b, a.id())) }) // written beside the connection
}

func rowOf(m *member, id protocol.NodeID) error {
	_, err := m.db.Peer(m.t.Context(), id)
	return err
}

func started(t *testing.T, n int) (*sharedClock, []*member) {
	t.Helper()
	clock := &sharedClock{}
	all := make([]*member, n)
	for i := range all {
		all[i] = newMember(t, clock)
		all[i].start()
	}
	return clock, all
}

func TestAConnectedPeerCarriesItsTrustOverToTheNewKey(t *testing.T) {
	_, all := started(t, 2)
	a, b := all[0], all[1]
	meet(t, b, a) // b keeps the connection
	before := a.id()
	r := a.rotate(RotateOptions{Grace: time.Hour})

	v := b.connected(r.NewID)
	if v.Trust != protocol.TrustPeer || v.Name != "friend" || !v.NamedHere || !strings.Contains(v.Rule.Name, string(before.Fingerprint())) {
		t.Errorf("b sees the new key as %+v", v)
	}
	if _, ok := b.view(before); ok {
		t.Error("b still lists the old key")
	}
	a.connected(b.id())
	if d := b.audited(protocol.AuditKeyRotated); len(d) != 1 || d[0]["old"] != string(before) || d[0]["new"] != string(r.NewID) || d[0]["step"] != "believed" {
		t.Errorf("b's record: %v", d)
	}
	if d := a.audited(protocol.AuditKeyRotated); len(d) != 1 || d[0]["step"] != "stated" {
		t.Errorf("a's record: %v", d)
	}

	b.halt() // what was learnt outlives the process, the connection's address too
	b.start()
	b.connected(r.NewID)
}

func TestAPeerThatWasAwayLearnsTheRotationFromEitherSidesDial(t *testing.T) {
	for name, dialler := range map[string]string{"the peer dials": "c", "the rotated node dials": "a"} {
		t.Run(name, func(t *testing.T) {
			_, all := started(t, 2)
			a, c := all[0], all[1]
			if dialler == "a" {
				meet(t, a, c)
			} else {
				meet(t, c, a)
			}
			before := a.id()
			c.halt()
			r := a.rotate(RotateOptions{})
			c.start()
			if v := c.connected(r.NewID); v.Trust != protocol.TrustPeer || !strings.Contains(v.Rule.Name, string(before.Fingerprint())) {
				t.Errorf("c sees the new key as %+v", v)
			}
			a.connected(c.id())
		})
	}
}

func TestBothSidesMayHaveRotatedWhileTheyWereApart(t *testing.T) {
	_, all := started(t, 2)
	a, b := all[0], all[1]
	meet(t, a, b)
	b.halt()
	ra := a.rotate(RotateOptions{})
	a.halt()
	rb := b.rotate(RotateOptions{})
	b.start()
	a.start()
	a.connected(rb.NewID)
	b.connected(ra.NewID)
}

func TestAChainOfThreeRotationsIsFollowed(t *testing.T) {
	_, all := started(t, 3)
	a, c, d := all[0], all[1], all[2]
	meet(t, c, a)
	before := a.id()
	c.halt()
	a.rotate(RotateOptions{})
	meet(t, d, a) // d has met only the second key
	second := a.id()
	d.halt()
	a.rotate(RotateOptions{})
	third := a.rotate(RotateOptions{})
	if third.Generation != 3 {
		t.Errorf("generation %d", third.Generation)
	}
	c.start()
	d.start()
	if v := c.connected(third.NewID); !strings.Contains(v.Rule.Name, string(before.Fingerprint())) {
		t.Errorf("c sees it by %+v", v.Rule)
	}
	if v := d.connected(third.NewID); !strings.Contains(v.Rule.Name, string(second.Fingerprint())) {
		t.Errorf("d sees it by %+v", v.Rule)
	}
	if n := len(c.audited(protocol.AuditKeyRotated)); n != 3 {
		t.Errorf("c recorded %d rotations", n)
	}
	if n := len(d.audited(protocol.AuditKeyRotated)); n != 2 {
		t.Errorf("d recorded %d rotations", n)
	}
}

// stolen makes a member that has the current key of m, and everything else of its own.
func stolen(t *testing.T, m *member) *member {
	t.Helper()
	thief := newMember(t, m.clock)
	key, err := os.ReadFile(m.keys.Ring.Path())
	if err == nil {
		err = os.WriteFile(thief.keys.Ring.Path(), key, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return thief
}

func TestAThiefWithOnlyTheCurrentKeyCannotRotateIt(t *testing.T) {
	_, all := started(t, 2)
	a, b := all[0], all[1]
	meet(t, b, a)
	thief := stolen(t, a)
	a.halt()

	// In Hello, under the key that the thief has made.
	r := thief.rotate(RotateOptions{})
	thief.start()
	thief.trusts(b.id())
	if _, err := thief.node.AddPeer(t.Context(), b.address()); err != nil {
		t.Fatal(err)
	}
	refused := func(n int) {
		t.Helper()
		meshtest.Eventually(t, func() error {
			d := b.audited(protocol.AuditPolicyViolation)
			var hits int
			for _, one := range d {
				if one["step"] == "refused" && one["new"] == string(r.NewID) && strings.Contains(one["reason"], "committed") {
					hits++
				}
			}
			if hits != n {
				return fmt.Errorf("b's records: %v", d)
			}
			return nil
		})
	}
	refused(1)
	meshtest.Eventually(t, func() error { // who waits for a decision is not to be mistaken for a harmless stranger
		v, ok := b.view(r.NewID)
		if !ok || v.State != PeerPending || v.Trust != protocol.TrustUntrusted || !strings.Contains(v.Reason, "stolen") ||
			!strings.Contains(v.Reason, string(a.id().Fingerprint())) {
			return fmt.Errorf("b sees the thief's key as %+v", v)
		}
		return nil
	})
	thief.halt()

	// As an announcement, under the stolen key.
	if err := os.Remove(thief.keys.Ring.Path()); err != nil {
		t.Fatal(err)
	}
	again := stolen(t, a)
	again.start()
	again.trusts(b.id())
	if _, err := again.node.AddPeer(t.Context(), b.address()); err != nil {
		t.Fatal(err)
	}
	again.connected(b.id())
	status, reason, err := rotation.Announce(t.Context(), again.node.endpoint, b.id(), [][]byte{r.Wire()})
	if err != nil || status != rotation.StatusRefused || !strings.Contains(reason, "committed") {
		t.Errorf("b answers %s %q, %v", status, reason, err)
	}
	refused(2)
	if n := len(b.audited(protocol.AuditKeyRotated)); n != 0 {
		t.Errorf("b recorded %d rotations", n)
	}
}

func TestADeniedKeyCanEndorseNothing(t *testing.T) {
	_, all := started(t, 2)
	a, b := all[0], all[1]
	meet(t, b, a)
	if err := b.node.SetTrust(t.Context(), policy.Grant{Node: a.id(), Deny: true}); err != nil {
		t.Fatal(err)
	}
	before := a.id()
	r := a.rotate(RotateOptions{})
	if _, err := a.node.AddPeer(t.Context(), b.address()); err != nil {
		t.Fatal(err)
	}
	meshtest.Eventually(t, func() error {
		d := b.audited(protocol.AuditPolicyViolation)
		if !slices.ContainsFunc(d, func(m map[string]string) bool {
			return m["old"] == string(before) && m["new"] == string(r.NewID) && strings.Contains(m["reason"], "endorse nothing")
		}) {
			return fmt.Errorf("b's records: %v", d)
		}
		return nil
	})
	if n := len(b.audited(protocol.AuditKeyRotated)); n != 0 {
		t.Errorf("b believed %d rotations", n)
	}
}

func TestADenyAfterTheRotationDeniesBothKeys(t *testing.T) {
	_, all := started(t, 2)
	a, b := all[0], all[1]
	meet(t, b, a)
	before := a.id()
	r := a.rotate(RotateOptions{Grace: time.Hour})
	b.connected(r.NewID)
	if err := b.node.SetTrust(t.Context(), policy.Grant{Node: r.NewID, Deny: true}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []protocol.NodeID{before, r.NewID} {
		if b.node.mayConnect(id, firstAddr(nil)) {
			t.Errorf("%s may still connect", id.Fingerprint())
		}
	}
}

func TestTheOldKeyIsAcceptedInItsGracePeriodAndRefusedAfter(t *testing.T) {
	clock, all := started(t, 2)
	a, b := all[0], all[1]
	meet(t, b, a)
	copyOfOld := stolen(t, a)
	before := a.id()
	a.rotate(RotateOptions{Grace: time.Hour})
	b.connected(a.id())

	copyOfOld.peers = []string{b.address()}
	copyOfOld.start()
	copyOfOld.trusts(b.id())
	b.connected(before)
	copyOfOld.halt()

	clock.offset.Store(int64(2 * time.Hour))
	copyOfOld.start()
	meshtest.Eventually(t, func() error {
		v, ok := copyOfOld.view(b.id())
		if !ok || v.State != PeerRefused || !strings.Contains(v.Reason, "rotated") {
			return fmt.Errorf("the old key sees %q: %s", v.State, v.Reason)
		}
		return nil
	})
	if v, ok := b.view(before); ok {
		t.Errorf("b lists the old key as %+v", v)
	}
}

func TestACompromisedKeyIsRefusedAtOnce(t *testing.T) {
	_, all := started(t, 2)
	a, b := all[0], all[1]
	meet(t, b, a)
	before := a.id()
	r := a.rotate(RotateOptions{Grace: time.Hour, Compromised: true})
	b.connected(r.NewID)
	if b.node.mayConnect(before, firstAddr(nil)) {
		t.Error("the old key may still connect")
	}
	if r.OldExpires != r.ValidFrom || r.Reason != protocol.RotationCompromised {
		t.Errorf("stated %+v", r)
	}
}

func TestASuccessorOfAKeyThatWasNeverMetWaitsForAPerson(t *testing.T) {
	_, all := started(t, 2)
	a, c := all[0], all[1]
	before := a.id()
	r := a.rotate(RotateOptions{})
	a.trusts(c.id())
	c.trusts(before) // by its ID, from a letter; they never met
	if _, err := a.node.AddPeer(t.Context(), c.address()); err != nil {
		t.Fatal(err)
	}
	meshtest.Eventually(t, func() error {
		v, ok := c.view(r.NewID)
		if !ok || v.State != PeerPending || !strings.Contains(v.Reason, string(before.Fingerprint())) {
			return fmt.Errorf("c sees %q: %s", v.State, v.Reason)
		}
		return nil
	})
	c.trusts(r.NewID)
	a.node.keeper.Retry(c.id())
	a.connected(c.id())
}

func TestWhoSaysAnotherNextKeyLaterIsNotBelievedUntilItIsTrustedAnew(t *testing.T) {
	_, all := started(t, 2)
	a, b := all[0], all[1]
	meet(t, b, a)
	first, err := b.db.Commitment(t.Context(), a.id())
	if err != nil || first != a.standing().NextDigest {
		t.Fatalf("b remembers %s, %v", first, err)
	}
	a.halt()
	lost := stolen(t, a) // the owner, who has lost the next key
	lost.port = a.port
	lost.start()
	lost.trusts(b.id())
	b.connected(a.id())
	if kept, err := b.db.Commitment(t.Context(), a.id()); err != nil || kept != first {
		t.Errorf("b remembers %s now, %v", kept, err)
	}
	if err := b.node.ClearTrust(t.Context(), a.id()); err != nil {
		t.Fatal(err)
	}
	b.trusts(a.id())
	meshtest.Eventually(t, func() error {
		if kept, err := b.db.Commitment(t.Context(), a.id()); err != nil || kept != lost.standing().NextDigest {
			return fmt.Errorf("trusted anew, b remembers %s, %w", kept, err)
		}
		return nil
	})
}

func TestAPeerThatIsNamedWhileItIsConnectedIsHeldToItsNextKey(t *testing.T) {
	_, all := started(t, 2)
	a, b := all[0], all[1]
	b.halt()
	b.doc = policy.Document{Subnets: []policy.SubnetRule{{CIDR: "127.0.0.0/8", Trust: "peer"}}}
	b.start()
	a.trusts(b.id())
	if _, err := a.node.AddPeer(t.Context(), b.address()); err != nil {
		t.Fatal(err)
	}
	b.connected(a.id())
	if _, err := b.db.Commitment(t.Context(), a.id()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("trusted by its address only, b holds it to a key: %v", err)
	}
	b.trusts(a.id())
	if kept, err := b.db.Commitment(t.Context(), a.id()); err != nil || kept != a.standing().NextDigest {
		t.Errorf("b remembers %s, %v", kept, err)
	}
}

func TestASummaryThatAFormerKeySignedArrivesUnderTheNewOne(t *testing.T) {
	_, all := started(t, 2)
	a, b := all[0], all[1]
	meet(t, b, a)
	old := a.standing().Identity
	a.rotate(RotateOptions{})
	b.connected(a.id())
	// A summary of the time before that was never pushed.
	period := protocol.PeriodAt(time.Now(), protocol.Daily).Previous()
	s := &protocol.NodeSummary{ID: "7b0c1c7a-54a2-4f6e-9d55-0d2f3c1f9a10", NodeID: old.NodeID(), Period: period, CategoryStats: []protocol.CategoryStat{},
		GeneratedAt: protocol.At(time.Now())}
	wire, err := protocol.SignSummary(s, old, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := a.node.push(t.Context(), b.id(), store.StoredSummary{Summary: s, Wire: wire, Own: true}); err != nil {
		t.Fatal(err)
	}
	if got, err := b.db.Summary(t.Context(), s.ID); err != nil || got.Summary.NodeID != old.NodeID() {
		t.Errorf("b has %+v, %v", got, err)
	}
}

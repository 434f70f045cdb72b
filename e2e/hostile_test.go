package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/observer/spool"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/scripts/hostile"
	"github.com/caro-mesh/caro-node/scripts/nodeproc"
)

const (
	// attackTime is how long each attack lasts.
	attackTime = 3 * time.Second
	// mostMemory is what a node may have resident, whatever its neighbours do.
	mostMemory = 64_000_000
)

// besieged is a node under attack, with a friend who goes on asking it and a person who goes on typing.
type besieged struct {
	*node
	friend   *node
	target   hostile.Target
	trusted  []*hostile.Peer // attackers whom the node trusts, as peers that were broken into; one for each attack
	stranger *hostile.Peer   // one whom it does not know
	typed    int64
	most     int64 // bytes resident, the most that it ever had
}

// besiege starts a node and its friend. Each of the attackers that are trusted starts with a connection: a node cuts off
// who went too far, and one attack shall not suffer from the other's fate.
func besiege(t *testing.T, attackers int) *besieged {
	t.Helper()
	b := &besieged{node: newNode(t, "anna"), friend: newNode(t, "bob")}
	b.Daemon, b.friend.Daemon = "", "" // memory is that of the program as it is shipped, not of one that is watched for races
	b.stranger = newAttacker(t)
	var policy strings.Builder
	policy.WriteString("[policy]\nqueries_per_hour = 100000\n") // the friend asks four times a second throughout
	for range attackers {
		mallory := newAttacker(t)
		b.trusted = append(b.trusted, mallory)
		fmt.Fprintf(&policy, "[[policy.nodes]]\nid = %q\ntrust = \"peer\"\nname = \"mallory\"\n", mallory.Key.NodeID())
	}
	b.configure(policy.String(), nodeproc.Grant{To: b.friend.Node, Trust: "peer"})
	b.friend.configure("", nodeproc.Grant{To: b.Node, Trust: "peer"})
	var err error
	if b.target, err = hostile.ParseTarget(b.Address()); err != nil {
		t.Fatal(err)
	}
	b.start()
	b.friend.start()
	b.friend.awaitPeers(1)
	b.type1(t)
	b.awaitEvents(b.typed)
	// The attackers that are trusted come before the others make a crowd at the door: all come from one address here.
	for _, mallory := range b.trusted {
		if err := mallory.Meet(t.Context(), b.target); err != nil {
			t.Fatal(err)
		}
	}
	b.awaitPeers(1 + attackers)
	return b
}

func newAttacker(t *testing.T) *hostile.Peer {
	t.Helper()
	p, err := hostile.NewPeer(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// type1 is the person who types a command.
func (b *besieged) type1(t *testing.T) {
	t.Helper()
	b.typed++
	if err := spool.Write(filepath.Join(b.Home, "spool"), spool.Record{Start: time.Now(), Shell: protocol.ShellBash, CWD: "/", Command: fmt.Sprintf("git show %d", b.typed)}); err != nil {
		t.Fatal(err)
	}
}

// during runs an attack, while the friend asks and the person types, and checks that both get what they should.
func (b *besieged) during(t *testing.T, attack func(ctx context.Context) (report string)) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), attackTime)
	defer stop()
	report := make(chan string, 1)
	go func() { report <- attack(ctx) }()
	cl := b.friend.Client()
	tick := time.NewTicker(250 * time.Millisecond) // a peer answers five questions a second
	defer tick.Stop()
	asked := 0
	var slowest time.Duration
	for ctx.Err() == nil {
		b.type1(t)
		began := time.Now()
		r, err := cl.Query(t.Context(), v1.QueryRequest{QueryType: protocol.QueryToolUsage, Since: "1d", TimeoutMS: 10_000})
		if err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, time.Since(began))
		if asked++; r.Coverage.Answered != 1 {
			t.Errorf("question %d under attack: %+v", asked, r.Coverage)
		}
		b.measure(t)
		<-tick.C
	}
	t.Logf("%s; %d questions answered, the slowest in %s; at most %.1f MB resident", <-report, asked, slowest.Round(time.Millisecond), float64(b.most)/1e6)
	b.awaitEvents(b.typed)
}

// measure notes how much memory the node had resident at most; only Linux tells.
func (b *besieged) measure(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return
	}
	u, err := b.Usage()
	if err != nil {
		t.Fatal(err)
	}
	b.most = u.Peak
}

func TestANodeUnderAttackAnswersItsFriendsStaysSmallAndLosesNothing(t *testing.T) {
	abuses := []struct {
		name   string
		attack func(p *hostile.Peer, ctx context.Context, t hostile.Target) hostile.Uses
	}{
		{"streams that drip", (*hostile.Peer).Drip},
		{"giant and nested messages", (*hostile.Peer).Giants},
		{"nonces without end", (*hostile.Peer).Nonces},
	}
	b := besiege(t, len(abuses))
	t.Run("a thousand connections a second from an untrusted key", func(t *testing.T) {
		b.during(t, func(ctx context.Context) string {
			k := b.stranger.Knock(ctx, b.target, 1000)
			return fmt.Sprintf("%d connections tried, %d skipped, %d let in as far as TLS (%v)", k.Tried, k.Skipped, k.Let, k.LastError)
		})
	})
	t.Run("connections that say nothing, or one byte a second", func(t *testing.T) {
		b.during(t, func(ctx context.Context) string {
			opened, closed := hostile.Park(ctx, b.target, 300)
			return fmt.Sprintf("%d opened, %d closed", opened, closed)
		})
	})
	for i, abuse := range abuses {
		t.Run(abuse.name, func(t *testing.T) {
			b.during(t, func(ctx context.Context) string {
				u := abuse.attack(b.trusted[i], ctx, b.target)
				if u.Streams == 0 {
					t.Error("no stream was opened, so nothing was attacked")
				}
				return fmt.Sprintf("%d streams, %d not opened, %d bytes", u.Streams, u.Refused, u.Sent)
			})
		})
	}
	if b.most >= mostMemory {
		t.Errorf("%.1f MB were resident, %.1f are allowed", float64(b.most)/1e6, mostMemory/1e6)
	}
	if got := auditOf(b.node, protocol.AuditPeerDisconnected); len(got) > 0 {
		for _, r := range got {
			if string(r.Peer) == b.friend.ID {
				t.Errorf("the friend lost its connection: %+v", r)
			}
		}
	}
	var v v1.AuditVerification
	if b.caroJSON(&v, "audit", "verify"); !v.OK {
		t.Errorf("the audit log: %+v", v)
	}
	var s v1.Status
	b.caroJSON(&s, "status")
	t.Logf("refused: %+v, audit records: %d", s.Refused, v.Entries)
}

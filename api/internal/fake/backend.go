// Package fake is a node made of plain data: a complete api.Backend for the tests of the server, the client and the page.
package fake

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/caro-mesh/caro-node/api"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/protocol"
)

// Backend answers from its fields. It is safe for concurrent use through [Backend.Change].
type Backend struct {
	mu sync.Mutex

	Self      v1.Identity
	Node      v1.Status
	Commands  []v1.Event // newest first
	Stored    []v1.Summary
	Preview   v1.SummaryPreview
	Known     []v1.Peer
	Grants    []v1.Grant
	Rules     v1.Policy
	Result    v1.QueryResult
	Records   []v1.AuditRecord
	Verdict   v1.AuditVerification
	Left      []v1.Receipt // latest first
	Failure   error        // returned by every method when set
	NotReady  error        // returned by Ready
	NoTrust   error        // returned by SetTrust alone
	Panic     string       // Identity panics with it when set
	LastQuery v1.QueryRequest
	// LastReports is what StoreEvents was called with.
	LastReports v1.EventReports
	// Entered, when set, is sent to when a query has arrived; then Waiting, when set, is received from before it is answered.
	Entered, Waiting chan struct{}
}

var _ api.Backend = (*Backend)(nil)

// Change runs f while no request is being answered.
func (b *Backend) Change(f func(*Backend)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(b)
}

func (b *Backend) lock() func() {
	b.mu.Lock()
	return b.mu.Unlock
}

// Identity returns Self.
func (b *Backend) Identity(context.Context) (v1.Identity, error) {
	defer b.lock()()
	if b.Panic != "" {
		panic(b.Panic)
	}
	return b.Self, b.Failure
}

// RotateKey gives Self another node ID.
func (b *Backend) RotateKey(_ context.Context, q v1.RotateKeyRequest) (v1.KeyRotation, error) {
	defer b.lock()()
	if b.Failure != nil {
		return v1.KeyRotation{}, b.Failure
	}
	r := v1.KeyRotation{OldID: b.Self.NodeID, OldFingerprint: b.Self.Fingerprint, NodeID: NodeID(99), Fingerprint: NodeID(99).Fingerprint(), Generation: 1, Reason: "scheduled"}
	if q.Compromised {
		r.Reason = "compromised"
	}
	b.Self.NodeID, b.Self.Fingerprint = r.NodeID, r.Fingerprint
	return r, nil
}

// Status returns Node.
func (b *Backend) Status(context.Context) (v1.Status, error) {
	defer b.lock()()
	return b.Node, b.Failure
}

// Ready returns NotReady.
func (b *Backend) Ready(context.Context) error {
	defer b.lock()()
	return b.NotReady
}

// Events filters Commands; cursors are positions.
func (b *Backend) Events(_ context.Context, f api.EventFilter) (v1.EventPage, error) {
	defer b.lock()()
	if b.Failure != nil {
		return v1.EventPage{}, b.Failure
	}
	start := 0
	if f.Cursor != "" {
		n, err := strconv.Atoi(f.Cursor)
		if err != nil || n < 0 || n > len(b.Commands) {
			return v1.EventPage{}, api.Refuse(api.ErrInvalid, "cursor %q is not one of this list", f.Cursor)
		}
		start = n
	}
	var p v1.EventPage
	for i, e := range b.Commands[start:] {
		if !matches(e, f) {
			continue
		}
		if len(p.Events) == f.Limit {
			p.NextCursor = strconv.Itoa(start + i)
			break
		}
		p.Events = append(p.Events, e)
	}
	return p, nil
}

func matches(e v1.Event, f api.EventFilter) bool {
	failed := e.ExitCode != nil && *e.ExitCode != 0
	return strings.Contains(strings.ToLower(e.Command), strings.ToLower(f.Search)) &&
		(f.CWD == "" || e.CWD == f.CWD || strings.HasPrefix(e.CWD, f.CWD+"/")) &&
		(f.Since.IsZero() || !e.Timestamp.Before(f.Since)) &&
		(f.Until.IsZero() || e.Timestamp.Before(f.Until)) &&
		e.RiskLevel >= f.MinRisk &&
		(f.Category == "" || e.Category == f.Category) &&
		(f.ExitCode == nil || e.ExitCode != nil && *e.ExitCode == *f.ExitCode) &&
		(f.Failed == nil || failed == *f.Failed)
}

// Summaries returns Stored in one page.
func (b *Backend) Summaries(_ context.Context, f api.SummaryFilter) (v1.SummaryPage, error) {
	defer b.lock()()
	var p v1.SummaryPage
	for _, s := range b.Stored {
		if (f.Own == nil || s.Own == *f.Own) && (f.Granularity == "" || s.Period.Granularity == f.Granularity) && (f.Replaced || s.ReplacedBy == "") {
			p.Summaries = append(p.Summaries, s)
		}
	}
	return p, b.Failure
}

// Summary looks into Stored.
func (b *Backend) Summary(_ context.Context, id string) (v1.Summary, error) {
	defer b.lock()()
	for _, s := range b.Stored {
		if s.ID == id {
			return s, b.Failure
		}
	}
	return v1.Summary{}, api.Refuse(api.ErrNotFound, "there is no summary %s", id)
}

// PreviewSummary returns Preview.
func (b *Backend) PreviewSummary(_ context.Context, g protocol.Granularity, at time.Time) (v1.SummaryPreview, error) {
	defer b.lock()()
	p := b.Preview
	p.Summary.Period = protocol.PeriodAt(at, g)
	return p, b.Failure
}

// Peers returns Known.
func (b *Backend) Peers(context.Context) (v1.PeerPage, error) {
	defer b.lock()()
	return v1.PeerPage{Peers: append([]v1.Peer(nil), b.Known...)}, b.Failure
}

// AddPeer accepts any address with /p2p/.
func (b *Backend) AddPeer(_ context.Context, multiaddr string) (v1.Peer, error) {
	defer b.lock()()
	if !strings.Contains(multiaddr, "/p2p/") {
		return v1.Peer{}, api.Refuse(api.ErrInvalid, "address %q does not end in /p2p/<peer ID>", multiaddr)
	}
	p := v1.Peer{Addresses: []string{multiaddr}, Source: v1.SourceManual, State: v1.PeerOffline}
	b.Known = append(b.Known, p)
	return p, b.Failure
}

// RemovePeer finds a peer by node ID or name.
func (b *Backend) RemovePeer(_ context.Context, peer string) (v1.Removed, error) {
	defer b.lock()()
	for i, p := range b.Known {
		if string(p.NodeID) == peer || p.DisplayName == peer {
			b.Known = append(b.Known[:i:i], b.Known[i+1:]...)
			return v1.Removed{NodeID: p.NodeID, Trust: p.Trust, MayReturn: []v1.Return{}}, b.Failure
		}
	}
	return v1.Removed{}, api.Refuse(api.ErrNotFound, "there is no peer %q", peer)
}

// PingPeer answers for known peers.
func (b *Backend) PingPeer(_ context.Context, peer string) (v1.Ping, error) {
	defer b.lock()()
	for _, p := range b.Known {
		if string(p.NodeID) == peer || p.DisplayName == peer {
			return v1.Ping{NodeID: p.NodeID, Fingerprint: p.Fingerprint, DisplayName: p.DisplayName, RTTMS: 1.5}, b.Failure
		}
	}
	return v1.Ping{}, api.Refuse(api.ErrUnavailable, "peer %q is offline", peer)
}

// SetTrust appends to Grants. A known node that waited for it is untrusted then, or offline until it is reached.
func (b *Backend) SetTrust(_ context.Context, c v1.TrustChange) (v1.Grant, error) {
	defer b.lock()()
	id, err := protocol.ParseNodeID(c.NodeID)
	if err != nil {
		return v1.Grant{}, api.Refuse(api.ErrInvalid, "%w", err)
	}
	g := v1.Grant{NodeID: id, Fingerprint: id.Fingerprint(), Name: c.Name, Deny: c.Trust == v1.TrustDeny}
	if !g.Deny && c.Trust != v1.TrustClear {
		if err := g.Trust.UnmarshalText([]byte(c.Trust)); err != nil {
			return v1.Grant{}, api.Refuse(api.ErrInvalid, "%w", err)
		}
	}
	if err := cmp.Or(b.Failure, b.NoTrust); err != nil {
		return v1.Grant{}, err
	}
	b.Grants = append(b.Grants, g)
	for i := range b.Known {
		if p := &b.Known[i]; p.NodeID == id && p.State == v1.PeerPending {
			p.Trust, p.State, p.StateReason = g.Trust, v1.PeerOffline, ""
			if g.Deny {
				p.State = v1.PeerUntrusted
			}
			b.Node.Peers.Pending--
		}
	}
	return g, nil
}

// Trust returns Grants.
func (b *Backend) Trust(context.Context) (v1.TrustPage, error) {
	defer b.lock()()
	return v1.TrustPage{Grants: append([]v1.Grant(nil), b.Grants...)}, b.Failure
}

// Policy returns Rules.
func (b *Backend) Policy(context.Context) (v1.Policy, error) {
	defer b.lock()()
	return b.Rules, b.Failure
}

// ReloadPolicy tells of Rules.
func (b *Backend) ReloadPolicy(context.Context) (v1.PolicyReload, error) {
	defer b.lock()()
	return v1.PolicyReload{Source: "config.toml", Rules: len(b.Rules.Rules), Kept: 2}, b.Failure
}

// DiffPolicy tells of one change.
func (b *Backend) DiffPolicy(_ context.Context, f v1.PolicyFile) (v1.PolicyDiff, error) {
	defer b.lock()()
	return v1.PolicyDiff{File: f.Name, Changes: []v1.PolicyRightChange{{Subject: f.Text, Right: "connect", Before: "no", After: "yes", Gains: true}}}, b.Failure
}

// ReplayPolicy tells how many days it was asked about.
func (b *Backend) ReplayPolicy(_ context.Context, q v1.PolicyReplayRequest) (v1.PolicyReplay, error) {
	defer b.lock()()
	return v1.PolicyReplay{File: q.Name, Queries: q.Days}, b.Failure
}

// PreviewPolicy tells what it was asked.
func (b *Backend) PreviewPolicy(_ context.Context, peer string, r protocol.TimeRange) (v1.PolicyPreview, error) {
	defer b.lock()()
	return v1.PolicyPreview{Name: peer, TimeRange: r}, b.Failure
}

// Query returns Result for the time range that was asked for.
func (b *Backend) Query(ctx context.Context, q v1.QueryRequest) (v1.QueryResult, error) {
	entered, waiting := b.gates()
	if entered != nil {
		entered <- struct{}{}
	}
	if waiting != nil {
		select {
		case <-waiting:
		case <-ctx.Done():
			return v1.QueryResult{}, ctx.Err()
		}
	}
	defer b.lock()()
	b.LastQuery = q
	r := b.Result
	r.QueryType, r.TimeRange = q.QueryType, *q.TimeRange
	return r, b.Failure
}

func (b *Backend) gates() (entered, waiting chan struct{}) {
	defer b.lock()()
	return b.Entered, b.Waiting
}

// Audit returns Records.
func (b *Backend) Audit(_ context.Context, f api.AuditFilter) (v1.AuditPage, error) {
	defer b.lock()()
	var p v1.AuditPage
	for _, r := range b.Records {
		if len(f.Types) == 0 || f.Types[0] == r.EventType {
			p.Records = append(p.Records, r)
		}
	}
	return p, b.Failure
}

// PresentCheckpoint returns a sample.
func (b *Backend) PresentCheckpoint(context.Context) (v1.AuditCheckpoint, error) {
	defer b.lock()()
	return v1.AuditCheckpoint{Entries: 12, Note: "note", Shown: []v1.AuditShowing{}}, b.Failure
}

// AcceptAuditLog returns a sample.
func (b *Backend) AcceptAuditLog(_ context.Context, peer string) (v1.AuditAccepted, error) {
	defer b.lock()()
	return v1.AuditAccepted{NodeID: protocol.NodeID(peer), EntriesBefore: 40, Entries: 12}, b.Failure
}

// VerifyAudit returns Verdict.
func (b *Backend) VerifyAudit(context.Context) (v1.AuditVerification, error) {
	defer b.lock()()
	return b.Verdict, b.Failure
}

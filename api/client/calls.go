package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/protocol"
)

// Identity tells who the node is.
func (c *Client) Identity(ctx context.Context) (v1.Identity, error) {
	return call[v1.Identity](ctx, c, http.MethodGet, "/api/v1/identity", nil, nil)
}

// Status tells how the node is.
func (c *Client) Status(ctx context.Context) (v1.Status, error) {
	return call[v1.Status](ctx, c, http.MethodGet, "/api/v1/status", nil, nil)
}

// Ready returns nil once the node records and answers, and an [*Error] with status 503 before.
func (c *Client) Ready(ctx context.Context) error {
	_, err := call[v1.Readiness](ctx, c, http.MethodGet, "/api/v1/ready", nil, nil)
	return err
}

// EventQuery chooses stored commands. Empty fields choose everything.
type EventQuery struct {
	Search   string // words that the command contains
	CWD      string // folder, with all below it
	Since    string // a span such as 7d, or an RFC 3339 time
	Until    string
	MinRisk  string // safe, moderate, high or critical
	Category string
	Failed   *bool
	ExitCode *int
	Limit    int // 1 to 1000; 0 leaves it to the node
	Cursor   string
}

func (q EventQuery) values() values {
	v := values{}
	v.text("search", q.Search)
	v.text("cwd", q.CWD)
	v.text("since", q.Since)
	v.text("until", q.Until)
	v.text("min_risk", q.MinRisk)
	v.text("category", q.Category)
	v.truth("failed", q.Failed)
	if q.ExitCode != nil {
		v.text("exit_code", strconv.Itoa(*q.ExitCode))
	}
	return v
}

// Events returns stored commands, newest first.
func (c *Client) Events(ctx context.Context, q EventQuery) (v1.EventPage, error) {
	v := q.values()
	v.page(q.Limit, q.Cursor)
	return call[v1.EventPage](ctx, c, http.MethodGet, "/api/v1/events", url.Values(v), nil)
}

// SummaryQuery chooses summaries. Empty fields choose everything.
type SummaryQuery struct {
	Own         *bool // only own, or only received ones
	Granularity protocol.Granularity
	Node        string // node ID, peer ID, fingerprint or name
	Replaced    bool   // also those whose place a correction has taken
	Limit       int
	Cursor      string
}

// Summaries returns own and received summaries, latest period first.
func (c *Client) Summaries(ctx context.Context, q SummaryQuery) (v1.SummaryPage, error) {
	v := values{}
	v.truth("own", q.Own)
	v.text("granularity", string(q.Granularity))
	v.text("node", q.Node)
	if q.Replaced {
		v.truth("replaced", &q.Replaced)
	}
	v.page(q.Limit, q.Cursor)
	return call[v1.SummaryPage](ctx, c, http.MethodGet, "/api/v1/summaries", url.Values(v), nil)
}

// Summary returns one summary by its ID.
func (c *Client) Summary(ctx context.Context, id string) (v1.SummaryDocument, error) {
	return call[v1.SummaryDocument](ctx, c, http.MethodGet, "/api/v1/summaries/"+url.PathEscape(id), nil, nil)
}

// PreviewSummary returns what would be shared for the period that contains at (the zero time: now), and with whom.
func (c *Client) PreviewSummary(ctx context.Context, g protocol.Granularity, at time.Time) (v1.SummaryPreview, error) {
	v := values{}
	v.text("granularity", string(g))
	if !at.IsZero() {
		v.text("at", at.UTC().Format(time.RFC3339Nano))
	}
	return call[v1.SummaryPreview](ctx, c, http.MethodGet, "/api/v1/summaries/preview", url.Values(v), nil)
}

// RotateKey makes the node's next key its current one, and returns when the node runs under it.
func (c *Client) RotateKey(ctx context.Context, q v1.RotateKeyRequest) (v1.KeyRotation, error) {
	return call[v1.KeyRotation](ctx, c, http.MethodPost, "/api/v1/identity/rotate", nil, q)
}

// Peers returns every known node.
func (c *Client) Peers(ctx context.Context) (v1.PeerPage, error) {
	return call[v1.PeerPage](ctx, c, http.MethodGet, "/api/v1/peers", nil, nil)
}

// AddPeer remembers a multiaddr with /p2p/<peer ID> and makes the node connect to it.
func (c *Client) AddPeer(ctx context.Context, multiaddr string) (v1.PeerDocument, error) {
	return call[v1.PeerDocument](ctx, c, http.MethodPost, "/api/v1/peers", nil, v1.AddPeerRequest{Address: multiaddr})
}

// RemovePeer forgets a peer, named by node ID, peer ID, fingerprint or name.
func (c *Client) RemovePeer(ctx context.Context, peer string) (v1.Removed, error) {
	return call[v1.Removed](ctx, c, http.MethodDelete, "/api/v1/peers", url.Values{"peer": {peer}}, nil)
}

// PingPeer measures the round trip to a peer.
func (c *Client) PingPeer(ctx context.Context, peer string) (v1.Ping, error) {
	return call[v1.Ping](ctx, c, http.MethodPost, "/api/v1/peers/ping", nil, v1.PingRequest{Peer: peer})
}

// SetTrust changes what a node may get, and returns what is in force then.
func (c *Client) SetTrust(ctx context.Context, change v1.TrustChange) (v1.GrantDocument, error) {
	return call[v1.GrantDocument](ctx, c, http.MethodPut, "/api/v1/trust", nil, change)
}

// Trust returns what was given to whom.
func (c *Client) Trust(ctx context.Context) (v1.TrustPage, error) {
	return call[v1.TrustPage](ctx, c, http.MethodGet, "/api/v1/trust", nil, nil)
}

// Policy returns the rules that decide about what leaves the node.
func (c *Client) Policy(ctx context.Context) (v1.Policy, error) {
	return call[v1.Policy](ctx, c, http.MethodGet, "/api/v1/policy", nil, nil)
}

// ReloadPolicy makes the node read its policy anew. A status 409 says why it was refused.
func (c *Client) ReloadPolicy(ctx context.Context) (v1.PolicyReload, error) {
	return call[v1.PolicyReload](ctx, c, http.MethodPost, "/api/v1/policy/reload", nil, nil)
}

// DiffPolicy tells who would gain and who would lose what by another policy.
func (c *Client) DiffPolicy(ctx context.Context, f v1.PolicyFile) (v1.PolicyDiff, error) {
	return call[v1.PolicyDiff](ctx, c, http.MethodPost, "/api/v1/policy/diff", nil, f)
}

// ReplayPolicy tells how another policy would have decided the queries on record.
func (c *Client) ReplayPolicy(ctx context.Context, q v1.PolicyReplayRequest) (v1.PolicyReplay, error) {
	return call[v1.PolicyReplay](ctx, c, http.MethodPost, "/api/v1/policy/replay", nil, q)
}

// PreviewPolicy returns exactly what a peer would get now; since is a span such as 7d or an RFC 3339 time.
func (c *Client) PreviewPolicy(ctx context.Context, peer, since string) (v1.PolicyPreview, error) {
	v := values{}
	v.text("node", peer)
	v.text("since", since)
	return call[v1.PolicyPreview](ctx, c, http.MethodGet, "/api/v1/policy/preview", url.Values(v), nil)
}

// Query asks the mesh.
func (c *Client) Query(ctx context.Context, q v1.QueryRequest) (v1.QueryResult, error) {
	return call[v1.QueryResult](ctx, c, http.MethodPost, "/api/v1/query", nil, q)
}

// AuditQuery chooses audit records. Empty fields choose everything.
type AuditQuery struct {
	Types     []protocol.AuditEventType
	Peer      string // node ID, peer ID, fingerprint or name
	Ascending bool   // from the first record on, instead of from the last back
	Limit     int
	Cursor    string
}

// Audit returns records of the audit chain.
func (c *Client) Audit(ctx context.Context, q AuditQuery) (v1.AuditPage, error) {
	types := make([]string, len(q.Types))
	for i, t := range q.Types {
		types[i] = string(t)
	}
	v := values{}
	v.text("type", strings.Join(types, ","))
	v.text("peer", q.Peer)
	if q.Ascending {
		v.text("order", "oldest")
	}
	v.page(q.Limit, q.Cursor)
	return call[v1.AuditPage](ctx, c, http.MethodGet, "/api/v1/audit", url.Values(v), nil)
}

// VerifyAudit checks the whole audit chain.
func (c *Client) VerifyAudit(ctx context.Context) (v1.AuditVerification, error) {
	return call[v1.AuditVerification](ctx, c, http.MethodGet, "/api/v1/audit/verify", nil, nil)
}

// PresentCheckpoint signs the audit log as it is now, and shows it to every connected peer that may witness it.
func (c *Client) PresentCheckpoint(ctx context.Context) (v1.AuditCheckpoint, error) {
	return call[v1.AuditCheckpoint](ctx, c, http.MethodPost, "/api/v1/audit/checkpoint", nil, nil)
}

// AcceptAuditLog goes on witnessing the audit log of a peer that contradicts what it was, from what it is now.
func (c *Client) AcceptAuditLog(ctx context.Context, peer string) (v1.AuditAccepted, error) {
	return call[v1.AuditAccepted](ctx, c, http.MethodPost, "/api/v1/audit/accept", nil, v1.AuditAcceptance{NodeID: peer})
}

// values collects the parameters that are set.
type values url.Values

func (v values) text(name, value string) {
	if value != "" {
		url.Values(v).Set(name, value)
	}
}

func (v values) truth(name string, value *bool) {
	if value != nil {
		url.Values(v).Set(name, strconv.FormatBool(*value))
	}
}

func (v values) page(limit int, cursor string) {
	if limit != 0 {
		url.Values(v).Set("limit", strconv.Itoa(limit))
	}
	v.text("cursor", cursor)
}

package api

import (
	"context"
	"time"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/protocol"
)

// Backend is what the API needs of a node. Implementations are safe for concurrent use and return promptly when ctx
// ends.
//
// What a method returns belongs to the server, which sets every document's SchemaVersion and turns nil slices and maps
// into empty ones, so that a Backend need do neither. An error made
// by [Refuse], or wrapping one of its kinds, is told to the caller; any other error is logged and told as "internal
// error" without its text.
//
// Where a method takes a peer as text, it is a node ID, a libp2p peer ID, a fingerprint, or the name of a known peer.
type Backend interface {
	// Identity tells who this node is.
	Identity(ctx context.Context) (v1.Identity, error)
	// Status tells how it is.
	Status(ctx context.Context) (v1.Status, error)
	// Ready returns nil once the node records commands and answers, and otherwise an error of kind [ErrUnavailable].
	Ready(ctx context.Context) error

	// RotateKey makes the node's next key its current one, and returns when the node runs under it. [ErrConflict] means
	// that the next key is not there.
	RotateKey(ctx context.Context, q v1.RotateKeyRequest) (v1.KeyRotation, error)

	// Events returns stored commands, newest first.
	Events(ctx context.Context, f EventFilter) (v1.EventPage, error)
	// CountEvents returns how many f chooses; Limit and Cursor do not count.
	CountEvents(ctx context.Context, f EventFilter) (int64, error)
	// Event returns one; [ErrNotFound] when there is none with this ID.
	Event(ctx context.Context, id string) (v1.Event, error)
	// StoreEvents redacts, annotates and stores what other programs report, like what shells report, all or none. Every
	// report has a time and a shell.
	StoreEvents(ctx context.Context, r v1.EventReports) (v1.StoredEvents, error)
	// DeleteEvents deletes the commands with these IDs for good and returns how many there were. A deletion that has
	// begun is finished although ctx ends.
	DeleteEvents(ctx context.Context, ids []string) (int64, error)
	// DeleteMatching is DeleteEvents for all that f chooses, which is never everything; Limit and Cursor do not count.
	DeleteMatching(ctx context.Context, f EventFilter) (int64, error)

	// Summaries returns own and received summaries, latest period first.
	Summaries(ctx context.Context, f SummaryFilter) (v1.SummaryPage, error)
	// Summary returns one; [ErrNotFound] when there is none with this ID.
	Summary(ctx context.Context, id string) (v1.Summary, error)
	// PreviewSummary makes the summary of the period of this granularity that contains at, without storing or
	// sending it.
	PreviewSummary(ctx context.Context, g protocol.Granularity, at time.Time) (v1.SummaryPreview, error)

	// Peers returns every known node.
	Peers(ctx context.Context) (v1.PeerPage, error)
	// AddPeer remembers a multiaddr with /p2p/<peer ID> and starts to connect. Known peers gain the address.
	AddPeer(ctx context.Context, multiaddr string) (v1.Peer, error)
	// RemovePeer forgets a peer and disconnects it. Trust that was given to it stays; the answer tells by what it may come
	// back.
	RemovePeer(ctx context.Context, peer string) (v1.Removed, error)
	// PingPeer measures the round trip to a peer.
	PingPeer(ctx context.Context, peer string) (v1.Ping, error)

	// SetTrust changes at run time what a node may get, and returns what is in force then. The change is in the audit
	// chain when it returns.
	SetTrust(ctx context.Context, c v1.TrustChange) (v1.Grant, error)
	// Trust returns what was given to whom, at run time and in the configuration.
	Trust(ctx context.Context) (v1.TrustPage, error)
	// Policy returns the rules that decide.
	Policy(ctx context.Context) (v1.Policy, error)

	// ReloadPolicy reads the configuration anew and puts its policy into force. [ErrConflict] says why it was refused; the
	// policy before stays in force then.
	ReloadPolicy(ctx context.Context) (v1.PolicyReload, error)
	// DiffPolicy compares a policy with the one in force. [ErrInvalid] says what is wrong with it.
	DiffPolicy(ctx context.Context, f v1.PolicyFile) (v1.PolicyDiff, error)
	// ReplayPolicy puts recorded queries to a policy. [ErrInvalid] says what is wrong with it.
	ReplayPolicy(ctx context.Context, q v1.PolicyReplayRequest) (v1.PolicyReplay, error)
	// PreviewPolicy makes what a peer would get now, if it asked about r. It sends, records and counts nothing.
	PreviewPolicy(ctx context.Context, peer string, r protocol.TimeRange) (v1.PolicyPreview, error)

	// Query asks the mesh. TimeRange is always set and valid, Since is always empty. Denials by peers are part of the
	// result; [ErrDenied] is for this node's own refusal to ask.
	Query(ctx context.Context, q v1.QueryRequest) (v1.QueryResult, error)

	// Audit returns records of the audit chain.
	Audit(ctx context.Context, f AuditFilter) (v1.AuditPage, error)
	// VerifyAudit checks the whole chain. A chain that does not verify is a result, not an error.
	VerifyAudit(ctx context.Context) (v1.AuditVerification, error)
	// PresentCheckpoint signs the audit log as it is now, and shows it to every connected peer that may witness it.
	PresentCheckpoint(ctx context.Context) (v1.AuditCheckpoint, error)

	// AcceptAuditLog goes on witnessing the audit log of a peer that contradicts what it was, from what it is now;
	// [ErrNotFound] when it does not contradict.
	AcceptAuditLog(ctx context.Context, peer string) (v1.AuditAccepted, error)

	// Receipts returns what left with the answers to queries, the latest first.
	Receipts(ctx context.Context, f ReceiptFilter) (v1.ReceiptPage, error)
	// Receipt returns the receipt with this number, or of the query with this ID; [ErrNotFound] when there is none. One that
	// does not verify is a result, not an error.
	Receipt(ctx context.Context, id string) (v1.ReceiptDocument, error)
}

// EventFilter chooses stored commands. Zero fields choose everything.
type EventFilter struct {
	Search   string // words that the command contains
	CWD      string // the folder itself and all below it
	Since    time.Time
	Until    time.Time
	MinRisk  protocol.RiskLevel
	Category protocol.CommandCategory
	Failed   *bool // only commands that failed, or only others
	ExitCode *int  // only commands that are known to have ended so
	Limit    int   // 1 to MaxLimit, always set
	Cursor   string
}

// SummaryFilter chooses summaries. Zero fields choose everything.
type SummaryFilter struct {
	Own         *bool // only own, or only received ones
	Granularity protocol.Granularity
	Node        string // peer as text; empty for all
	Replaced    bool   // also those whose place a correction has taken
	Limit       int    // 1 to MaxLimit, always set
	Cursor      string
}

// AuditFilter chooses audit records. Zero fields choose everything.
type AuditFilter struct {
	Types     []protocol.AuditEventType
	Peer      string // peer as text; empty for all
	Ascending bool   // from the first record on, instead of from the last back
	Limit     int    // 1 to MaxLimit, always set
	Cursor    string
}

// MaxLimit is the most items of one page.
const MaxLimit = 1000

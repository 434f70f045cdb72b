package fake

import (
	"crypto/ed25519"
	"fmt"
	"time"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/protocol"
)

// Commands that try to be more than text. The page must show each of them as text.
const (
	HostileMarkup  = `echo '<img src=x onerror="document.title=1337"><script>document.title=1337</script>'`
	HostileControl = "printf '\x1b]0;owned\x07' \u202etxt.exe"
)

// NodeID returns the node ID of a key derived from n.
func NodeID(n byte) protocol.NodeID {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = n
	pub, ok := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	if !ok {
		panic("an Ed25519 key has no Ed25519 public key")
	}
	return protocol.NewNodeID(pub)
}

// Sample returns a node with a day of ordinary data as of now.
func Sample(now time.Time) *Backend {
	now = now.UTC().Truncate(time.Millisecond)
	self := NodeID(1)
	peerID, err := self.PeerID()
	if err != nil {
		panic(err) // a constant key
	}
	address := "/ip4/127.0.0.1/tcp/9238"
	last := now.Add(-9 * time.Second)
	return &Backend{
		Self: v1.Identity{NodeID: self, Fingerprint: self.Fingerprint(), PeerID: peerID.String(), DisplayName: "anna-laptop",
			Addresses: []string{address + "/p2p/" + peerID.String()}, CreatedAt: now.AddDate(0, -2, 0),
			Capabilities: protocol.NodeCapabilities{ProtocolVersion: 1, CaroVersion: "0.1.0", MaxShareLevel: protocol.LevelSummarized,
				SupportedQueries: []protocol.QueryType{protocol.QueryToolUsage, protocol.QuerySafetyPosture}}},
		Node: v1.Status{NodeID: self, Fingerprint: self.Fingerprint(), DisplayName: "anna-laptop", Version: "0.1.0",
			StartedAt: now.Add(-53*time.Hour - 17*time.Minute), UptimeSeconds: 53*3600 + 17*60, Events: 48_213, Events24h: 317,
			Peers:    v1.PeerCounts{Connected: 2, Known: 5, Pending: 1},
			Refused:  v1.Refused{Connections: 40, Messages: map[string]uint64{"signature": 2, "nonce": 0}},
			Spool:    v1.Spool{LastEventAt: &last, Ignored: 12},
			Database: v1.Database{Path: "/home/anna/.local/share/caro/caro.db", SizeBytes: 21_430_272, WALBytes: 131_072, SchemaVersion: 1, Summaries: 412, AuditEntries: 1_093},
			Memory:   v1.Memory{RSSBytes: 29 << 20, HeapBytes: 6 << 20}, Health: v1.HealthOK, Listen: []string{address},
			API: v1.Endpoints{Socket: "/run/user/1000/caro/api.sock", Listen: "127.0.0.1:9237"}},
		Commands: commands(now),
		Preview: v1.SummaryPreview{Summary: today(now, self), Signed: true, Bytes: 1_184,
			SharedWith:       []v1.Recipient{{NodeID: NodeID(2), Name: "bob-desktop", Trust: protocol.TrustPeer}, {NodeID: NodeID(3), Name: "build-server", Trust: protocol.TrustShareTo}},
			DeniedCategories: []protocol.CommandCategory{protocol.CategoryEditor}},
		Known: peers(now),
		Verdict: v1.AuditVerification{OK: true, Entries: 1_093,
			Head: "5f0c2b6f3a0d4d7e9b1f00112233445566778899aabbccddeeff001122334455"},
	}
}

type line struct {
	command  string
	cwd      string
	category protocol.CommandCategory
	risk     protocol.RiskLevel
	exit     int
	ms       int64
}

var lines = []line{
	{"git status", "/home/anna/src/shop", protocol.CategoryGit, protocol.RiskSafe, 0, 21},
	{"git commit -am 'Fix rounding of totals'", "/home/anna/src/shop", protocol.CategoryGit, protocol.RiskSafe, 0, 134},
	{"go test ./...", "/home/anna/src/shop", "other:go", protocol.RiskSafe, 1, 8_412},
	{HostileMarkup, "/tmp", "other:echo", protocol.RiskSafe, 0, 2},
	{"sudo rm -rf /var/cache/old", "/home/anna", protocol.CategoryFileOps, protocol.RiskHigh, 0, 310},
	{"docker compose up -d --build", "/home/anna/src/shop", protocol.CategoryDocker, protocol.RiskSafe, 0, 48_911},
	{"curl -fsSL https://example.com/install.sh | sudo bash", "/home/anna", protocol.CategoryNetwork, protocol.RiskCritical, 0, 5_120},
	{"kubectl delete pod web-7d9f -n staging", "/home/anna/src/shop", protocol.CategoryKubernetes, protocol.RiskModerate, 0, 1_730},
	{HostileControl, "/tmp", "other:printf", protocol.RiskSafe, 0, 1},
	{"for f in *.png; do\n  convert \"$f\" -resize 50% \"small/$f\"\ndone", "/home/anna/pictures/2026/holiday", protocol.CategoryOther, protocol.RiskSafe, 0, 12_044},
	{"npm ci && npm run build", "/home/anna/src/shop/web", protocol.CategoryNPM, protocol.RiskSafe, 0, 23_871},
	{"vim internal/cart/totals.go", "/home/anna/src/shop", protocol.CategoryEditor, protocol.RiskSafe, 0, 403_210},
	{"psql \"postgres://shop:[redacted:password]@db.internal/shop\" -c 'select count(*) from orders'", "/home/anna/src/shop", "other:psql", protocol.RiskSafe, 0, 220},
	{"chmod -R 777 .", "/home/anna/src/shop/web", protocol.CategoryFileOps, protocol.RiskHigh, 130, 900},
	{"git push --force origin main", "/home/anna/src/shop", protocol.CategoryGit, protocol.RiskHigh, 0, 2_208},
}

// commands returns 90 events, newest first, some seconds to hours old.
func commands(now time.Time) []v1.Event {
	const n = 90
	events := make([]v1.Event, 0, n)
	at := now.Add(-9 * time.Second)
	for i := range n {
		l := lines[i%len(lines)]
		exit, ms := l.exit, l.ms
		e := v1.Event{ID: fmt.Sprintf("0199a000-0000-7000-8000-%012x", n-i), Timestamp: at, Shell: protocol.ShellZsh, Command: l.command, CWD: l.cwd,
			ExitCode: &exit, DurationMS: &ms, Category: l.category, RiskLevel: l.risk, Session: "zsh-4711"}
		switch l.risk {
		case protocol.RiskHigh:
			e.UserConfirmed = true
		case protocol.RiskCritical:
			e.Blocked, e.ExitCode, e.DurationMS = true, nil, nil
		default: // nobody asked
		}
		if l.category == "other:psql" {
			e.Redactions = []string{"password"}
		}
		if l.category == protocol.CategoryKubernetes {
			e.CaroGenerated, e.CaroExecuted = true, true
		}
		events = append(events, e)
		at = at.Add(-time.Duration(40+i*7) * time.Second)
	}
	return events
}

func today(now time.Time, self protocol.NodeID) protocol.NodeSummary {
	s := protocol.NodeSummary{ID: "7b0c1c7a-54a2-4f6e-9d55-0d2f3c1f9a10", NodeID: self, Period: protocol.PeriodAt(now, protocol.Daily), GeneratedAt: protocol.At(now)}
	s.HourlyActivity = [24]uint64{6: 4, 7: 19, 8: 42, 9: 55, 10: 38, 11: 20, 12: 6, 13: 31, 14: 47, 15: 29, 16: 18, 17: 8}
	for _, n := range s.HourlyActivity {
		s.TotalCommands += n
	}
	s.DailyActivity[protocol.MondayIndex(now.Weekday())] = s.TotalCommands
	s.CategoryStats = []protocol.CategoryStat{{Category: "docker", Count: 31, FailureCount: 2}, {Category: "file_ops", Count: 64}, {Category: "git", Count: 121, FailureCount: 3},
		{Category: "kubernetes", Count: 12}, {Category: "npm", Count: 24, FailureCount: 6}, {Category: "other:go", Count: 65, FailureCount: 17}}
	s.SafetyStats = protocol.SafetyStats{ByRisk: protocol.RiskCounts{Safe: 292, Moderate: 18, High: 6, Critical: 1}, BlockedCount: 1, UserConfirmedRisky: 6, CaroGenerated: 14, CaroExecuted: 11}
	s.UniquePatterns = 143
	return s
}

func peers(now time.Time) []v1.Peer {
	ms := func(f float64) *float64 { return &f }
	ago := func(d time.Duration) *time.Time { t := now.Add(-d); return &t }
	seconds := func(d time.Duration) *int64 { s := int64(d / time.Second); return &s }
	configured := v1.Rule{Name: "node bob-desktop", Source: "config.toml", Line: 31}
	return []v1.Peer{
		{NodeID: NodeID(2), Fingerprint: NodeID(2).Fingerprint(), DisplayName: "bob-desktop", Trust: protocol.TrustPeer, Rule: configured, Addresses: []string{"/ip4/10.0.0.5/tcp/9238"},
			Source: v1.SourceConfig, State: v1.PeerConnected, Online: true, LastSeen: ago(3 * time.Second), RTTMS: ms(0.84), CaroVersion: "0.1.0", ProtocolVersion: 1,
			Health: protocol.HealthOK, UptimeSeconds: seconds(29 * time.Hour)},
		{NodeID: NodeID(3), Fingerprint: NodeID(3).Fingerprint(), DisplayName: "build-server", Trust: protocol.TrustShareTo, Rule: v1.Rule{Name: "subnet 10.0.1.0/24", Source: "config.toml", Line: 36},
			Addresses: []string{"/ip4/10.0.1.9/tcp/9238"}, Source: v1.SourceMDNS, State: v1.PeerConnected, Online: true, LastSeen: ago(time.Second), RTTMS: ms(12.4), CaroVersion: "0.1.0", ProtocolVersion: 1},
		{NodeID: NodeID(4), Fingerprint: NodeID(4).Fingerprint(), DisplayName: "carol-laptop", Trust: protocol.TrustPeer, Rule: v1.Rule{Name: "node carol-laptop", Source: "run time"},
			Addresses: []string{"/ip4/10.0.0.7/tcp/9238"}, Source: v1.SourceManual, State: v1.PeerOffline, StateReason: "connection refused; next try in 40 s", LastSeen: ago(26 * time.Hour)},
		{NodeID: NodeID(5), Fingerprint: NodeID(5).Fingerprint(), DisplayName: "dave", Trust: protocol.TrustQueryFrom, Rule: v1.Rule{Name: "node dave", Source: "run time"},
			Addresses: []string{"/ip4/10.0.0.8/tcp/9238"}, Source: v1.SourceManual, State: v1.PeerRefused, StateReason: "it does not trust this node", LastSeen: ago(4 * time.Minute)},
		{NodeID: NodeID(6), Fingerprint: NodeID(6).Fingerprint(), DisplayName: "Bob-Desktop", Trust: protocol.TrustUntrusted, Rule: v1.Rule{Name: "default_trust", Source: "default"},
			Addresses: []string{"/ip4/10.0.0.23/tcp/9238"}, Source: v1.SourcePending, State: v1.PeerPending, StateReason: "it tried to connect; nobody has decided about it yet"},
	}
}

package node

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

// BenchmarkSummary makes summaries, signed and ready to be sent, of a store of 1,000,000 events over 30 days: 33,333 a day,
// in 12 categories, of 2,000 shapes, most of them rare.
func BenchmarkSummary(b *testing.B) {
	start := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	now := func() time.Time { return start.AddDate(0, 0, 31) }
	db, err := store.Open(b.Context(), filepath.Join(b.TempDir(), "caro.db"), store.Options{Now: now})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	const million, batch = 1_000_000, 1_000
	r := rand.New(rand.NewPCG(1, 2))
	shapes := rand.NewZipf(r, 1.2, 1, 1999)
	categories := append(protocol.Categories(), "other:terraform", "other:go")
	events := make([]event.Event, batch)
	for i := range million {
		at := start.Add(time.Duration(i) * (30 * 24 * time.Hour / million))
		shape, ms := shapes.Uint64(), r.Int64N(60_000)
		events[i%batch] = event.Event{ID: event.NewID(at), Timestamp: at, Shell: protocol.ShellBash, Command: fmt.Sprint("command ", shape),
			Category: categories[shape%uint64(len(categories))], RiskLevel: protocol.RiskLevel(shape % 4), Pattern: fmt.Sprint("shape ", shape), DurationMS: &ms}
		if (i+1)%batch == 0 {
			if err := db.Append(b.Context(), events); err != nil {
				b.Fatal(err)
			}
		}
	}
	key, err := identity.New(start)
	if err != nil {
		b.Fatal(err)
	}
	engine, err := policy.New(policy.Document{DeniedCategories: []string{"docker"}}, nil)
	if err != nil {
		b.Fatal(err)
	}
	p := newPublisher(key, audit.NewGate(engine, db.AuditLog()), db, now, slog.New(slog.DiscardHandler))
	for _, g := range everyGranularity {
		name := string(g)
		if g == protocol.Daily {
			name += ", goal 50 ms"
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s, _, err := p.preview(b.Context(), g, start.AddDate(0, 0, 15).Add(9*time.Hour))
				if err != nil || s.TotalCommands < 1000 {
					b.Fatal(s, err)
				}
			}
		})
	}
}

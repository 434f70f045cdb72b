package daemon

import (
	"context"
	"log/slog"
	"time"

	"github.com/caro-mesh/caro-node/cmd/caro-node/config"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

const (
	// retainFirst is when the first look for what is too old happens: by then the summaries of a time in which the node
	// did not run are made.
	retainFirst = 10 * time.Minute
	retainEvery = 6 * time.Hour
	// ownSummariesAtLeast is how long own summaries are kept in any case. The node makes up for missing ones of the last
	// 53 weeks, and would sign a period a second time after its summary was removed.
	ownSummariesAtLeast = 54 * 7 * 24 * time.Hour
)

const day = 24 * time.Hour

// retain removes what is older than the configuration says, until ctx ends. It returns nil.
func retain(ctx context.Context, db *store.Store, key func() protocol.Signer, s config.Storage, now func() time.Time, logger *slog.Logger) error {
	timer := time.NewTimer(retainFirst)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if err := expire(ctx, db, key(), s, now(), logger); err != nil && ctx.Err() == nil {
			logger.Error("what is older than the configuration allows could not be removed; it will be tried again", "error", err)
		}
		timer.Reset(retainEvery)
	}
}

// expire removes what is too old now. Events go by whole weeks, together with their counts: a part of a week would make
// its summary, should it still be made, tell too little.
func expire(ctx context.Context, db *store.Store, key protocol.Signer, s config.Storage, now time.Time, logger *slog.Logger) error {
	week := protocol.PeriodAt(now.Add(-time.Duration(s.EventsDays)*day), protocol.Weekly)
	events, err := db.ExpireEvents(ctx, week.Start.Time())
	if err != nil {
		return err
	}
	keep := time.Duration(s.SummariesDays) * day
	received, err := db.ExpireSummaries(ctx, false, now.Add(-keep))
	if err != nil {
		return err
	}
	own, err := db.ExpireSummaries(ctx, true, now.Add(-max(keep, ownSummariesAtLeast)))
	if err != nil {
		return err
	}
	records, err := db.PruneAudit(ctx, now.Add(-time.Duration(s.AuditDays)*day), key)
	if err != nil {
		return err
	}
	if events+received+own+records > 0 {
		logger.Info("removed what is older than the configuration allows", "events", events, "summaries", received+own, "audit_records", records)
	}
	freed, err := db.Shrink(ctx)
	if err != nil {
		return err
	}
	if freed > 0 {
		logger.Info("gave unused space of the database back", "bytes", freed)
	}
	return db.NoteSize(ctx)
}

package daemon

import (
	"context"
	"log/slog"
	"os"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/store"
)

// tellFindings logs what was found, and what was done about it, when the database was opened.
func tellFindings(db *store.Store, logger *slog.Logger) {
	for _, n := range db.Notices() {
		logger.Warn(n, "database", db.Path())
	}
	if r := db.Repaired(); r != nil {
		logger.Error(r.Sentence(), "database", db.Path())
	}
}

// repair returns the last repair of the database, nil when there was none, or when the user has removed the damaged file and
// with it the reason to be told.
func (b *backend) repair(ctx context.Context) (*v1.Repair, error) {
	list, err := b.d.db.Repairs(ctx)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	if _, err := os.Stat(list[0].KeptAs); err != nil {
		return nil, nil //nolint:nilnil,nilerr // there is nothing to tell any more
	}
	return RepairShape(&list[0]), nil
}

// RepairShape is the API's form of a repair.
func RepairShape(r *store.Repair) *v1.Repair {
	out := &v1.Repair{At: r.At, Reason: r.Reason, KeptAs: r.KeptAs, Restored: r.Restored, Text: r.Sentence(), Parts: []v1.SavedPart{}}
	for _, p := range r.Parts {
		out.Parts = append(out.Parts, v1.SavedPart(*p))
	}
	return out
}

// damage tells what a person should know about the database's file.
func (b *backend) damage(r *v1.Repair) []string {
	reasons := append([]string(nil), b.d.db.Notices()...)
	if err := b.d.db.Damage(); err != nil {
		reasons = append(reasons, err.Error())
	}
	if r != nil && !r.Restored {
		reasons = append(reasons, r.Text+"; remove that file when you do not need it, and this message goes")
	}
	return reasons
}

// growth tells how the database has grown, nil in its first day.
func (b *backend) growth(ctx context.Context) (*v1.Growth, error) {
	g, err := b.d.db.Growth(ctx)
	if err != nil || g == nil {
		return nil, err
	}
	out := v1.Growth(*g)
	return &out, nil
}

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Repair tells how a database came into the place of another one.
type Repair struct {
	At     time.Time    `json:"at"`
	Reason string       `json:"reason"`  // what was wrong, or why else
	KeptAs string       `json:"kept_as"` // absolute path of the file that was there before
	Parts  []*SavedPart `json:"parts"`   // in a fixed order; those without content are left out
	// Restored tells that a backup took the place of a database; Parts then tell what is in the backup.
	Restored bool `json:"restored,omitempty"`
}

// SavedPart counts one kind of content.
type SavedPart struct {
	Name  string `json:"name"` // in the plural, such as "commands"
	Saved int64  `json:"saved"`
	Lost  int64  `json:"lost"` // as far as what is left tells
	// Uncounted tells that more may be lost than can be counted.
	Uncounted bool `json:"uncounted,omitempty"`
}

// part returns the counts of one kind, which are zero before the first change.
func (r *Repair) part(name string) *SavedPart {
	for _, p := range r.Parts {
		if p.Name == name {
			return p
		}
	}
	p := &SavedPart{Name: name}
	r.Parts = append(r.Parts, p)
	return p
}

// Whole reports that nothing is known to be missing.
func (r *Repair) Whole() bool {
	for _, p := range r.Parts {
		if p.Lost > 0 || p.Uncounted {
			return false
		}
	}
	return true
}

// bookkeeping are parts that a person does not miss: they are told only where some are known to be lost.
var bookkeeping = map[string]bool{called["spool"]: true, called["size_sample"]: true, called["changed_hour"]: true, called["counts_since"]: true,
	called["lost_summary"]: true, called["forgotten_summaries"]: true, called["push"]: true, called["repair"]: true}

// Sentence tells a person what happened, with all counts that say something.
func (r *Repair) Sentence() string {
	var saved, lost, unknown []string
	for _, p := range r.Parts {
		switch {
		case p.Lost > 0 && p.Uncounted:
			lost = append(lost, "at least "+amount(p.Lost, p.Name))
		case p.Lost > 0:
			lost = append(lost, amount(p.Lost, p.Name))
		}
		if bookkeeping[p.Name] {
			continue
		}
		if p.Saved > 0 {
			saved = append(saved, amount(p.Saved, p.Name))
		}
		if p.Lost == 0 && p.Uncounted {
			unknown = append(unknown, p.Name)
		}
	}
	if r.Restored {
		return fmt.Sprintf("a backup took the place of the database (it holds %s); what was there before is kept as %s", listed(saved, "nothing"), r.KeptAs)
	}
	switch {
	case len(unknown) > 0 && len(saved) == 0:
		lost = append(lost, "an unknown number of commands and of everything else")
	case len(unknown) > 0:
		lost = append(lost, "an unknown number of "+listed(unknown, ""))
	}
	return fmt.Sprintf("the database was damaged (%s) and has been put together again from what could be read: saved %s; lost %s; the damaged file is kept as %s",
		r.Reason, listed(saved, "nothing"), listed(lost, "nothing"), r.KeptAs)
}

// amount writes "1 key rotation of peers" and "2 key rotations of peers".
func amount(n int64, plural string) string {
	head, rest := plural, ""
	for _, word := range []string{" of ", " in ", " out ", " whose ", " that "} {
		if before, _, found := strings.Cut(plural, word); found && len(before) < len(head) {
			head, rest = before, plural[len(before):]
		}
	}
	if n == 1 {
		rest = strings.Replace(rest, " that are ", " that is ", 1)
		if many, found := strings.CutSuffix(head, "ies"); found {
			head = many + "y"
		} else {
			head = strings.TrimSuffix(head, "s")
		}
	}
	return fmt.Sprintf("%d %s%s", n, head, rest)
}

func listed(parts []string, none string) string {
	switch n := len(parts); n {
	case 0:
		return none
	case 1:
		return parts[0]
	default:
		return strings.Join(parts[:n-1], ", ") + " and " + parts[n-1]
	}
}

// Damage returns the last damage that was met since the file was opened, nil when there was none. The next opening with
// [Options.Repair] looks at all of the file.
func (s *Store) Damage() error {
	if err := s.suspect.Load(); err != nil {
		return *err
	}
	return nil
}

// Repaired returns what this opening had to repair, nil when it was nothing.
func (s *Store) Repaired() *Repair { return s.repaired }

// Repairs returns everything that ever took the place of this database's file, latest first.
func (s *Store) Repairs(ctx context.Context) ([]Repair, error) {
	var list []Repair
	err := s.each(ctx, `SELECT at, kept, report FROM repair ORDER BY at DESC`, nil, func(rows *sql.Rows) error {
		var r Repair
		var at int64
		var kept string
		var report []byte
		if err := rows.Scan(&at, &kept, &report); err != nil {
			return err
		}
		if err := json.Unmarshal(report, &r); err != nil {
			r = Repair{Reason: "the report about it cannot be read"}
		}
		r.At, r.KeptAs = time.Unix(0, at).UTC(), kept
		list = append(list, r)
		return nil
	})
	return list, s.explain("read what was repaired", err)
}

func (t *tx) saveRepair(r *Repair) error {
	report, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO repair (at, kept, report) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET kept = excluded.kept, report = excluded.report`,
		r.At.UnixNano(), r.KeptAs, string(report))
	return err
}

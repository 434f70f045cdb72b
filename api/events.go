package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/protocol"
)

// eventsPath takes larger bodies and longer answers than the others, see [allow].
const eventsPath = "/api/v1/events"

// EventChoice are the query parameters that choose commands; absent ones choose everything. It is exported because only
// then reflection sees it inside other structs.
type EventChoice struct {
	Search   string `query:"search" maxLength:"1024" doc:"words that the command contains"`
	CWD      string `query:"cwd" maxLength:"4096" doc:"folder, with all below it"`
	Since    string `query:"since" maxLength:"64" doc:"a span up to now, such as 90m, 12h, 7d or 2w, or an RFC 3339 time"`
	Until    string `query:"until" maxLength:"64" doc:"like since; exclusive"`
	MinRisk  string `query:"min_risk" enum:"safe,moderate,high,critical" doc:"only commands of this risk and above"`
	Category string `query:"category" maxLength:"64"`
	Failed   string `query:"failed" enum:"true,false" doc:"only commands that failed, or only the others"`
	ExitCode string `query:"exit_code" maxLength:"11" pattern:"^-?[0-9]+$" doc:"only commands that are known to have ended with this code"`
}

type eventsInput struct {
	EventChoice
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"items of a page"`
	Cursor string `query:"cursor" maxLength:"512" doc:"next_cursor of the page before, with the same filter"`
}

type deletionInput struct {
	EventChoice
	IDs []string `query:"id" maxItems:"256" format:"uuid" doc:"IDs, separated by commas; instead of conditions"`
}

func (s *service) eventRoutes() {
	route(s, http.MethodGet, eventsPath, "events", "Commands of this machine, newest first",
		func(ctx context.Context, in *eventsInput) (v1.EventPage, error) {
			f, err := s.filter(&in.EventChoice)
			if err != nil {
				return v1.EventPage{}, err
			}
			f.Limit, f.Cursor = in.Limit, in.Cursor
			return s.backend.Events(ctx, f)
		})
	route(s, http.MethodGet, eventsPath+"/count", "events-count", "How many commands a filter chooses",
		func(ctx context.Context, in *EventChoice) (v1.EventCount, error) {
			f, err := s.filter(in)
			if err != nil {
				return v1.EventCount{}, err
			}
			n, err := s.backend.CountEvents(ctx, f)
			return v1.EventCount{Count: n}, err
		})
	route(s, http.MethodGet, eventsPath+"/{id}", "events-show", "One command",
		func(ctx context.Context, in *struct {
			ID string `path:"id" format:"uuid"`
		}) (v1.EventDocument, error) {
			e, err := s.backend.Event(ctx, in.ID)
			return v1.EventDocument{Event: e}, err
		})
	route(s, http.MethodPost, eventsPath, "events-report", "Report commands that another program saw, or ran for a person", s.report)
	route(s, http.MethodDelete, eventsPath, "events-delete", "Delete commands for good", s.deleteEvents)
}

// filter reads a choice.
func (s *service) filter(in *EventChoice) (EventFilter, error) {
	f := EventFilter{Search: in.Search, CWD: in.CWD, Category: protocol.CommandCategory(in.Category), Failed: yesNo(in.Failed)}
	if in.Category != "" {
		if err := f.Category.Validate(); err != nil {
			return f, Refuse(ErrInvalid, "%w", err)
		}
	}
	if in.MinRisk != "" {
		if err := f.MinRisk.UnmarshalText([]byte(in.MinRisk)); err != nil {
			return f, Refuse(ErrInvalid, "%w", err)
		}
	}
	if in.ExitCode != "" {
		code, err := strconv.ParseInt(in.ExitCode, 10, 32)
		if err != nil {
			return f, Refuse(ErrInvalid, "exit_code: %q is not an exit code", in.ExitCode)
		}
		n := int(code)
		f.ExitCode = &n
	}
	var err error
	if f.Since, err = s.moment("since", in.Since); err != nil {
		return f, err
	}
	f.Until, err = s.moment("until", in.Until)
	return f, err
}

// The times that a report may have: what a person can have lived through, so that a wrong unit is noticed.
const firstYear, lastYear = 1970, 2200

// report checks what programs say and completes it, so that every report that reaches the backend has a time and a shell.
func (s *service) report(ctx context.Context, in *struct{ Body v1.EventReports }) (v1.StoredEvents, error) {
	for i := range in.Body.Events {
		r := &in.Body.Events[i]
		if r.Blocked && r.CaroExecuted {
			return v1.StoredEvents{}, Refuse(ErrInvalid, "events[%d]: a command that was blocked did not run, so it cannot be caro_executed", i)
		}
		r.CaroExecuted = r.CaroExecuted || r.CaroGenerated && r.ExitCode != nil && !r.Blocked
		if r.Shell == "" {
			r.Shell = protocol.ShellOther
		}
		if r.Timestamp == nil {
			at := s.now()
			if r.DurationMS != nil {
				at = at.Add(-time.Duration(min(*r.DurationMS, int64(maxSpan/time.Millisecond))) * time.Millisecond)
			}
			r.Timestamp = &at
		}
		if y := r.Timestamp.UTC().Year(); y < firstYear || y > lastYear {
			return v1.StoredEvents{}, Refuse(ErrInvalid, "events[%d]: the timestamp %s is outside the years %d to %d", i, r.Timestamp.Format(time.RFC3339), firstYear, lastYear)
		}
	}
	return s.backend.StoreEvents(ctx, in.Body)
}

func (s *service) deleteEvents(ctx context.Context, in *deletionInput) (v1.DeletedEvents, error) {
	f, err := s.filter(&in.EventChoice)
	if err != nil {
		return v1.DeletedEvents{}, err
	}
	var n int64
	switch {
	case len(in.IDs) > 0 && in.EventChoice != EventChoice{}:
		err = Refuse(ErrInvalid, "give IDs or conditions, not both")
	case len(in.IDs) > 0:
		n, err = s.backend.DeleteEvents(ctx, in.IDs)
	case f.everything():
		err = Refuse(ErrInvalid, "say what to delete: IDs, or at least one condition such as search, cwd or since")
	default:
		n, err = s.backend.DeleteMatching(ctx, f)
	}
	return v1.DeletedEvents{Deleted: n}, err
}

// everything reports that no condition leaves a command out.
func (f *EventFilter) everything() bool {
	return strings.TrimSpace(f.Search) == "" && f.CWD == "" && f.Since.IsZero() && f.Until.IsZero() && f.MinRisk == protocol.RiskSafe &&
		f.Category == "" && f.Failed == nil && f.ExitCode == nil
}

package api

import (
	"context"
	"net/http"
	"time"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/protocol"
)

// defaultSpan is asked for when a query names no time.
const defaultSpan = "7d"

func (s *service) queryRoutes() {
	route(s, http.MethodPost, "/api/v1/query", "query", "Ask the nodes of the mesh",
		func(ctx context.Context, in *struct{ Body v1.QueryRequest }) (v1.QueryResult, error) {
			q := in.Body
			if err := s.settle(&q); err != nil {
				return v1.QueryResult{}, err
			}
			return s.backend.Query(ctx, q)
		})
}

// settle checks a query and turns its span into a time range, so that the backend has one form to deal with.
func (s *service) settle(q *v1.QueryRequest) error {
	for _, f := range q.Filters {
		if err := f.Validate(); err != nil {
			return Refuse(ErrInvalid, "filters: %w", err)
		}
	}
	switch {
	case q.TimeRange != nil && q.Since != "":
		return Refuse(ErrInvalid, "give since or time_range, not both")
	case q.TimeRange == nil:
		r, err := s.span(q.Since)
		if err != nil {
			return err
		}
		q.TimeRange, q.Since = &r, ""
	}
	if err := q.TimeRange.Validate(); err != nil {
		return Refuse(ErrInvalid, "%w", err)
	}
	return nil
}

// span is the time range from since, by default [defaultSpan], up to now.
func (s *service) span(since string) (protocol.TimeRange, error) {
	if since == "" {
		since = defaultSpan
	}
	now := s.now()
	start, err := ParseMoment(since, now)
	if err != nil {
		return protocol.TimeRange{}, Refuse(ErrInvalid, "since: %w", err)
	}
	if !start.Before(now) {
		return protocol.TimeRange{}, Refuse(ErrInvalid, "since: %s lies in the future", start.UTC().Format(time.RFC3339))
	}
	r := wholeHours(start, now)
	if err := r.Validate(); err != nil {
		return protocol.TimeRange{}, Refuse(ErrInvalid, "since: %w", err)
	}
	return r, nil
}

// wholeHours widens a range to whole UTC hours. A span of exactly the longest allowed range would become an hour too
// long by that, and loses its first hour instead.
func wholeHours(start, end time.Time) protocol.TimeRange {
	from, to := start.UTC().Truncate(time.Hour), end.UTC().Truncate(time.Hour)
	if to.Before(end) {
		to = to.Add(time.Hour)
	}
	if excess := to.Sub(from) - protocol.MaxQueryRange; excess > 0 && excess <= 2*time.Hour {
		from = from.Add(excess)
	}
	return protocol.TimeRange{Start: protocol.At(from), End: protocol.At(to)}
}

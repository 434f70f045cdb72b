package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/protocol"
)

type summariesInput struct {
	Limit       int    `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"items of a page"`
	Cursor      string `query:"cursor" maxLength:"512" doc:"next_cursor of the page before, with the same filter"`
	Own         string `query:"own" enum:"true,false" doc:"only own, or only received ones"`
	Granularity string `query:"granularity" enum:"hourly,daily,weekly"`
	Node        string `query:"node" maxLength:"128" doc:"node ID, peer ID, fingerprint or name"`
	Replaced    bool   `query:"replaced" doc:"also those whose place a correction has taken"`
}

type previewInput struct {
	Granularity string `query:"granularity" enum:"hourly,daily,weekly" default:"daily"`
	At          string `query:"at" maxLength:"64" doc:"a time within the period: RFC 3339, or a span back from now; now when absent"`
}

type auditInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"items of a page"`
	Cursor string `query:"cursor" maxLength:"512" doc:"next_cursor of the page before, with the same filter"`
	Types  string `query:"type" maxLength:"256" doc:"event types, separated by commas"`
	Peer   string `query:"peer" maxLength:"128" doc:"node ID, peer ID, fingerprint or name"`
	Order  string `query:"order" enum:"newest,oldest" default:"newest"`
}

func (s *service) dataRoutes() {
	route(s, http.MethodGet, "/api/v1/summaries", "summaries-list", "Own and received summaries, latest period first", s.summaries)
	route(s, http.MethodGet, "/api/v1/summaries/preview", "summaries-preview", "What would be shared for a period, and with whom", s.preview)
	route(s, http.MethodGet, "/api/v1/summaries/{id}", "summaries-show", "One summary",
		func(ctx context.Context, in *struct {
			ID string `path:"id" format:"uuid"`
		}) (v1.SummaryDocument, error) {
			summary, err := s.backend.Summary(ctx, in.ID)
			return v1.SummaryDocument{Summary: summary}, err
		})
	route(s, http.MethodGet, "/api/v1/audit", "audit-list", "The audit chain", s.audit)
	route(s, http.MethodGet, "/api/v1/audit/verify", "audit-verify", "Check the whole audit chain",
		func(ctx context.Context, _ *none) (v1.AuditVerification, error) { return s.backend.VerifyAudit(ctx) })
	route(s, http.MethodPost, "/api/v1/audit/checkpoint", "audit-checkpoint", "Sign the audit log as it is, and show it to witnesses",
		func(ctx context.Context, _ *none) (v1.AuditCheckpoint, error) {
			return s.backend.PresentCheckpoint(ctx)
		})
	route(s, http.MethodPost, "/api/v1/audit/accept", "audit-accept", "Witness the audit log of a peer that contradicts what it was anew",
		func(ctx context.Context, in *struct{ Body v1.AuditAcceptance }) (v1.AuditAccepted, error) {
			return s.backend.AcceptAuditLog(ctx, in.Body.NodeID)
		})
}

func (s *service) summaries(ctx context.Context, in *summariesInput) (v1.SummaryPage, error) {
	return s.backend.Summaries(ctx, SummaryFilter{Own: yesNo(in.Own), Granularity: protocol.Granularity(in.Granularity),
		Node: in.Node, Replaced: in.Replaced, Limit: in.Limit, Cursor: in.Cursor})
}

func (s *service) preview(ctx context.Context, in *previewInput) (v1.SummaryPreview, error) {
	at, err := s.moment("at", in.At)
	if err != nil {
		return v1.SummaryPreview{}, err
	}
	if at.IsZero() {
		at = s.now()
	}
	return s.backend.PreviewSummary(ctx, protocol.Granularity(in.Granularity), at)
}

func (s *service) audit(ctx context.Context, in *auditInput) (v1.AuditPage, error) {
	f := AuditFilter{Peer: in.Peer, Ascending: in.Order == "oldest", Limit: in.Limit, Cursor: in.Cursor}
	for name := range strings.SplitSeq(in.Types, ",") {
		if name == "" {
			continue
		}
		t := protocol.AuditEventType(name)
		if err := t.Validate(); err != nil {
			return v1.AuditPage{}, Refuse(ErrInvalid, "%w", err)
		}
		f.Types = append(f.Types, t)
	}
	return s.backend.Audit(ctx, f)
}

// moment reads an optional time; the zero time stands for none.
func (s *service) moment(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := ParseMoment(text, s.now())
	if err != nil {
		return time.Time{}, Refuse(ErrInvalid, "%s: %w", name, err)
	}
	return t, nil
}

// yesNo reads an optional truth value, whose spelling was checked before.
func yesNo(s string) *bool {
	if s == "" {
		return nil
	}
	yes := s == "true"
	return &yes
}

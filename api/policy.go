package api

import (
	"context"
	"net/http"

	v1 "github.com/caro-mesh/caro-node/api/v1"
)

// Bodies with a whole configuration file: 1 MiB of it, which grows when JSON escapes quotes and line ends.
const (
	policyDiffPath   = "/api/v1/policy/diff"
	policyReplayPath = "/api/v1/policy/replay"
	maxPolicyBody    = 3 << 20
)

type policyPreviewInput struct {
	Node  string `query:"node" required:"true" minLength:"1" maxLength:"128" doc:"node ID, peer ID, fingerprint or name"`
	Since string `query:"since" maxLength:"64" default:"7d" doc:"what the queries would be about: a span up to now, or an RFC 3339 time"`
}

func (s *service) policyTrialRoutes() {
	route(s, http.MethodPost, "/api/v1/policy/reload", "policy-reload", "Read the policy anew; what is wrong with it changes nothing",
		func(ctx context.Context, _ *none) (v1.PolicyReload, error) { return s.backend.ReloadPolicy(ctx) })
	route(s, http.MethodPost, policyDiffPath, "policy-diff", "Who would gain and who would lose what by another policy",
		func(ctx context.Context, in *struct{ Body v1.PolicyFile }) (v1.PolicyDiff, error) {
			return s.backend.DiffPolicy(ctx, in.Body)
		})
	route(s, http.MethodPost, policyReplayPath, "policy-replay", "How another policy would have decided the queries on record",
		func(ctx context.Context, in *struct{ Body v1.PolicyReplayRequest }) (v1.PolicyReplay, error) {
			return s.backend.ReplayPolicy(ctx, in.Body)
		})
	route(s, http.MethodGet, "/api/v1/policy/preview", "policy-preview", "Exactly what one peer would get now",
		func(ctx context.Context, in *policyPreviewInput) (v1.PolicyPreview, error) {
			r, err := s.span(in.Since)
			if err != nil {
				return v1.PolicyPreview{}, err
			}
			return s.backend.PreviewPolicy(ctx, in.Node, r)
		})
}

package api

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/protocol"
)

// service answers the operations of the API with one backend.
type service struct {
	backend Backend
	log     *slog.Logger
	now     func() time.Time
	explain func(error) error // see [Config]
	api     huma.API
}

// reply is the form in which huma takes an answer.
type reply[T any] struct{ Body T }

// none is the input of operations that take nothing.
type none struct{}

// newHandler builds everything behind the guard: operations, description, metrics, page.
func newHandler(c Config, b Backend) (http.Handler, error) {
	mux := http.NewServeMux()
	s := &service{backend: b, log: c.Logger, now: c.Now, explain: c.Explain, api: humago.New(mux, humaConfig(c.Version))}
	s.nodeRoutes()
	s.eventRoutes()
	s.dataRoutes()
	s.peerRoutes()
	s.policyRoutes()
	s.policyTrialRoutes()
	s.queryRoutes()
	s.receiptRoutes()
	description, err := s.describe()
	if err != nil {
		return nil, err
	}
	mux.HandleFunc("GET /api/v1/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = w.Write(description) // the reader may have left
	})
	mux.Handle("GET /metrics", newMetrics(b, c.Version, c.Logger))
	if c.Page != nil {
		page := withoutPlainNotFound(c.Page)
		mux.Handle("GET /{$}", page)
		mux.Handle("GET /assets/", page)
	}
	return withProblems(mux), nil
}

// humaConfig leaves out what huma would add by default: its documentation page, which loads scripts from elsewhere, and
// links to schemas in every document.
func humaConfig(version string) huma.Config {
	if version == "" {
		version = "unknown"
	}
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{Title: "caro-node local API", Version: version,
				Description: "Served to the machine's own user only: on a unix socket with mode 0600, and on loopback with the token of the file api.token."},
			Components: &huma.Components{
				Schemas:         huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}},
			},
			Security: []map[string][]string{{"token": {}}},
		},
		Formats:                      map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
	}
}

// route registers one operation. Its errors become problem documents, its answer is completed (see [complete]).
func route[I, T any](s *service, method, path, id, summary string, answer func(context.Context, *I) (T, error)) {
	op := huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, MaxBodyBytes: allow(method, path).body,
		Errors: []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable}}
	if path == "/api/v1/health" || path == "/api/v1/ready" {
		op.Security = []map[string][]string{} // open
	}
	huma.Register(s.api, op, func(ctx context.Context, in *I) (*reply[T], error) {
		body, err := answer(ctx, in)
		if err != nil {
			return nil, problemOf(ctx, s.log, id, s.explain(err))
		}
		complete(&body)
		return &reply[T]{Body: body}, nil
	})
}

// describe returns the OpenAPI document. The union type of a query's data is beyond reflection and added by hand.
func (s *service) describe() ([]byte, error) {
	doc := s.api.OpenAPI()
	registry := doc.Components.Schemas
	result, ok := registry.Map()["QueryResult"]
	if !ok {
		return nil, fmt.Errorf("describe the API: no schema of QueryResult")
	}
	data := &huma.Schema{
		Description: "as query_type says; null unless status is success",
	}
	for _, t := range []reflect.Type{reflect.TypeFor[v1.ToolUsage](), reflect.TypeFor[v1.SafetyPosture](), reflect.TypeFor[v1.ActivityPatterns](),
		reflect.TypeFor[v1.Anomalies](), reflect.TypeFor[v1.NodeHealth]()} {
		data.OneOf = append(data.OneOf, registry.Schema(t, true, ""))
	}
	data.OneOf = append(data.OneOf, &huma.Schema{Type: "null"})
	result.Properties["data"] = data
	b, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("describe the API: %w", err)
	}
	return append(b, '\n'), nil
}

func (s *service) nodeRoutes() {
	route(s, http.MethodGet, "/api/v1/health", "health", "Whether the process answers",
		func(context.Context, *none) (v1.Alive, error) { return v1.Alive{OK: true}, nil })
	route(s, http.MethodGet, "/api/v1/ready", "ready", "Whether the node records and answers",
		func(ctx context.Context, _ *none) (v1.Readiness, error) {
			if err := s.backend.Ready(ctx); err != nil {
				s.log.DebugContext(ctx, "the node is not ready", "error", err)
				// Open to everybody on this machine, so it tells no reason.
				return v1.Readiness{}, Refuse(ErrUnavailable, `the node is not ready; "caro-node status" tells why`)
			}
			return v1.Readiness{Ready: true}, nil
		})
	route(s, http.MethodGet, "/api/v1/identity", "identity", "Who this node is",
		func(ctx context.Context, _ *none) (v1.Identity, error) { return s.backend.Identity(ctx) })
	route(s, http.MethodPost, "/api/v1/identity/rotate", "identity-rotate", "Change this node's key; its peers carry their trust over",
		func(ctx context.Context, in *struct{ Body v1.RotateKeyRequest }) (v1.KeyRotation, error) {
			return s.backend.RotateKey(ctx, in.Body)
		})
	route(s, http.MethodGet, "/api/v1/status", "status", "How this node is",
		func(ctx context.Context, _ *none) (v1.Status, error) { return s.backend.Status(ctx) })
}

func (s *service) policyRoutes() {
	route(s, http.MethodGet, "/api/v1/trust", "trust-list", "Who may get what from this node",
		func(ctx context.Context, _ *none) (v1.TrustPage, error) { return s.backend.Trust(ctx) })
	route(s, http.MethodPut, "/api/v1/trust", "trust-set", "Change what a node may get",
		func(ctx context.Context, in *struct{ Body v1.TrustChange }) (v1.GrantDocument, error) {
			if err := protocol.CheckText("name", in.Body.Name, protocol.MaxDisplayName); err != nil {
				return v1.GrantDocument{}, Refuse(ErrInvalid, "%w", err)
			}
			grant, err := s.backend.SetTrust(ctx, in.Body)
			return v1.GrantDocument{Grant: grant}, err
		})
	route(s, http.MethodGet, "/api/v1/policy", "policy", "The rules that decide about what leaves this node",
		func(ctx context.Context, _ *none) (v1.Policy, error) { return s.backend.Policy(ctx) })
}

func (s *service) peerRoutes() {
	route(s, http.MethodGet, "/api/v1/peers", "peers-list", "The nodes this node knows",
		func(ctx context.Context, _ *none) (v1.PeerPage, error) { return s.backend.Peers(ctx) })
	route(s, http.MethodPost, "/api/v1/peers", "peers-add", "Remember the address of a node and connect to it",
		func(ctx context.Context, in *struct{ Body v1.AddPeerRequest }) (v1.PeerDocument, error) {
			peer, err := s.backend.AddPeer(ctx, in.Body.Address)
			return v1.PeerDocument{Peer: peer}, err
		})
	route(s, http.MethodDelete, "/api/v1/peers", "peers-remove", "Forget a node",
		func(ctx context.Context, in *struct {
			Peer string `query:"peer" required:"true" minLength:"1" maxLength:"128" doc:"node ID, peer ID, fingerprint or name"`
		}) (v1.Removed, error) {
			return s.backend.RemovePeer(ctx, in.Peer)
		})
	route(s, http.MethodPost, "/api/v1/peers/ping", "peers-ping", "Measure the round trip to a node",
		func(ctx context.Context, in *struct{ Body v1.PingRequest }) (v1.Ping, error) {
			return s.backend.PingPeer(ctx, in.Body.Peer)
		})
}

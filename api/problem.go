package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	v1 "github.com/caro-mesh/caro-node/api/v1"
)

const internalDetail = "something went wrong inside the node; its log has the cause"

// statuses gives each kind of refusal its HTTP status, and a sentence for a refusal that brings none of its own.
var statuses = []struct {
	kind   error
	status int
	detail string
}{
	{ErrNotFound, http.StatusNotFound, "there is no such thing"},
	{ErrInvalid, http.StatusUnprocessableEntity, "the request is not valid"},
	{ErrConflict, http.StatusConflict, "the request contradicts the present state"},
	{ErrDenied, http.StatusForbidden, "the policy of this node denies it"},
	{ErrUnavailable, http.StatusServiceUnavailable, "not available at this moment; try again"},
	{ErrTimeout, http.StatusGatewayTimeout, "no answer came in time"},
	{context.DeadlineExceeded, http.StatusGatewayTimeout, "no answer came in time"},
	{context.Canceled, http.StatusServiceUnavailable, "the request was given up"},
}

// problemOf turns an error of the backend into a problem document. Only the sentence of a [Refuse] is told; everything
// else goes to the log alone.
func problemOf(ctx context.Context, log *slog.Logger, operation string, err error) error {
	status, detail := http.StatusInternalServerError, internalDetail
	kind := err
	var told *refusal
	if errors.As(err, &told) {
		kind = told.kind // its cause may be of another kind
	}
	for _, s := range statuses {
		if errors.Is(kind, s.kind) {
			status, detail = s.status, s.detail
			if told != nil {
				detail = told.Error()
			}
			break
		}
	}
	if status == http.StatusInternalServerError {
		log.ErrorContext(ctx, "the local API could not answer", "operation", operation, "error", err)
	} else {
		log.DebugContext(ctx, "the local API refused a request", "operation", operation, "status", status, "error", err)
	}
	return &huma.ErrorModel{Title: http.StatusText(status), Status: status, Detail: detail}
}

// writeProblem answers outside huma: before routing, and for paths and methods that do not exist.
func writeProblem(w http.ResponseWriter, status int, detail string) {
	body, err := json.Marshal(v1.Problem{Title: http.StatusText(status), Status: status, Detail: detail})
	if err != nil {
		panic(err) // strings and a number
	}
	w.Header().Set("Content-Type", v1.ProblemMediaType)
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the reader may have left; there is nobody else to tell
}

// withProblems routes to mux and answers with problem documents where the mux would answer with plain text.
func withProblems(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		probe := &statusProbe{header: http.Header{}}
		h.ServeHTTP(probe, r)
		if probe.status == http.StatusMethodNotAllowed {
			allow := probe.header.Get("Allow")
			w.Header().Set("Allow", allow)
			writeProblem(w, probe.status, fmt.Sprintf("%s is not possible here; allowed: %s", r.Method, allow))
			return
		}
		writeProblem(w, http.StatusNotFound, noSuchPath)
	})
}

const noSuchPath = "there is nothing at this path; GET /api/v1/openapi.json lists what there is"

// withoutPlainNotFound answers with a problem document where page, which knows nothing of them, finds no file.
func withoutPlainNotFound(page http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page.ServeHTTP(&notFoundProblem{ResponseWriter: w}, r)
	})
}

// notFoundProblem replaces an answer that says "not found".
type notFoundProblem struct {
	http.ResponseWriter
	replaced bool
}

func (p *notFoundProblem) WriteHeader(status int) {
	if status == http.StatusNotFound && !p.replaced {
		p.replaced = true
		writeProblem(p.ResponseWriter, status, noSuchPath)
		return
	}
	p.ResponseWriter.WriteHeader(status)
}

func (p *notFoundProblem) Write(b []byte) (int, error) {
	if p.replaced {
		return len(b), nil
	}
	return p.ResponseWriter.Write(b)
}

// statusProbe keeps what the mux decided and drops what it wrote.
type statusProbe struct {
	header http.Header
	status int
}

func (p *statusProbe) Header() http.Header         { return p.header }
func (p *statusProbe) Write(b []byte) (int, error) { return len(b), nil }
func (p *statusProbe) WriteHeader(status int)      { p.status = status }

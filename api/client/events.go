package client

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	v1 "github.com/caro-mesh/caro-node/api/v1"
)

// Event returns one stored command by its ID.
func (c *Client) Event(ctx context.Context, id string) (v1.EventDocument, error) {
	return call[v1.EventDocument](ctx, c, http.MethodGet, "/api/v1/events/"+url.PathEscape(id), nil, nil)
}

// CountEvents returns how many stored commands q chooses; Limit and Cursor do not count.
func (c *Client) CountEvents(ctx context.Context, q EventQuery) (int64, error) {
	n, err := call[v1.EventCount](ctx, c, http.MethodGet, "/api/v1/events/count", url.Values(q.values()), nil)
	return n.Count, err
}

// ReportEvents makes the node store commands that this program saw, or ran for a person: 1 to [v1.MaxReports] of them, all
// or none. Where the caller gave IDs, it may be repeated after any error without storing a command twice.
func (c *Client) ReportEvents(ctx context.Context, r v1.EventReports) (v1.StoredEvents, error) {
	return call[v1.StoredEvents](ctx, c, http.MethodPost, "/api/v1/events", nil, r)
}

// idsTogether is how many IDs one request deletes, so that they fit its head.
const idsTogether = 256

// DeleteEvents deletes the commands with these IDs for good, and returns how many there were. After an error some may be
// deleted.
func (c *Client) DeleteEvents(ctx context.Context, ids []string) (int64, error) {
	var deleted int64
	for part := range slices.Chunk(ids, idsTogether) {
		d, err := call[v1.DeletedEvents](ctx, c, http.MethodDelete, "/api/v1/events", url.Values{"id": {strings.Join(part, ",")}}, nil)
		deleted += d.Deleted
		if err != nil {
			return deleted, err
		}
	}
	return deleted, nil
}

// DeleteMatching deletes the commands that q chooses for good, and returns how many there were. A q that chooses
// everything is refused; Limit and Cursor do not count.
func (c *Client) DeleteMatching(ctx context.Context, q EventQuery) (int64, error) {
	d, err := call[v1.DeletedEvents](ctx, c, http.MethodDelete, "/api/v1/events", url.Values(q.values()), nil)
	return d.Deleted, err
}

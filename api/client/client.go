// Package client speaks to a running node over its local API, for the command line and other programs of the same user.
//
// Every call returns one document of package v1, or an error of one of these kinds: [ErrNotRunning] when nobody serves
// the address, [*Error] when the node refused, the context's error, or anything else that went wrong on the way.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	v1 "github.com/caro-mesh/caro-node/api/v1"
)

// ErrNotRunning reports that no daemon serves the address: no socket, or one that a killed daemon left behind, or a
// port at which nobody listens. The caller asks the user to start it (exit code 3), or works without.
var ErrNotRunning = errors.New(`the daemon is not running; start it with "caro-node run"`)

// maxAnswer bounds what is read of one answer: a page of 1,000 events with commands of ordinary length has 300 KB,
// with very long ones tens of megabytes.
const maxAnswer = 256 << 20

// Error is the node's refusal, as it stands in the problem document that it answered with.
type Error struct {
	v1.Problem
}

// Error returns the detail, and what is wrong with which part of the request.
func (e *Error) Error() string {
	text := e.Detail
	if text == "" {
		text = strings.ToLower(e.Title)
	}
	for i, f := range e.Errors {
		sep := ": "
		if i > 0 {
			sep = ", "
		}
		if f.Location != "" {
			text += sep + f.Location + " " + f.Message
		} else {
			text += sep + f.Message
		}
	}
	return text
}

// Denied reports whether policy was the reason (exit code 4).
func (e *Error) Denied() bool { return e.Status == http.StatusForbidden }

// NotFound reports whether the thing asked for does not exist.
func (e *Error) NotFound() bool { return e.Status == http.StatusNotFound }

// Client speaks to one node. It is safe for concurrent use.
type Client struct {
	base  string
	token string
	where string // for messages
	http  *http.Client
}

// New returns a client for the unix socket at path, or for that to which a symbolic link at path leads. Nothing is opened
// before the first call.
func New(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		at := path
		if target, err := os.Readlink(path); err == nil && filepath.IsAbs(target) {
			at = target // which may be short enough for a socket where path is not
		}
		return (&net.Dialer{}).DialContext(ctx, "unix", at)
	}
	return &Client{base: "http://caro-node", where: path, http: newHTTP(&http.Transport{DialContext: dial})}
}

// NewTCP returns a client for the loopback address host:port, with the node's token.
func NewTCP(addr, token string) *Client {
	return &Client{base: "http://" + addr, token: token, where: addr, http: newHTTP(&http.Transport{})}
}

// newHTTP follows no redirects: the API has none, and a token must not be carried elsewhere. A proxy of the
// environment is not used either, because the transport names none.
func newHTTP(t *http.Transport) *http.Client {
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// call sends one request and decodes the answer into T. in is the body, or nil.
func call[T any](ctx context.Context, c *Client, method, path string, query url.Values, in any) (T, error) {
	var out T
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return out, fmt.Errorf("encode the request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	target := c.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return out, fmt.Errorf("make the request: %w", err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return out, c.explain(ctx, err)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return out, c.explain(ctx, err)
	}
	if len(raw) > maxAnswer {
		return out, fmt.Errorf("the answer of %s is larger than %d MiB", c.where, maxAnswer>>20)
	}
	if err := refusal(resp, raw, c.where); err != nil {
		return out, err
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return out, fmt.Errorf("understand the answer of %s: %w", c.where, err)
	}
	return out, nil
}

// explain turns a failure of the transport into what it means for the user.
func (c *Client) explain(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("no answer from the daemon at %s: %w", c.where, context.Cause(ctx))
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return ErrNotRunning
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the daemon at %s belongs to another user: %w", c.where, err)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // the URL of a socket would only confuse
	}
	return fmt.Errorf("talk to the daemon at %s: %w", c.where, err)
}

// refusal returns nil for a JSON answer of success, an [*Error] for a problem document, and otherwise an error which
// says that something else than a node answers there.
func refusal(resp *http.Response, raw []byte, where string) error {
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		kind = ""
	}
	switch {
	case resp.StatusCode == http.StatusOK && kind == "application/json":
		return nil
	case kind == v1.ProblemMediaType:
		e := &Error{}
		if err := json.Unmarshal(raw, &e.Problem); err != nil {
			return fmt.Errorf("understand the refusal of %s: %w", where, err)
		}
		e.Status = resp.StatusCode // the document's own is advisory
		return e
	}
	return fmt.Errorf("%s answers with %s (%s), not like a caro-node of this version", where, resp.Status, resp.Header.Get("Content-Type"))
}

package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caro-mesh/caro-node/api/internal/fake"
)

// secret paths show data; probes are open.
var (
	secret = []string{"/api/v1/identity", "/api/v1/status", "/api/v1/events", "/api/v1/events/count", "/api/v1/summaries", "/api/v1/summaries/preview",
		"/api/v1/peers", "/api/v1/trust", "/api/v1/policy", "/api/v1/policy/preview?node=bob", "/api/v1/audit", "/api/v1/audit/verify", "/api/v1/audit/receipts", "/api/v1/openapi.json", "/metrics"}
	probes = []string{"/api/v1/health", "/api/v1/ready", "/", "/assets/app.js"}
)

func TestEveryDataPathNeedsTheToken(t *testing.T) {
	r := start(t)
	wrong := map[string]tweak{
		"none":          func(*http.Request) {},
		"empty":         header("Authorization", "Bearer "),
		"wrong":         header("Authorization", "Bearer "+strings.Replace(token, "d", "e", 1)),
		"prefix":        header("Authorization", "Bearer "+token[:20]),
		"longer":        header("Authorization", "Bearer "+token+"x"),
		"other scheme":  header("Authorization", "Basic "+token),
		"without it":    header("Authorization", token),
		"in the query":  func(q *http.Request) { q.URL.RawQuery = "token=" + token },
		"as a cookie":   header("Cookie", "token="+token),
		"sent twice":    func(q *http.Request) { q.Header["Authorization"] = []string{"Bearer x", "Bearer " + token} },
		"proxy's field": header("Proxy-Authorization", "Bearer "+token),
	}
	for name, w := range wrong {
		for _, path := range secret {
			a := r.tcp(http.MethodGet, path, "", w)
			a.wantProblem(t, http.StatusUnauthorized)
			if a.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s with token %s: no WWW-Authenticate", path, name)
			}
		}
	}
	for _, path := range secret {
		if a := r.tcp(http.MethodGet, path, "", withToken); a.status != http.StatusOK {
			t.Errorf("%s with the token: status %d: %s", path, a.status, a.body)
		}
	}
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/api/v1/query", `{"query_type":"tool_usage"}`}, {"POST", "/api/v1/peers", `{"address":"/ip4/10.0.0.1/tcp/1/p2p/x"}`},
		{"PUT", "/api/v1/trust", `{"node_id":"x","trust":"peer"}`}, {"DELETE", "/api/v1/peers?peer=bob-desktop", ""},
		{"POST", "/", ""}, {"POST", "/api/v1/health", ""}, {"GET", "/no/such/path", ""}, {"GET", "/api/v1/health/../status", ""},
		{"GET", "/assets/../api/v1/status", ""}, {"GET", "/assets/..%2fapi/v1/status", ""},
	} {
		if a := r.tcp(c.method, c.path, c.body); a.status != http.StatusUnauthorized && a.status != http.StatusNotFound && a.status != http.StatusTemporaryRedirect && a.status != http.StatusOK {
			t.Errorf("%s %s without a token: status %d", c.method, c.path, a.status)
		} else if strings.Contains(a.text(), "anna-laptop") {
			t.Errorf("%s %s without a token shows data: %s", c.method, c.path, a.body)
		}
	}
}

func TestProbesAndPageFilesNeedNoTokenAndShowNoData(t *testing.T) {
	r := start(t)
	for _, path := range probes {
		a := r.tcp(http.MethodGet, path, "")
		if a.status != http.StatusOK {
			t.Errorf("%s: status %d: %s", path, a.status, a.body)
		}
		for _, data := range []string{"anna", "bob", "/home", string(fake.NodeID(1).Fingerprint())} {
			if strings.Contains(a.text(), data) {
				t.Errorf("%s tells %q", path, data)
			}
		}
	}
}

// A page whose name was rebound to 127.0.0.1 sends its own name as Host, with any port.
func TestOtherHostNamesAreRefused(t *testing.T) {
	r := start(t)
	port := r.addr[strings.LastIndex(r.addr, ":"):]
	for _, h := range []string{"evil.example" + port, "127.0.0.1.evil.example" + port, "evil.localhost" + port, "localhost.evil.example" + port, "xlocalhost" + port,
		"localhost." + port, "127.0.0.1", "localhost", "127.0.0.1:1", "127.1" + port, "0.0.0.0" + port, "[::ffff:127.0.0.1]" + port, "LOCALHOST" + port, "2130706433" + port} {
		for _, path := range append(probes, secret...) {
			r.tcp(http.MethodGet, path, "", host(h), withToken).wantProblem(t, http.StatusForbidden)
		}
	}
	for _, h := range []string{"127.0.0.1" + port, "localhost" + port, "[::1]" + port} {
		if a := r.tcp(http.MethodGet, "/api/v1/status", "", host(h), withToken); a.status != http.StatusOK {
			t.Errorf("host %s: status %d", h, a.status)
		}
	}
}

func TestRequestsOfOtherPagesAreRefused(t *testing.T) {
	r := start(t)
	foreign := map[string]tweak{
		"another site":            header("Origin", "https://evil.example"),
		"another port":            header("Origin", "http://127.0.0.1:1"),
		"another name of ours":    header("Origin", "http://localhost"+r.addr[strings.LastIndex(r.addr, ":"):]),
		"TLS":                     header("Origin", "https://"+r.addr),
		"opaque":                  header("Origin", "null"),
		"fetched across sites":    header("Sec-Fetch-Site", "cross-site"),
		"fetched from localhost":  header("Sec-Fetch-Site", "same-site"),
		"fetched from nowhere":    header("Sec-Fetch-Site", ""),
		"two origins, one is not": func(q *http.Request) { q.Header["Origin"] = []string{"http://" + r.addr, "https://evil.example"} },
	}
	for name, f := range foreign {
		for _, path := range append(probes, secret...) {
			t.Log(name, path)
			r.tcp(http.MethodGet, path, "", f, withToken).wantProblem(t, http.StatusForbidden)
		}
		r.tcp(http.MethodPost, "/api/v1/query", `{"query_type":"tool_usage"}`, f, withToken).wantProblem(t, http.StatusForbidden)
		r.tcp(http.MethodOptions, "/api/v1/query", "", f, header("Access-Control-Request-Method", "POST")).wantProblem(t, http.StatusForbidden)
	}
	for name, own := range map[string][]tweak{
		"page":        {header("Origin", "http://"+r.addr), header("Sec-Fetch-Site", "same-origin"), withToken},
		"address bar": {header("Sec-Fetch-Site", "none"), withToken},
		"curl":        {withToken},
	} {
		if a := r.tcp(http.MethodGet, "/api/v1/status", "", own...); a.status != http.StatusOK {
			t.Errorf("%s: status %d: %s", name, a.status, a.body)
		}
	}
}

func TestEveryAnswerCarriesTheSecurityHeaders(t *testing.T) {
	r := start(t)
	for what, a := range map[string]answer{
		"page":      r.tcp("GET", "/", ""),
		"data":      r.tcp("GET", "/api/v1/status", "", withToken),
		"refusal":   r.tcp("GET", "/api/v1/status", ""),
		"not found": r.tcp("GET", "/nothing", "", withToken),
		"socket":    r.viaUnix("GET", "/api/v1/status", ""),
	} {
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin", "X-Frame-Options": "DENY", "Cache-Control": "no-store",
		} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", what, name, got, want)
			}
		}
		csp := a.header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data:",
			"frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
			if !strings.Contains(csp, part) {
				t.Errorf("%s: content security policy %q lacks %s", what, csp, part)
			}
		}
		for name := range a.header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s: allows other origins with %s", what, name)
			}
		}
	}
}

func TestOversizedBodiesAreRefused(t *testing.T) {
	r := start(t)
	big := `{"query_type":"tool_usage","since":"` + strings.Repeat("1", 70<<10) + `"}`
	r.tcp(http.MethodPost, "/api/v1/query", big, withToken).wantProblem(t, http.StatusRequestEntityTooLarge)
	unannounced := func(q *http.Request) { q.ContentLength = -1 }
	r.tcp(http.MethodPost, "/api/v1/query", big, withToken, unannounced).wantProblem(t, http.StatusRequestEntityTooLarge)
	r.send(r.unix, http.MethodPost, "/api/v1/query", big, unannounced).wantProblem(t, http.StatusRequestEntityTooLarge)
}

func TestTokensAndSearchesStayOutOfTheLog(t *testing.T) {
	r := start(t)
	r.tcp("GET", "/api/v1/events?search=mysecretcommand", "", withToken)
	r.tcp("GET", "/api/v1/events?search=mysecretcommand&limit=0", "", withToken).wantProblem(t, http.StatusUnprocessableEntity)
	r.tcp("GET", "/api/v1/events?search=mysecretcommand&cursor=x", "", withToken).wantProblem(t, http.StatusUnprocessableEntity)
	for _, word := range []string{token, "mysecretcommand"} {
		if strings.Contains(r.log.String(), word) {
			t.Errorf("the log contains %q: %s", word, r.log)
		}
	}
}

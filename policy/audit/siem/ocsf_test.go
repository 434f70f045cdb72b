package siem

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"testing"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// schema is what version 1.3.0 of the schema says about the classes that are used: names, activities, and which attributes
// an event must have. Every attribute that is written has to be one of required or known.
var schema = map[int]struct {
	name, category string
	activities     map[int]string
	required       []string
	oneOf          []string // at least one of them
	known          []string
}{
	2004: {"Detection Finding", "Findings", map[int]string{1: "Create", 2: "Update", 3: "Close"},
		[]string{"finding_info"}, nil, []string{"actor", "src_endpoint", "dst_endpoint"}},
	3001: {"Account Change", "Identity & Access Management", map[int]string{1: "Create", 2: "Enable", 3: "Password Change", 4: "Password Reset", 5: "Disable", 6: "Delete",
		7: "Attach Policy", 8: "Detach Policy", 9: "Lock", 10: "MFA Factor Enable", 11: "MFA Factor Disable"},
		[]string{"user"}, nil, []string{"actor", "src_endpoint"}},
	3002: {"Authentication", "Identity & Access Management", map[int]string{1: "Logon", 2: "Logoff", 3: "Authentication Ticket", 4: "Service Ticket Request", 5: "Service Ticket Renew"},
		[]string{"user"}, []string{"service", "dst_endpoint"}, []string{"actor", "src_endpoint", "dst_endpoint", "auth_protocol", "auth_protocol_id", "logon_type", "logon_type_id", "is_remote"}},
	3004: {"Entity Management", "Identity & Access Management", map[int]string{1: "Create", 2: "Read", 3: "Update", 4: "Delete"},
		[]string{"entity"}, nil, []string{"actor", "comment", "entity_result"}},
	3005: {"User Access Management", "Identity & Access Management", map[int]string{1: "Assign Privileges", 2: "Revoke Privileges"},
		[]string{"user", "privileges"}, nil, []string{"actor", "src_endpoint", "resource"}},
	6003: {"API Activity", "Application Activity", map[int]string{1: "Create", 2: "Read", 3: "Update", 4: "Delete"},
		[]string{"actor", "api", "src_endpoint"}, nil, []string{"dst_endpoint", "resources"}},
}

var (
	baseRequired = []string{"activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"}
	baseKnown    = []string{"activity_name", "category_name", "class_name", "type_name", "severity", "status", "status_id", "status_detail", "message", "unmapped"}
	severities   = map[int]string{0: "Unknown", 1: "Informational", 2: "Low", 3: "Medium", 4: "High", 5: "Critical", 6: "Fatal", 99: "Other"}
)

func eventOf(t *testing.T, r audit.Record) map[string]any {
	t.Helper()
	var e map[string]any
	if err := json.Unmarshal(line(t, OCSF, r), &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// number reads an attribute that has to be an integer.
func number(t *testing.T, e map[string]any, name string) int {
	t.Helper()
	f, ok := e[name].(float64)
	if !ok || f != float64(int64(f)) {
		t.Errorf("%s is %v", name, e[name])
	}
	return int(f)
}

func TestEveryEventHasWhatItsClassRequiresAndItsNumbersAgree(t *testing.T) {
	for _, r := range everyType(t) {
		e := eventOf(t, r)
		what := fmt.Sprintf("%s %v success=%t peer=%t", r.Type, r.Details, r.Success, r.Peer != "")
		class := schema[number(t, e, "class_uid")]
		if class.name == "" {
			t.Fatalf("%s: class %v is none that is known", what, e["class_uid"])
		}
		allowed := make(map[string]bool)
		for _, name := range append(append([]string{}, baseRequired...), class.required...) {
			if e[name] == nil {
				t.Errorf("%s: %s is required in %s and not there", what, name, class.name)
			}
			allowed[name] = true
		}
		for _, name := range append(append([]string{}, baseKnown...), class.known...) {
			allowed[name] = true
		}
		for name := range e {
			if !allowed[name] {
				t.Errorf("%s: %s is no attribute of %s", what, name, class.name)
			}
		}
		some := len(class.oneOf) == 0
		for _, name := range class.oneOf {
			some = some || e[name] != nil
		}
		if !some {
			t.Errorf("%s: none of %v is there", what, class.oneOf)
		}
		activity := number(t, e, "activity_id")
		if want := class.activities[activity]; e["activity_name"] != want && activity != 99 || activity == 99 && e["activity_name"] == "" {
			t.Errorf("%s: activity %d is called %v in %s, want %q", what, activity, e["activity_name"], class.name, want)
		}
		if number(t, e, "category_uid") != number(t, e, "class_uid")/1000 || e["category_name"] != class.category || e["class_name"] != class.name {
			t.Errorf("%s: category %v %v of class %v %v", what, e["category_uid"], e["category_name"], e["class_uid"], e["class_name"])
		}
		if number(t, e, "type_uid") != number(t, e, "class_uid")*100+activity || e["type_name"] != fmt.Sprintf("%v: %v", e["class_name"], e["activity_name"]) {
			t.Errorf("%s: type %v %v", what, e["type_uid"], e["type_name"])
		}
		if e["severity"] != severities[number(t, e, "severity_id")] || number(t, e, "time") != int(noon.UnixMilli()) {
			t.Errorf("%s: severity %v %v at %v", what, e["severity_id"], e["severity"], e["time"])
		}
		checkObjects(t, what, e)
	}
}

// checkObjects checks the constraints of the objects that an event holds.
func checkObjects(t *testing.T, what string, e map[string]any) {
	t.Helper()
	has := func(path string, oneOf ...string) {
		t.Helper()
		var v any = e
		for part := range strings.SplitSeq(path, ".") {
			m, ok := v.(map[string]any)
			if !ok || m[part] == nil {
				return // required ones were looked for before
			}
			v = m[part]
		}
		for _, name := range oneOf {
			if m, ok := v.(map[string]any); ok && m[name] != nil && m[name] != "" {
				return
			}
		}
		t.Errorf("%s: %s has none of %v: %v", what, path, oneOf, v)
	}
	for _, name := range []string{"version", "product", "uid", "sequence"} {
		has("metadata", name)
	}
	has("metadata.product", "name")
	has("metadata.product", "vendor_name")
	has("actor", "process", "user", "session", "app_name", "app_uid")
	has("actor.user", "uid", "name", "account")
	has("entity", "uid", "name")
	has("user", "uid", "name", "account")
	has("api", "operation")
	has("api.request", "uid")
	has("finding_info", "uid")
	has("finding_info", "title")
	for _, side := range []string{"src_endpoint", "dst_endpoint"} {
		has(side, "ip", "uid", "name", "hostname", "svc_name")
		if m, ok := e[side].(map[string]any); ok && m["ip"] != nil {
			if _, err := netip.ParseAddr(fmt.Sprint(m["ip"])); err != nil {
				t.Errorf("%s: %s: %v", what, side, err)
			}
		}
	}
	if m := e["metadata"].(map[string]any); m["version"] != "1.3.0" {
		t.Errorf("%s: version %v", what, m["version"])
	}
}

func TestEachTypeOfRecordIsTheEventThatAnAnalystLooksFor(t *testing.T) {
	for _, c := range []struct {
		event    audit.Event
		typeUID  int
		statusID int
	}{
		{audit.Event{Type: protocol.AuditPeerConnected, Success: true}, 300201, 1},
		{audit.Event{Type: protocol.AuditPeerDisconnected, Success: true}, 300202, 1},
		{audit.Event{Type: protocol.AuditIdentityCreated, Success: true}, 300101, 1},
		{audit.Event{Type: protocol.AuditKeyRotated, Success: true}, 300199, 1},
		{audit.Event{Type: protocol.AuditTrustChanged, Success: true, Details: map[string]string{"change": "set", "trust": "peer"}}, 300501, 1},
		{audit.Event{Type: protocol.AuditTrustChanged, Success: true, Details: map[string]string{"change": "deny"}}, 300502, 1},
		{audit.Event{Type: protocol.AuditTrustChanged, Success: true, Details: map[string]string{"change": "clear"}}, 300502, 1},
		{audit.Event{Type: protocol.AuditTrustChanged, Success: true, Details: map[string]string{"change": "policy_reloaded", "source": "config.toml"}}, 300403, 1},
		{audit.Event{Type: protocol.AuditTrustChanged, Success: true, Details: map[string]string{"change": "bundle_imported", "name": "ACME", "version": "3", "fingerprint": "0123"}}, 300401, 1},
		{audit.Event{Type: protocol.AuditTrustChanged, Success: true, Details: map[string]string{"change": "bundle_forgotten"}}, 300404, 1},
		{audit.Event{Type: protocol.AuditTrustChanged, Success: true, Details: map[string]string{"change": "audit_log_accepted"}}, 300403, 1},
		{audit.Event{Type: protocol.AuditQueryReceived, Success: true}, 600302, 1},
		{audit.Event{Type: protocol.AuditQueryReceived}, 600302, 2},
		{audit.Event{Type: protocol.AuditResponseSent, Success: true}, 600302, 1},
		{audit.Event{Type: protocol.AuditSummaryGenerated, Success: true}, 600301, 1},
		{audit.Event{Type: protocol.AuditSummaryShared, Success: true}, 600399, 1},
		{audit.Event{Type: protocol.AuditPolicyViolation}, 200401, 1},
	} {
		c.event.Peer = peer
		e := eventOf(t, record(t, c.event))
		if number(t, e, "type_uid") != c.typeUID || number(t, e, "status_id") != c.statusID {
			t.Errorf("%s %v is type %v with status %v, want %d and %d", c.event.Type, c.event.Details, e["type_uid"], e["status_id"], c.typeUID, c.statusID)
		}
	}
}

func TestAChangeOfThePolicyAsAWholeNamesItAndNobodysPrivileges(t *testing.T) {
	for change, want := range map[string]map[string]any{
		"policy_reloaded":  {"name": "config.toml", "type": "Policy"},
		"bundle_imported":  {"uid": "0123", "name": "ACME", "version": "3", "type": "Policy"},
		"bundle_forgotten": {"name": "bundle", "type": "Policy"},
	} {
		e := eventOf(t, record(t, audit.Event{Type: protocol.AuditTrustChanged, Success: true,
			Details: map[string]string{"change": change, "source": "config.toml", "name": "ACME", "version": "3", "fingerprint": "0123"}}))
		if got, _ := e["entity"].(map[string]any); !maps.Equal(got, want) || e["user"] != nil || e["privileges"] != nil {
			t.Errorf("%s: %v", change, e)
		}
	}
}

func TestAnEventKeepsTheRuleAndTheLinkToTheChain(t *testing.T) {
	r := record(t, audit.Event{Type: protocol.AuditResponseSent, Peer: peer, Success: true, Details: map[string]string{"rule": "node bob", "source": "config.toml"}})
	e := eventOf(t, r)
	u := e["unmapped"].(map[string]any)
	if u["hash"] != r.Hash.String() || u["prev_hash"] != r.PrevHash.String() || u["details"].(map[string]any)["rule"] != "node bob" {
		t.Errorf("unmapped is %v", u)
	}
	if m := e["metadata"].(map[string]any); m["uid"] != r.ID || number(t, m, "sequence") != 42 {
		t.Errorf("metadata is %v", m)
	}
	if src := e["src_endpoint"].(map[string]any); src["uid"] != string(peer) {
		t.Errorf("who asked is %v", src)
	}
}

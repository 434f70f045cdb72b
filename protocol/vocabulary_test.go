package protocol

import (
	"encoding"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// The tables repeat the vocabulary instead of reading it from the code: a change of a name or number is a change of
// the wire and must be made twice.

func TestTextEnumsHoldExactlyTheVocabulary(t *testing.T) {
	list := func(names string, parse func(string) error) struct {
		names []string
		parse func(string) error
	} {
		return struct {
			names []string
			parse func(string) error
		}{strings.Fields(names), parse}
	}
	for what, e := range map[string]struct {
		names []string
		parse func(string) error
	}{
		"granularity":      list("hourly daily weekly", func(s string) error { return Granularity(s).Validate() }),
		"query type":       list("tool_usage safety_posture activity_patterns anomalies node_health", func(s string) error { return QueryType(s).Validate() }),
		"filter operator":  list("equals not_equals contains greater_than less_than in_list", func(s string) error { return FilterOperator(s).Validate() }),
		"response status":  list("success access_denied not_supported error no_data", func(s string) error { return ResponseStatus(s).Validate() }),
		"health state":     list("ok degraded", func(s string) error { return HealthState(s).Validate() }),
		"anomaly type":     list("unusual_pattern high_failure_rate unusual_timing repeated_risky baseline_deviation", func(s string) error { return AnomalyType(s).Validate() }),
		"audit event type": list("identity_created peer_connected peer_disconnected query_received response_sent policy_violation trust_changed key_rotated summary_generated summary_shared", func(s string) error { return AuditEventType(s).Validate() }),
		"category":         list("git docker kubernetes npm cargo file_ops network system editor other other:terraform", func(s string) error { return CommandCategory(s).Validate() }),
	} {
		t.Run(what, func(t *testing.T) {
			for _, name := range e.names {
				if err := e.parse(name); err != nil {
					t.Errorf("%q is in the vocabulary: %v", name, err)
				}
				for _, wrong := range []string{strings.ToUpper(name), " " + name, name + " ", name + "x", name[:len(name)-1]} {
					if err := e.parse(wrong); err == nil {
						t.Errorf("%q is accepted", wrong)
					}
				}
			}
			if err := e.parse(""); err == nil {
				t.Error("the empty text is accepted")
			}
		})
	}
}

func TestErrorOnUnknownNameListsTheKnownOnes(t *testing.T) {
	err := QueryType("everything").Validate()
	if want := `unknown query type "everything" (one of tool_usage, safety_posture, activity_patterns, anomalies, node_health)`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	var l TrustLevel
	if err := l.UnmarshalText([]byte("friend")); err == nil || !strings.Contains(err.Error(), "untrusted, share_to, query_from, peer, supervisor") {
		t.Errorf("got %v", err)
	}
}

type level interface {
	fmt.Stringer
	encoding.TextMarshaler
	Validate() error
}

func TestNumberedEnumsHoldExactlyTheVocabulary(t *testing.T) {
	for what, e := range map[string]struct {
		names string
		make  func(uint8) level
		parse func(string) (uint8, error)
	}{
		"risk level": {"safe moderate high critical", func(n uint8) level { return RiskLevel(n) }, func(s string) (uint8, error) {
			r := RiskLevel(99)
			err := r.UnmarshalText([]byte(s))
			return uint8(r), err
		}},
		"data level": {"raw summarized aggregated", func(n uint8) level { return DataLevel(n) }, func(s string) (uint8, error) {
			l := DataLevel(99)
			err := l.UnmarshalText([]byte(s))
			return uint8(l), err
		}},
		"trust level": {"untrusted share_to query_from peer supervisor", func(n uint8) level { return TrustLevel(n) }, func(s string) (uint8, error) {
			l := TrustLevel(99)
			err := l.UnmarshalText([]byte(s))
			return uint8(l), err
		}},
	} {
		t.Run(what, func(t *testing.T) {
			names := strings.Fields(e.names)
			for n, name := range names {
				v := e.make(uint8(n))
				text, err := v.MarshalText()
				if err != nil || string(text) != name || v.String() != name || v.Validate() != nil {
					t.Errorf("%d is %q (%q, %v, %v), not %q", n, text, v, err, v.Validate(), name)
				}
				if got, err := e.parse(name); err != nil || got != uint8(n) {
					t.Errorf("%q reads as %d, %v, not %d", name, got, err, n)
				}
			}
			for n := len(names); n < 256; n++ {
				v := e.make(uint8(n))
				if v.Validate() == nil {
					t.Fatalf("%d is accepted", n)
				}
				if _, err := v.MarshalText(); err == nil {
					t.Fatalf("%d is written as %s", n, v)
				}
			}
			// Otherwise a caller that overlooks the error would take an unknown risk for a safe one.
			if got, err := e.parse("unheard_of"); err == nil || got != 99 {
				t.Errorf("an unknown name: %v, value %d", err, got)
			}
		})
	}
}

func TestListsHoldTheWholeVocabularyInOrder(t *testing.T) {
	if got := RiskLevels(); !slices.Equal(got, []RiskLevel{0, 1, 2, 3}) {
		t.Error(got)
	}
	if got := fmt.Sprint(QueryTypes()); got != "[tool_usage safety_posture activity_patterns anomalies node_health]" {
		t.Error(got)
	}
	if got := fmt.Sprint(Categories()); got != "[git docker kubernetes npm cargo file_ops network system editor other]" {
		t.Error(got)
	}
	names := TrustNames()
	if got := fmt.Sprint(names); got != "[untrusted share_to query_from peer supervisor]" {
		t.Error(got)
	}
	names[0] = "changed"
	if TrustNames()[0] != "untrusted" {
		t.Error("a caller can change the vocabulary")
	}
}

func TestMessageTypesHaveTheirNumbersAndNames(t *testing.T) {
	for number, want := range map[MsgType]string{
		0x0001: "Hello", 0x0002: "HelloAck", 0x0003: "Capabilities", 0x0010: "Ping", 0x0011: "Pong",
		0x0100: "SummaryPush", 0x0101: "SummaryAck", 0x0200: "Query", 0x0201: "QueryResponse", 0xffff: "Goodbye", 0x0999: "0x0999",
	} {
		if number.String() != want {
			t.Errorf("0x%04x is %s, not %s", uint16(number), number, want)
		}
	}
}

func TestUnknownShellsAreOther(t *testing.T) {
	for name, want := range map[string]ShellType{"bash": ShellBash, "zsh": ShellZsh, "fish": ShellFish, "sh": ShellSh, "other": ShellOther,
		"": ShellOther, "Bash": ShellOther, "/bin/bash": ShellOther, "nu": ShellOther} {
		if got := ParseShell(name); got != want {
			t.Errorf("%q is %s, not %s", name, got, want)
		}
	}
}

func TestPrivateToolNamesBecomePlainOther(t *testing.T) {
	for tool, want := range map[string]CommandCategory{
		"terraform": "other:terraform", "deploy-acme-billing.sh": "other", "": "other", "Terraform": "other", "terraform ": "other", "./terraform": "other",
	} {
		if got := OtherCategory(tool); got != want {
			t.Errorf("%q is counted as %q, not %q", tool, got, want)
		}
	}
	for _, c := range []CommandCategory{"other:", "other:deploy-acme-billing.sh", "other:git", "other:other", "Git", "", "other:terraform\x00", "other::terraform"} {
		if c.Validate() == nil {
			t.Errorf("%q is accepted from the wire", c)
		}
	}
}

func TestLevelsAreNamesInJSON(t *testing.T) {
	type levels struct {
		Risk  RiskLevel  `json:"risk"`
		Data  DataLevel  `json:"data"`
		Trust TrustLevel `json:"trust"`
	}
	in := levels{RiskHigh, LevelAggregated, TrustQueryFrom}
	b := must(json.Marshal(in))
	if want := `{"risk":"high","data":"aggregated","trust":"query_from"}`; string(b) != want {
		t.Errorf("got %s, want %s", b, want)
	}
	var out levels
	if err := json.Unmarshal(b, &out); err != nil || out != in {
		t.Errorf("read back %v, %v", out, err)
	}
	for _, bad := range []string{`{"risk":2}`, `{"risk":"HIGH"}`, `{"data":""}`, `{"trust":"admin"}`} {
		if err := json.Unmarshal([]byte(bad), &out); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
	if _, err := json.Marshal(levels{Risk: 9}); err == nil {
		t.Error("an unknown level is written")
	}
}

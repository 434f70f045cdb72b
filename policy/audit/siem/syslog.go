package siem

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// Values of RFC 5424.
const (
	facilityAudit = 13 // section 6.2.1: "log audit"

	severityWarning = 4
	severityNotice  = 5
	severityInfo    = 6

	syslogTime = "2006-01-02T15:04:05.000000Z07:00" // section 6.2.3: at most six digits

	maxHostname = 255 // section 6
	maxVersion  = 32  // section 7.2.4, swVersion
	maxParam    = 32  // section 6, SD-NAME

	// enterprise is the number that RFC 5612 sets aside for what has none of its own.
	enterprise = "32473"
)

// syslog returns a message of RFC 5424 with the record as structured data and msg as its text, which has to be free of
// control characters.
func (o Origin) syslog(r audit.Record, msg []byte) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "<%d>1 %s %s caro-node - %s ", facilityAudit*8+severity(r), r.Timestamp.Time().Format(syslogTime), hostname(o.Host), r.Type)
	element(&b, "origin", [][2]string{{"software", "caro-node"}, {"swVersion", cut(o.Version, maxVersion)}})
	element(&b, "caro@"+enterprise, [][2]string{{"node", string(o.Node)}, {"sequence", strconv.FormatUint(r.Sequence, 10)}, {"id", r.ID},
		{"event_type", string(r.Type)}, {"success", strconv.FormatBool(r.Success)}, {"peer", string(r.Peer)}, {"fingerprint", fingerprint(r.Peer)},
		{"prev_hash", r.PrevHash.String()}, {"hash", r.Hash.String()}})
	element(&b, "detail@"+enterprise, params(r.Details))
	b.WriteByte(' ')
	b.Write(msg)
	return []byte(b.String())
}

// fingerprint is that of a node, empty for none.
func fingerprint(id protocol.NodeID) string {
	if id == "" {
		return ""
	}
	return string(id.Fingerprint())
}

func severity(r audit.Record) int {
	switch {
	case !r.Success, r.Type == protocol.AuditPolicyViolation:
		return severityWarning
	case r.Type == protocol.AuditTrustChanged, r.Type == protocol.AuditKeyRotated, r.Type == protocol.AuditIdentityCreated:
		return severityNotice
	}
	return severityInfo
}

// hostname is a name as the header takes it: printable ASCII without a space, or "-" for none.
func hostname(s string) string {
	if s == "" || len(s) > maxHostname || strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "-"
	}
	return s
}

// params makes the details parameters: their names as far as they are names to syslog, each once.
func params(details map[string]string) [][2]string {
	var out [][2]string
	taken := make(map[string]bool)
	for _, key := range slices.Sorted(maps.Keys(details)) {
		name := paramName(key)
		for n := 2; taken[name]; n++ {
			suffix := "_" + strconv.Itoa(n)
			name = cut(paramName(key), maxParam-len(suffix)) + suffix
		}
		taken[name] = true
		out = append(out, [2]string{name, details[key]})
	}
	return out
}

func paramName(s string) string {
	s = strings.Map(func(c rune) rune {
		if c <= ' ' || c > '~' || c == '=' || c == ']' || c == '"' {
			return '_'
		}
		return c
	}, s)
	if s == "" {
		return "_"
	}
	return cut(s, maxParam)
}

// element writes one element of the structured data; parameters without a value, and elements without any, are left out.
func element(b *strings.Builder, id string, params [][2]string) {
	params = slices.DeleteFunc(params, func(p [2]string) bool { return p[1] == "" })
	if len(params) == 0 {
		return
	}
	b.WriteString("[" + id)
	for _, p := range params {
		b.WriteString(" " + p[0] + `="`)
		writeValue(b, p[1])
		b.WriteByte('"')
	}
	b.WriteByte(']')
}

// writeValue writes the value of a parameter with the three characters escaped that section 6.3.3 names. Control
// characters, which could end a line of a file, are written as # and three octal digits for each of their bytes, as
// collectors do themselves.
func writeValue(b *strings.Builder, s string) {
	for _, c := range strings.ToValidUTF8(s, "\uFFFD") {
		switch {
		case c == '"' || c == '\\' || c == ']':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c < ' ' || c >= 0x7f && c < 0xa0 || c == '\u2028' || c == '\u2029':
			for _, octet := range []byte(string(c)) {
				fmt.Fprintf(b, "#%03o", octet)
			}
		default:
			b.WriteRune(c)
		}
	}
}

// cut shortens s to at most n bytes, and never inside a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

package lab

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/caro-mesh/caro-node/scripts/lab/netlab"
)

// groups are the only multicast addresses of mDNS.
var groups = []netip.Addr{netip.MustParseAddr("224.0.0.251"), netip.MustParseAddr("ff02::fb")}

// permitted returns what a packet is, or a complaint about one that no node may cause: anything but TCP to and from the
// mesh's port between hosts of the lab, mDNS, and what the kernel needs to find neighbours and join groups.
func permitted(p netlab.Packet) (kind, complaint string) {
	inside := func(a netip.Addr) bool { return netlab.Subnet.Contains(a) }
	linkLocal := func(a netip.Addr) bool {
		return a.IsLinkLocalUnicast() || a.IsLinkLocalMulticast() || a.IsUnspecified()
	}
	from, to := p.From.Addr(), p.To.Addr()
	ok := false
	switch p.Kind {
	case "TCP":
		kind = "TLS"
		ok = inside(from) && inside(to) && (p.From.Port() == meshPort || p.To.Port() == meshPort)
	case "UDP":
		kind = "mDNS"
		ok = (inside(from) || linkLocal(from)) && slices.Contains(groups, to) && p.To.Port() == 5353 && bytes.Contains(p.Payload, []byte("\x05_caro\x04_tcp"))
	case "ARP":
		kind = "ARP"
		ok = (inside(from) || from.IsUnspecified()) && inside(to)
	case "IGMP":
		kind = "group membership"
		ok = inside(from) && to.IsLinkLocalMulticast()
	case "ICMPv6 143":
		kind = "group membership"
		ok = linkLocal(from) && linkLocal(to)
	case "ICMPv6 133", "ICMPv6 135", "ICMPv6 136":
		kind = "NDP"
		ok = linkLocal(from) && linkLocal(to)
	}
	if !ok {
		return "", "this packet has no business here: " + p.String()
	}
	return kind, ""
}

// checkTraffic searches what hosts sent and received: nothing but what is permitted, TLS inside the connections, and none
// of the words in any packet. It returns how many packets of each kind there were.
func checkTraffic(t *testing.T, packets []netlab.Packet, own []netip.Addr, words []string) map[string]int {
	t.Helper()
	kinds := make(map[string]int)
	streams := make(map[[2]netip.AddrPort][]netlab.Packet)
	for _, p := range packets {
		kind, complaint := permitted(p)
		if complaint != "" {
			t.Error(complaint)
			continue
		}
		kinds[kind]++
		for _, w := range words {
			for _, form := range disguises(w) {
				if bytes.Contains(bytes.ToLower(p.Frame), bytes.ToLower(form)) {
					t.Errorf("%q crossed the wire in a packet of %s", w, p)
				}
			}
		}
		if p.Kind == "TCP" && slices.Contains(own, p.From.Addr()) { // what was sent is complete, whatever was lost later
			key := [2]netip.AddrPort{p.From, p.To}
			streams[key] = append(streams[key], p)
		}
	}
	for key, s := range streams {
		for _, part := range connections(s) {
			if err := isTLS(part); err != nil {
				t.Errorf("from %s to %s: %v", key[0], key[1], err)
			}
		}
	}
	return kinds
}

// disguises are the forms in which a word is searched.
func disguises(w string) [][]byte {
	out := [][]byte{[]byte(w), []byte(hex.EncodeToString([]byte(w)))}
	for shift := range 3 { // wherever in a longer text it stands
		text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + w))
		out = append(out, []byte(text[4:len(text)-4]))
	}
	return out
}

// connections parts the packets of one direction between two ports where a new connection began.
func connections(s []netlab.Packet) (out [][]netlab.Packet) {
	slices.SortStableFunc(s, func(a, b netlab.Packet) int { return a.At.Compare(b.At) })
	for _, p := range s {
		last := len(out) - 1
		if p.SYN && (last < 0 || out[last][0].Seq != p.Seq) { // a repeated SYN has the same number
			out = append(out, nil)
			last++
		}
		if last < 0 {
			continue // a reset of what never was a connection
		}
		out[last] = append(out[last], p)
	}
	return out
}

// isTLS checks what one side of a connection sent: the words that agree upon TLS, and then nothing but TLS records.
func isTLS(s []netlab.Packet) error {
	first := s[0].Seq + 1 // the SYN counts as one
	var parts []netlab.Packet
	for _, p := range s[1:] {
		if len(p.Payload) > 0 {
			parts = append(parts, p)
		}
	}
	slices.SortStableFunc(parts, func(a, b netlab.Packet) int { return cmp.Compare(a.Seq-first, b.Seq-first) })
	var sent []byte
	for _, p := range parts {
		at := int(p.Seq - first)
		if at > len(sent) {
			return fmt.Errorf("bytes %d to %d are missing in the capture", len(sent), at)
		}
		if end := at + len(p.Payload); end > len(sent) {
			sent = append(sent, p.Payload[len(sent)-at:]...)
		}
	}
	for _, greeting := range []string{"\x13/multistream/1.0.0\n", "\x0b/tls/1.0.0\n"} {
		if len(sent) == 0 {
			return nil // it ended early
		}
		rest, ok := bytes.CutPrefix(sent, []byte(greeting))
		if !ok {
			return fmt.Errorf("it begins with %q", sent[:min(len(sent), 40)])
		}
		sent = rest
	}
	for len(sent) >= 5 {
		size := int(sent[3])<<8 | int(sent[4])
		if kind := sent[0]; kind < 20 || kind > 23 || sent[1] != 3 || size > 16384+256 {
			return fmt.Errorf("no TLS record: % x", sent[:5])
		}
		sent = sent[min(len(sent), 5+size):] // the last one may be cut
	}
	return nil
}

func TestThePacketsThatATestWouldComplainAboutAreNoticed(t *testing.T) {
	at := netip.MustParseAddrPort
	for name, p := range map[string]netlab.Packet{
		"a name is looked up":       {Kind: "UDP", From: at("10.77.0.1:999"), To: at("10.77.0.254:53")},
		"another service's mDNS":    {Kind: "UDP", From: at("10.77.0.1:5353"), To: at("224.0.0.251:5353"), Payload: []byte("\x04_ipp\x04_tcp")},
		"mDNS beyond the network":   {Kind: "UDP", From: at("10.77.0.1:5353"), To: at("239.255.255.250:5353"), Payload: []byte("\x05_caro\x04_tcp")},
		"another port":              {Kind: "TCP", From: at("10.77.0.1:40000"), To: at("10.77.0.2:80")},
		"an address outside":        {Kind: "TCP", From: at("10.77.0.1:9238"), To: at("203.0.113.7:9238")},
		"ARP for an address inside": {Kind: "ARP", From: at("10.77.0.1:0"), To: at("192.168.1.1:0")},
		"anything else":             {Kind: "IP protocol 132", From: at("10.77.0.1:0"), To: at("10.77.0.2:0")},
	} {
		if kind, complaint := permitted(p); complaint == "" {
			t.Errorf("%s passed as %s", name, kind)
		}
	}
	say := func(seq uint32, text string) netlab.Packet { return netlab.Packet{Seq: seq, Payload: []byte(text)} }
	const hello = "\x13/multistream/1.0.0\n\x0b/tls/1.0.0\n"
	syn := netlab.Packet{Seq: 99, SYN: true}
	record := "\x16\x03\x01\x00\x05hello"
	for name, c := range map[string]struct {
		packets []netlab.Packet
		ok      bool
	}{
		"TLS":                           {[]netlab.Packet{syn, say(100, hello), say(100+uint32(len(hello)), record)}, true},
		"TLS in another order":          {[]netlab.Packet{syn, say(100+uint32(len(hello)), record), say(100, hello), say(100, hello)}, true},
		"plain text":                    {[]netlab.Packet{syn, say(100, "GET / HTTP/1.1\r\n")}, false},
		"plain text after the greeting": {[]netlab.Packet{syn, say(100, hello), say(100+uint32(len(hello)), "rm -rf /srv")}, false},
		"plain text after TLS":          {[]netlab.Packet{syn, say(100, hello+record+"rm -rf /srv")}, false},
		"a hole":                        {[]netlab.Packet{syn, say(100, hello), say(500, record)}, false},
	} {
		if err := isTLS(c.packets); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, form := range []string{"..canary-7f3a..", base64.StdEncoding.EncodeToString([]byte("..canary-7f3a..")), base64.StdEncoding.EncodeToString([]byte("canary-7f3a..")),
		base64.StdEncoding.EncodeToString([]byte(".canary-7f3a..")), hex.EncodeToString([]byte("canary-7f3a"))} {
		if !slices.ContainsFunc(disguises("canary-7f3a"), func(d []byte) bool { return bytes.Contains([]byte(form), d) }) {
			t.Errorf("%q is not found", form)
		}
	}
}

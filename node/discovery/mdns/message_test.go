package mdns

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"net"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	"golang.org/x/net/dns/dnsmessage"
	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/protocol"
)

var update = flag.Bool("update", false, "rewrite testdata")

// vectors are packets byte by byte, so that another implementation can be held against them.
func vectors(t *testing.T) map[string]string {
	t.Helper()
	pid, err := protocol.NewNodeID([]byte(strings.Repeat("k", 32))).PeerID()
	if err != nil {
		t.Fatal(err)
	}
	v4 := announcement{instance: "0123456789abcdef", peer: pid, addr: netip.MustParseAddr("10.0.0.5"), ports: []uint16{9238}}
	v6 := announcement{instance: "fedcba9876543210", peer: pid, addr: netip.MustParseAddr("fd00::5"), ports: []uint16{9238, 9338}}
	out := make(map[string]string)
	for name, pack := range map[string]func() ([]byte, error){
		"announcement over IPv4": func() ([]byte, error) { return v4.pack(false) },
		"announcement over IPv6": func() ([]byte, error) { return v6.pack(false) },
		"goodbye":                func() ([]byte, error) { return v4.pack(true) },
		"question":               func() ([]byte, error) { b, _, err := packQuestion(nil); return b, err },
		"question with a known answer": func() ([]byte, error) {
			b, _, err := packQuestion([]knownAnswer{{v4.instance, 500 * time.Second}})
			return b, err
		},
	} {
		data, err := pack()
		if err != nil {
			t.Fatal(err)
		}
		out[name] = hex.EncodeToString(data)
	}
	return out
}

func TestPacketsAreThoseOfTheVectors(t *testing.T) {
	const path = "testdata/packets.json"
	got := vectors(t)
	if *update {
		text, err := json.MarshalIndent(got, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]string
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("packets %v\nvectors %v", got, want)
	}
}

func TestWhatIsPackedIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pid, err := protocol.NewNodeID(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key")).PeerID()
		if err != nil {
			t.Skip(err)
		}
		a := announcement{instance: newInstance(), peer: pid, ports: rapid.SliceOfNDistinct(rapid.Uint16Range(1, 65535), 1, maxTexts, rapid.ID).Draw(t, "ports")}
		last := rapid.SliceOfN(rapid.Byte(), 3, 3).Draw(t, "address")
		a.addr = netip.AddrFrom4([4]byte{10, last[0], last[1], last[2]})
		if rapid.Bool().Draw(t, "IPv6") {
			a.addr = netip.AddrFrom16([16]byte{0: 0xfd, 9: last[0], 14: last[1], 15: last[2]})
		}
		goodbye := rapid.Bool().Draw(t, "goodbye")
		data, err := a.pack(goodbye)
		if err != nil || len(data) > maxPacket {
			t.Fatalf("%d bytes, %v", len(data), err)
		}
		h, err := read(data)
		if err != nil || len(h.instances) != 1 || h.question {
			t.Fatalf("%+v, %v", h, err)
		}
		i := h.instances[0]
		if i.name != a.instance || len(i.addrs) != len(a.ports) || (i.ttl == 0) != goodbye || i.addrs[0].String() != multiaddr(a.addr, a.ports[0]).String() {
			t.Errorf("read %+v of %+v", i, a)
		}
	})
}

func TestAQuestionHoldsAsManyKnownAnswersAsFitIntoItsPacket(t *testing.T) {
	var known []knownAnswer
	for range maxKnown + 5 {
		known = append(known, knownAnswer{newInstance(), 400 * time.Second})
	}
	for n, left := range map[int]int{maxKnown: 0, maxKnown + 1: 1, maxKnown + 5: 5} {
		data, got, err := packQuestion(known[:n])
		if err != nil || got != left || len(data) > maxPacket {
			t.Errorf("%d known: %d left, %d bytes, %v", n, got, len(data), err)
		}
		h, err := read(data)
		if err != nil || !h.question || len(h.known) != n-left || h.known[known[0].instance] != 400*time.Second {
			t.Errorf("%d known: read %d, %v", n, len(h.known), err)
		}
	}
}

func TestTextsThatNameSeveralNodesPublicAddressesOrNamesAreIgnored(t *testing.T) {
	_, one := someone(t)
	_, two := someone(t)
	at := func(addr string, of string) string { return textPrefix + addr + "/p2p/" + of }
	for _, texts := range [][]string{
		nil, {""}, {"dnsaddr="}, {"dnsaddr=/ip4/10.0.0.1/tcp/1"}, {"dnsaddr=/p2p/" + one.String()}, {at("/dns4/evil.local/tcp/1", one.String())},
		{at("/ip4/8.8.8.8/tcp/1", one.String())}, {at("/ip4/10.0.0.1/udp/1", one.String())}, {at("/ip4/10.0.0.1/tcp/1", "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N")},
		{at("/ip4/10.0.0.1/tcp/1", one.String()), at("/ip4/10.0.0.1/tcp/1", two.String())},
	} {
		if id, addrs, ok := readTexts(texts); ok {
			t.Errorf("%q: %s at %v", texts, id, addrs)
		}
	}
	many := slices.Repeat([]string{at("/ip4/10.0.0.1/tcp/1", one.String())}, 100)
	if _, addrs, ok := readTexts(many); !ok || len(addrs) != maxTexts {
		t.Errorf("%d addresses", len(addrs))
	}
}

func TestALongLifeIsCutAndNamesOfOthersAreNoInstances(t *testing.T) {
	_, pid := someone(t)
	name := "0123456789abcdef." + service
	m := dnsmessage.Message{Header: dnsmessage.Header{Response: true}, Answers: []dnsmessage.Resource{{
		Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name), Class: dnsmessage.ClassINET, TTL: 1 << 31},
		Body:   &dnsmessage.TXTResource{TXT: []string{textPrefix + "/ip4/10.0.0.1/tcp/1/p2p/" + pid.String()}},
	}}}
	data, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	h, err := read(data)
	if err != nil || len(h.instances) != 1 || h.instances[0].ttl != lifetime {
		t.Errorf("%+v, %v", h, err)
	}
	for _, other := range []string{service, "x." + service, "0123456789ABCDEF." + service, "0123456789abcde." + service, "0123456789abcdef._ipp._tcp.local.", ""} {
		if _, ok := instanceName(other); ok {
			t.Errorf("%q is taken for an instance", other)
		}
	}
}

func TestOnlyAddressesThatNeighboursCanReachAreAnnounced(t *testing.T) {
	all := []netip.Addr{}
	for _, a := range []string{"10.0.0.1", "172.17.0.1", "8.8.8.8", "127.0.0.1", "169.254.3.4", "fe80::1", "fd00::1", "2001:db8::1", "::1"} {
		all = append(all, netip.MustParseAddr(a))
	}
	anywhere, v6, one := "/ip4/0.0.0.0/tcp/9238", "/ip6/::/tcp/9238", "/ip4/172.17.0.1/tcp/9338"
	for _, c := range []struct {
		iface  string
		listen []string
		want   []string
	}{
		{"eth0", []string{anywhere}, []string{"10.0.0.1", "172.17.0.1", "169.254.3.4"}},
		{"eth0", []string{anywhere, v6}, []string{"10.0.0.1", "172.17.0.1", "169.254.3.4", "fd00::1"}},
		{"eth0", []string{one}, []string{"172.17.0.1"}},
		{"eth0", []string{"/ip4/127.0.0.1/tcp/9238"}, nil},
		{"docker0", []string{anywhere, v6}, nil},
		{"br-1a2b3c", []string{anywhere}, nil},
		{"br0", []string{one}, []string{"172.17.0.1"}},
		{"docker0", []string{anywhere, one}, []string{"172.17.0.1"}},
		{"eth0", nil, nil},
	} {
		var listen []ma.Multiaddr
		for _, l := range c.listen {
			listen = append(listen, ma.StringCast(l))
		}
		var got []string
		for _, l := range linksOf(1, c.iface, all, listen) {
			got = append(got, l.addr.String())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s, listening on %v: %v, want %v", c.iface, c.listen, got, c.want)
		}
	}
	for flags, want := range map[net.Flags]bool{
		net.FlagUp | net.FlagRunning | net.FlagMulticast | net.FlagBroadcast:    true,
		net.FlagUp | net.FlagMulticast:                                          false, // no cable
		net.FlagUp | net.FlagRunning:                                            false,
		net.FlagRunning | net.FlagMulticast:                                     false,
		net.FlagUp | net.FlagRunning | net.FlagMulticast | net.FlagPointToPoint: false, // a tunnel
		net.FlagUp | net.FlagRunning | net.FlagMulticast | net.FlagLoopback:     false,
	} {
		if meets(flags) != want {
			t.Errorf("%s: %v", flags, !want)
		}
	}
}

func TestLoopbackAloneReachesNobody(t *testing.T) {
	for listen, want := range map[string]bool{"/ip4/127.0.0.1/tcp/9238": false, "/ip6/::1/tcp/9238": false, "/ip4/0.0.0.0/tcp/9238": true, "/ip4/10.0.0.1/tcp/9238": true} {
		if Reachable([]ma.Multiaddr{ma.StringCast(listen)}) != want {
			t.Errorf("%s: %v", listen, !want)
		}
	}
	if Reachable(nil) {
		t.Error("nothing at all is reachable")
	}
}

func FuzzRead(f *testing.F) {
	text, err := os.ReadFile("testdata/packets.json")
	if err != nil {
		f.Fatal(err)
	}
	var seeds map[string]string
	if err := json.Unmarshal(text, &seeds); err != nil {
		f.Fatal(err)
	}
	for _, s := range seeds {
		b, err := hex.DecodeString(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := read(data)
		if err != nil {
			return
		}
		for _, i := range h.instances {
			if len(i.addrs) == 0 || len(i.addrs) > maxTexts || i.ttl > lifetime || i.id.Validate() != nil || len(i.name) != instanceLen {
				t.Errorf("%+v", i)
			}
		}
	})
}

package mdns

import (
	"net/netip"
	"testing"

	"github.com/caro-mesh/caro-node/protocol"

	ma "github.com/multiformats/go-multiaddr"
)

// Figures for what this package costs: go test -bench . ./node/discovery/mdns

func BenchmarkReadAnAnnouncement(b *testing.B) {
	pid, err := protocol.NewNodeID(make([]byte, 32)).PeerID()
	if err != nil {
		b.Fatal(err)
	}
	data, err := announcement{instance: newInstance(), peer: pid, addr: netip.MustParseAddr("10.0.0.1"), ports: []uint16{9238}}.pack(false)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := read(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLookAtTheInterfaces(b *testing.B) {
	listen := []ma.Multiaddr{ma.StringCast("/ip4/0.0.0.0/tcp/9238")}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := findLinks(listen); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGlanceAtAForeignPacket(b *testing.B) {
	data := make([]byte, 1000)
	for b.Loop() {
		if relevant(data) {
			b.Fatal("relevant")
		}
	}
}

package policy_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

// office is a policy with 1,000 node rules and 200 subnets of many lengths, IPv4 and IPv6.
func office(t testing.TB) *policy.Engine {
	doc := policy.Document{DefaultTrust: "untrusted", MaxHistoryDays: 90}
	for n := range 1000 {
		doc.Nodes = append(doc.Nodes, policy.NodeRule{ID: string(nodeID(n)), Trust: protocol.TrustNames()[1+n%4], Name: fmt.Sprint("node ", n),
			QueryTypes: []string{"tool_usage", "node_health"}, MaxHistoryDays: 1 + n%30, QueriesPerHour: 1 + n%500})
	}
	for n := range 100 {
		p4 := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n), 0, 0}), 9+n%24).Masked()
		p4 = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n), byte(n), byte(n)}), max(p4.Bits(), 16)).Masked()
		p6 := netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, byte(n), byte(n)}), 24+n%100).Masked()
		doc.Subnets = append(doc.Subnets, policy.SubnetRule{CIDR: p4.String(), Trust: "peer"}, policy.SubnetRule{CIDR: p6.String(), Trust: "peer"})
	}
	return compile(t, doc)
}

func officeRequests() map[string]policy.Request {
	stranger := nodeID(5000)
	within := ask(nodeID(501), "10.50.50.50", policy.ActionQuery)
	within.TimeRange = protocol.TimeRange{Start: protocol.At(within.Now.Truncate(time.Hour)), End: protocol.At(within.Now.Add(time.Hour).Truncate(time.Hour))}
	return map[string]policy.Request{
		"within_limits":    within,
		"node_rule":        ask(nodeID(500), "10.50.50.50", policy.ActionQuery),
		"subnet":           ask(stranger, "10.50.50.50", policy.ActionQuery),
		"stranger_ipv4":    ask(stranger, "172.16.0.1", policy.ActionQuery),
		"stranger_ipv6":    ask(stranger, "2001:db8::1", policy.ActionQuery),
		"stranger_zoned":   ask(stranger, "fe80::1%eth0", policy.ActionConnect),
		"stranger_no_addr": ask(stranger, "", policy.ActionConnect),
	}
}

func TestDecisionsAllocateNothing(t *testing.T) {
	e := office(t)
	for name, r := range officeRequests() {
		if n := testing.AllocsPerRun(100, func() { e.Decide(r) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// BenchmarkDecide: the goal is below 5 µs with 1,000 node rules, each with limits, and 200 subnets.
func BenchmarkDecide(b *testing.B) {
	e := office(b)
	for name, r := range officeRequests() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e.Decide(r)
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	doc := policy.Document{}
	for n := range 1000 {
		doc.Nodes = append(doc.Nodes, policy.NodeRule{ID: string(nodeID(n)), Trust: "peer"})
	}
	for b.Loop() {
		if _, err := policy.New(doc, nil); err != nil {
			b.Fatal(err)
		}
	}
}

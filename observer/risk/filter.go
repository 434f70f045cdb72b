package risk

import (
	"github.com/caro-mesh/caro-node/observer/shellparse"
)

// filterRule judges rules of nft that drop everything on a chain.
func filterRule(a *assessor, r *shellparse.Run) {
	if sub, at := r.Operand(0); sub != "add" && sub != "insert" || r.Arg(at+1) != "rule" {
		return
	}
	last := lastOperand(r)
	if last != "drop" && last != "reject" {
		return
	}
	for _, word := range [...]string{"ip", "ip6", "tcp", "udp", "iif", "iifname", "oif", "oifname", "ct", "icmp",
		"meta", "ether"} {
		for i := range r.Args {
			if r.Args[i].Text == word && i > 3 {
				return
			}
		}
	}
	a.hit("network.firewall-lockout")
}

package policy

import (
	"fmt"
	"net/netip"

	"github.com/caro-mesh/caro-node/protocol"
)

// Ceiling is the most that one node gets, whatever a file or a grant made at run time says.
type Ceiling struct {
	Node   protocol.NodeID
	Trust  protocol.TrustLevel
	Source string // who says so; it stands in the rule of a decision that was lowered
}

// Stricter returns the trust level that permits what both a and b permit. Where no level permits exactly that, such as for
// share_to and supervisor, it is untrusted.
func Stricter(a, b protocol.TrustLevel) protocol.TrustLevel {
	if int(a) >= len(permissions) || int(b) >= len(permissions) {
		return protocol.TrustUntrusted
	}
	both := permissions[a] & permissions[b]
	for level, p := range permissions {
		if p == both {
			return protocol.TrustLevel(level)
		}
	}
	return protocol.TrustUntrusted
}

func (c *compiler) ceilings() {
	c.bounds = make(map[protocol.NodeID]verdict, len(c.doc.Ceilings))
	for _, b := range c.doc.Ceilings {
		if b.Node.Validate() != nil || b.Trust.Validate() != nil {
			c.fault(b.Source, 0, "ceiling of node %q: expected a node ID and a trust level", b.Node)
			continue
		}
		c.bounds[b.Node] = verdict{trust: b.Trust, rule: Rule{Name: fmt.Sprintf("at most %s for node %s", b.Trust, label(b.Node, c.configuredName(b.Node))), Source: b.Source}}
	}
}

// bounded lowers a grant to the node's ceiling, which then is the rule that decides.
func (c *compiler) bounded(id protocol.NodeID, v verdict) verdict {
	b, ok := c.bounds[id]
	if !ok || v.denied != "" {
		return v
	}
	if t := Stricter(v.trust, b.trust); t != v.trust {
		v.trust, v.rule = t, b.rule
	}
	return v
}

// under is what the entry of the node's subnet leaves of a verdict that yields to it.
func (e *Engine) under(v verdict, addr netip.Addr) verdict {
	if !v.yields || v.denied != "" {
		return v
	}
	s, ok := e.subnet(addr)
	switch {
	case !ok:
	case s.denied != "":
		return s
	case s.limits != nil:
		v.limits = s.limits
	}
	return v
}

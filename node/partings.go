package node

import (
	"fmt"
	"strings"
	"sync"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/goodbye"
)

// vanished stands in the record of a connection that ended without a word.
const vanished = "it vanished without goodbye"

// maxPartings bounds the memory for how peers left. Beyond it, one of them is forgotten for each that leaves.
const maxPartings = 4096

// partings remembers, until it returns, how each peer left: a failed attempt to reach it says that nobody listens there,
// and not whether its user stopped it or it crashed.
type partings struct {
	mu  sync.Mutex
	how map[protocol.NodeID]string
}

func (p *partings) left(id protocol.NodeID, how string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.how == nil {
		p.how = make(map[protocol.NodeID]string)
	}
	if _, known := p.how[id]; !known && len(p.how) >= maxPartings {
		for other := range p.how {
			delete(p.how, other)
			break
		}
	}
	p.how[id] = how
}

func (p *partings) returned(id protocol.NodeID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.how, id)
}

// before puts how a peer left before why it cannot be reached now.
func (p *partings) before(id protocol.NodeID, why string) string {
	p.mu.Lock()
	how := p.how[id]
	p.mu.Unlock()
	switch how {
	case "":
		return why
	case string(goodbye.ReasonShutdown):
		how = "it said goodbye, because it was stopped"
	case string(goodbye.ReasonRemoved):
		how = "it said goodbye, because it no longer wants this connection"
	}
	return strings.TrimSuffix(how+"; "+why, "; ")
}

// refusedHere tells this node's own user why a peer is not let in. The reason of the decision is addressed to the peer.
func refusedHere(id protocol.NodeID, rule policy.Rule) string {
	switch {
	case rule.Name == "default_trust":
		return fmt.Sprintf("nobody here has decided about it; \"caro-node trust set %s LEVEL\" does", id.Fingerprint())
	case rule.Line > 0:
		return fmt.Sprintf("refused here by the rule %s (%s, line %d)", rule.Name, rule.Source, rule.Line)
	}
	return fmt.Sprintf("refused here by the rule %s (%s)", rule.Name, rule.Source)
}

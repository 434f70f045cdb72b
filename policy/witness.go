package policy

import "github.com/caro-mesh/caro-node/protocol"

// ActionWitness asks whether the peer may be shown signed checkpoints of this node's audit log: how many entries it has,
// and a hash over them, so that it can vouch that they are not rewritten. Only a peer may.
const ActionWitness Action = "witness"

const reasonNoWitness = `this node shows its audit log to nodes only that it calls peers; its user can change that with "caro-node trust set NODE peer"`

func (e *Engine) decideWitness(d Decision) Decision {
	switch {
	case d.Trust != protocol.TrustPeer:
		return d.deny(d.Rule, reasonNoWitness)
	case e.maxLevel == protocol.LevelRaw:
		return d.deny(e.maxRule, reasonSharesNothing)
	}
	return d.allow(reasonTrusted[d.Trust])
}

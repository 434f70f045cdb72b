package observer

import (
	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/protocol"
)

// Annotate sets category, risk level and pattern of an event.
func Annotate(e *event.Event) {
	e.Category, e.RiskLevel = protocol.CategoryOther, protocol.RiskSafe
}

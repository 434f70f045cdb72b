package observer

import (
	"github.com/caro-mesh/caro-node/observer/category"
	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/observer/risk"
	"github.com/caro-mesh/caro-node/observer/shellparse"
)

// Annotate sets category, risk level and pattern of an event, from what its aliases stand for where that is known. The
// command is parsed once for all three.
func Annotate(e *event.Event) {
	text := e.Command
	if e.Expanded != "" {
		text = e.Expanded
	}
	c := shellparse.Parse(text, e.Shell)
	e.Category, e.RiskLevel, e.Pattern = category.Of(c), risk.Assess(c).Level, category.Pattern(c)
}

// Package vocabulary holds the two vocabularies that judging a command line needs, shells and risk levels, and imports
// next to nothing: the guard's answer is given before the rest of the program is initialised. Package protocol, where
// the other nouns are, has both under its own name.
package vocabulary

import (
	"fmt"
	"slices"
	"strings"
)

// ShellType names the shell in which a command was typed.
type ShellType string

// The shells of the vocabulary; anything that is not one of the first four is [ShellOther].
const (
	ShellBash  ShellType = "bash"
	ShellZsh   ShellType = "zsh"
	ShellFish  ShellType = "fish"
	ShellSh    ShellType = "sh"
	ShellOther ShellType = "other"
)

// ParseShell maps the name of a shell to its type; unknown names become [ShellOther].
func ParseShell(name string) ShellType {
	switch s := ShellType(name); s {
	case ShellBash, ShellZsh, ShellFish, ShellSh, ShellOther:
		return s
	default:
		return ShellOther
	}
}

// RiskLevel orders how much damage a command can do.
type RiskLevel uint8

// Risk levels, in rising order.
const (
	RiskSafe     RiskLevel = 0
	RiskModerate RiskLevel = 1
	RiskHigh     RiskLevel = 2
	RiskCritical RiskLevel = 3
)

var riskNames = []string{"safe", "moderate", "high", "critical"}

// RiskLevels lists every level in rising order.
func RiskLevels() []RiskLevel {
	return []RiskLevel{RiskSafe, RiskModerate, RiskHigh, RiskCritical}
}

// String returns the level's vocabulary name.
func (r RiskLevel) String() string {
	if r.Validate() != nil {
		return fmt.Sprintf("unknown risk level %d", uint8(r))
	}
	return riskNames[r]
}

// Validate reports a number outside the vocabulary.
func (r RiskLevel) Validate() error {
	if int(r) >= len(riskNames) {
		return fmt.Errorf("unknown risk level %d", uint8(r))
	}
	return nil
}

// MarshalText writes the vocabulary name (JSON, flags).
func (r RiskLevel) MarshalText() ([]byte, error) { return []byte(r.String()), r.Validate() }

// UnmarshalText reads a vocabulary name; on an unknown one the level is left as it was.
func (r *RiskLevel) UnmarshalText(b []byte) error {
	i := slices.Index(riskNames, string(b))
	if i < 0 {
		return fmt.Errorf("unknown risk level %q (one of %s)", b, strings.Join(riskNames, ", "))
	}
	*r = RiskLevel(i)
	return nil
}

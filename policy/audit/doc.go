// Package audit records what was decided and what left, in a chain that shows any change.
package audit

// Package policy decides what may leave this node. It is pure: no clock, no files, no network.
package policy

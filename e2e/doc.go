// Package e2e holds the end-to-end tests: real processes, real shells on pseudo-terminals, real TLS connections. It has
// no code of its own.
package e2e

// Package lab holds the tests that run real nodes on a network of their own (scripts/lab/netlab), where packets can be
// lost, cables cut and everything that crosses the wire be read. They are skipped, with the reason, where network
// namespaces are not permitted. "make lab" runs them and prints what was seen.
package lab

// Package export delivers audit records to a log collector: into a file that an agent follows, or over TLS to a private
// address as syslog messages (RFC 5424, framed as RFC 5425 demands). What the records look like is the business of
// policy/audit/siem.
//
// # What is promised
//
// Records are delivered in the order of the chain, from the one after the last that was delivered. How far an export has
// come stands in a state file, which is replaced as a whole after a record was written, never before. So a process that is
// killed at any moment loses none. In a file it repeats none either: what was written and not yet acknowledged is
// recognised by its bytes, and a line that was torn is completed. To a collector at the other end of a connection the last
// records may be sent a second time; their sequence numbers tell.
//
// Syslog has no acknowledgement. Records count as delivered when the connection was still in order at the next look, a
// second later, or was closed in order by both sides. A collector that dies may lose what it had taken and not stored.
//
// The state holds the hash of the last record. When the log does not have that record any more, because it was cut, rewritten
// or restored from an older copy, nothing is delivered and it is said so. Records that retention has removed are a gap, which
// is told; so is a record that does not fit the chain, which is delivered all the same.
package export

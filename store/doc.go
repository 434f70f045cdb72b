// Package store keeps what a node knows in one SQLite file: events and their counts, summaries, peers, grants of trust
// and the audit log. The tables and the meaning of every column stand in schema/.
//
// # Connections
//
// One connection writes, with prepared statements that live as long as the [Store]; whoever writes waits for it, so
// writers never meet a lock inside the process. A few connections read, each in a transaction of its own that sees one
// state throughout, and they are closed when idle, because each costs memory. The journal is a write-ahead log with
// synchronous NORMAL: a crash of the process loses nothing, a power failure can lose the last transactions but never
// damages the file. What must survive even that ([Store.Durable], [Store.ReserveSequence]) is committed with FULL.
// Several processes may have the file open; what the writer remembers between transactions is dropped when another
// process has written.
//
// # Events
//
// The key of an event is its start time, so the table itself is the index for "newest first" and for every range of
// time, and retention removes from one end. The hourly counts (rollup, pattern) change in the same transaction as the
// events, with what was really inserted or removed, so they are right after duplicates, late events and deletions.
//
// # Search
//
// People expect to find any part of a command, in the order of time, combined with other conditions. A thousand
// events at a time are therefore packed into a segment: their commands in lower case end to end, beside them a few bytes
// for each event, and in front the set of all sequences of two and three bytes, which tells of most segments that they
// need not be read. A search runs through the segments from the newest on and stops when it has enough. What is not
// packed yet, a thousand events at most, is read from the event table, so the result is exact at any moment. Events
// that come late, such as an import of old history, form segments of their own, whose ranges overlap those of others.
//
// Measured on the same 1,000,000 commands, an FTS5 table of trigrams (detail none, the smallest that finds parts of
// words) costs 12 µs and 47 bytes per event, with detail full 16 µs and 109 bytes. It finds nothing shorter than three
// characters, and its answers come in the order of arrival, so that "newest first" after an import has to sort every
// match. Segments cost 1.3 µs and 50 bytes per event; what occurs often is found in 1 ms, what is rare or does not
// occur in 10 to 20 ms, and the worst case, words that are frequent but never stand together, takes 60 ms.
package store

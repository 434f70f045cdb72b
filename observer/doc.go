// Package observer turns what shells report into stored events: it claims spool files (package spool), decodes their
// records, leaves out what the person does not want kept, redacts secrets, adds category, risk and pattern, and hands the
// events to a [Sink], each exactly once.
//
// # Exactly once
//
// A claimed file has a name that never repeats, and the sink stores the offset that was read together with the events, in
// one transaction. After a crash the claimed file is read on from that offset. A file is deleted only when its events
// survive power failure ([Sink.Durable]) and no shell can still write to it.
package observer

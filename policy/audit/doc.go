// Package audit decides and records in one step, and keeps the record so that changes show.
//
// # Gate
//
// A [Gate] joins the policy engine and the [Log]. Code that serves a peer, or sends something to one, calls
// [Gate.Allow]: it asks the engine, writes a record of the answer with the rule that made it, and returns a
// [*DeniedError] unless the answer is yes and the record is stored. There is no way to get permission without leaving a
// record: where the disk is full, nothing is shared. [Gate.Peek] answers without a record, for displays and for
// choosing whom to ask at all; what is done on a Peek alone must not disclose anything.
//
// # Chain
//
// Each [Record] holds the hash of the one before it, and its own hash covers every other field ([Record.ComputeHash]).
// [Next] makes the record that follows another; the store calls it inside the transaction that writes what the record
// tells. [Verify] walks a chain once, in order, and names the first entry that does not fit.
//
// # Tree, checkpoints, witnesses
//
// The hashes of the records are the leaves of a Merkle tree, which a [Frontier] grows one by one. What it is at some moment
// is signed as a checkpoint ([protocol.Checkpoint]); [VerifyKept] checks records, tree, checkpoints and what witnesses have
// said about them together. A [Proof] shows of one record that it is part of what was signed, without anything else.
// [Judge] is the rule by which a witness believes the next checkpoint of another node.
//
// # What the chain can show, and what it cannot
//
// It shows every change of a field, every record removed from the middle, inserted, moved or repeated. It cannot, by
// itself, show that its end was cut off, or that its owner wrote all of it anew: both leave a chain that links
// perfectly. For that somebody has to remember a [Head] elsewhere; given one, [Verify] finds both.
package audit

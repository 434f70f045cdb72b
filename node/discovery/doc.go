// Package discovery finds the other nodes and decides who may connect.
//
// [Gate] stands at the host's door. It asks the policy as soon as the TLS handshake has shown who is there. A node that
// is not trusted is let through to Hello, only to be told why it is refused, so that its owner knows whom to ask; one that
// nobody has decided about is also reported, so that a person here can grant it trust. Both happen within a tight budget,
// because strangers are free to come in any number; above it they are cut off at once. Nodes that are not trusted are not dialled.
//
// [Keeper] keeps connections to the nodes that it was given: it dials, says Hello, waits, and dials again, from 1 s to
// 60 s apart, and can tell for each of them how things stand.
package discovery

// Package api serves a node to its own user: JSON over a unix socket and over loopback TCP, the page on top of it, and
// metrics.
//
// The package declares the [Backend] it needs and knows nothing of storage, mesh or policy. Everything it may serve is
// raw data (L0) of the machine's user, so both ways in are guarded:
//
//   - The unix socket has mode 0600: the file system authenticates. No web page can reach it.
//   - TCP listens on loopback only. Loopback is reachable for every web page a browser shows and for every user of the
//     machine, so each request, GET included, must name an exact allowed Host (DNS rebinding), must not come from another
//     origin, and must carry the bearer token from a file that only the user can read. Open are only the two probes
//     "health" and "ready", which say nothing but yes or no, and the page's own files, which contain no data.
//
// Every failure is an RFC 9457 problem document. What goes wrong inside is logged and never told.
package api

// Package daemon starts a node and joins its parts: store, observer, mesh node and local API. It is also where the API's
// Backend is fulfilled from those parts.
package daemon

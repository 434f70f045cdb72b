// Package protocol holds the nouns of the mesh and its wire format.
package protocol

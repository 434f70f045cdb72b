// Package caronode stands at the root of the module github.com/caro-mesh/caro-node. It holds no code, only the tests of
// the module's structure: which package may import which, what may be linked, who may speak to the network.
//
// A caro-node watches the commands typed in one person's shells, judges how risky each one is and keeps them in a local
// database. Nodes of one organisation form an encrypted mesh and exchange signed counts; no raw command ever leaves the
// machine on which it was typed. The program is in cmd/caro-node, and the wire is specified in package protocol; the folder
// docs tells the way from one to the other.
package caronode

// Package bundle is the policy that an organisation hands to its people: one signed file, which each of them may accept.
// Like package policy it is pure: it reads no files and has no clock.
//
// # The file
//
// A bundle is a TOML document, and its last line is a comment with the organisation's public key and its signature:
//
//	name = "ACME"
//	version = 3
//	issued = 2026-11-01T00:00:00Z
//	expires = 2027-11-01T00:00:00Z
//	min_contributors = 8
//	max_level = "aggregated"
//	max_history_days = 90
//	denied_categories = ["kubernetes"]
//
//	[[supervisors]]
//	id = "caro:ed25519:…"
//	name = "dashboard"
//
//	[[subnets]]
//	cidr = "10.0.0.0/16"
//	trust = "share_to"
//	# caro-mesh bundle signature: <public key, base64> <signature, base64>
//
// The signature is Ed25519 over the context "caro-mesh bundle v1" with a zero byte, and the exact bytes of the file before
// its last line. Nothing is encoded anew in order to verify it. Nothing may follow the last line.
//
// # What it does
//
// [Bundle.Apply] puts a bundle and the user's own policy together:
//
//   - What the bundle caps (max_level, min_contributors, max_history_days, denied_categories) is capped as the stricter of
//     the two says.
//   - A supervisor that the bundle names is a supervisor and nothing more, whatever the user's file or a grant made at run
//     time says. The user's grant may be less, and then what both permit counts.
//   - In a subnet that the bundle names, a node that no rule names gets what the bundle gives; where the user's file speaks
//     about its address as well, what both permit.
//   - A deny of the user, of a node or of a subnet, beats whatever the bundle gives, and so do the user's limits of queries.
//   - Other grants of the user stand, under the caps.
//   - From the moment at which a bundle expires it gives nothing any more. What it caps and denies stays until the user
//     takes it back or accepts another, so that time alone opens nothing.
package bundle

// Package siem writes audit records in the forms that log collectors read: JSON lines, syslog messages of RFC 5424, and
// events of the Open Cybersecurity Schema Framework. It only makes bytes; package node/export delivers them.
//
// The same record of the same [Origin] always gives the same bytes, so that an export which was broken off can tell how far
// it has come.
//
//	jsonl   the record as it is hashed: whoever has the lines can check the chain without the database
//	syslog  the record's fields and details as structured data, and a sentence for people
//	ocsf    the classes of version 1.3.0 that the tables of ocsf.go name; what they have no place for is "unmapped"
package siem

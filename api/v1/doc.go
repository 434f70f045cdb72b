// Package v1 states the JSON shapes of the local API once, for the server, the Go client and the command line's
// --json output.
//
// Every top-level document carries schema_version. Within a version, fields are only added: readers ignore names they do
// not know, and writers never change what a name means. Times are RFC 3339 in UTC, durations are numbers whose unit
// stands in the field's name, enumerations are the vocabulary of package protocol.
//
// Lists are pages: the items, newest first unless their document says otherwise, and next_cursor, which is absent on
// the last page. A cursor is opaque; it is valid for the same filter only.
package v1

// SchemaVersion is the value of schema_version in every document of this package.
const SchemaVersion = 1

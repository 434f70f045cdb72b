// Package query is the protocol /caro/query/1.0.0: a node asks another for counts.
//
//	Query          0x0200  payload: the bytes of protocol.SignQuery, unchanged
//	QueryResponse  0x0201  payload: the bytes of protocol.SignResponse, unchanged
//	QueryReceipt   0x0202  payload: the bytes of protocol.SignReceipt, unchanged
//
// The requester of a query must be the node that sends it, and the responder of a response the node that was asked. The
// response names the query's ID, and with status success carries the data of exactly the asked type. A denial is an
// answer too: a signed response with status access_denied and the reason.
//
// Whoever asked countersigns the answer that it has verified, on the same stream: the receipt names the query's ID, the
// requester, the responder and the digest of the response's payload. The responder keeps it beside what it sent. A node of
// an older version sends none, or does not wait for one; the answer is the same.
package query

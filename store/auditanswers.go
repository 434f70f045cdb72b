package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// answers are the entries of an audit log that have to have a receipt. Of each only the number is kept: a log may have
// hundreds of thousands.
type answers struct {
	numbers []uint64 // rising
	losses  []loss
}

// loss is a repair that could not save receipts, as its record says.
type loss struct {
	at       uint64
	receipts int64 // how many at most
}

// among hands the entries on and notes the answers among them.
func (a *answers) among(all iter.Seq2[audit.Entry, error]) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		for e, err := range all {
			if err == nil && !e.Removed {
				a.note(e.Record)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

func (a *answers) note(r audit.Record) {
	switch {
	case r.Type == protocol.AuditResponseSent && r.Details[audit.DetailResponse] != "":
		a.numbers = append(a.numbers, r.Sequence)
	case r.Type == protocol.AuditPolicyViolation && r.Details["action"] == actionRepaired:
		lost := r.Details[lostDetail(called["receipt"])]
		n, err := strconv.ParseInt(lost, 10, 64)
		if strings.HasPrefix(lost, atLeast) {
			n, err = math.MaxInt64, nil
		}
		if err == nil {
			a.losses = append(a.losses, loss{r.Sequence, n})
		}
	}
}

// lost reports whether a repair may have lost the receipt of an answer.
func (a *answers) lost(number uint64) bool {
	for i := range a.losses {
		if l := &a.losses[i]; l.at > number && l.receipts > 0 {
			l.receipts--
			return true
		}
	}
	return false
}

// withoutReceipt compares the receipts with the records, whose chain is intact. It returns the first entry whose receipt
// is not what the entry says, and what is wrong with it; "" where nothing is. Countersignatures are not looked at: the
// chain does not have them, and [audit.Receipt.Verify] takes long.
func (a *answers) withoutReceipt(ctx context.Context, r *sql.Tx) (at uint64, problem string, err error) {
	next := 0
	until := func(number uint64) { // looks at the answers before number, which have no receipt
		for ; problem == "" && next < len(a.numbers) && a.numbers[next] < number; next++ {
			if !a.lost(a.numbers[next]) {
				at, problem = a.numbers[next], fmt.Sprintf("the receipt of the answer in entry %d is missing: it was removed or moved", a.numbers[next])
			}
		}
	}
	err = eachRow(ctx, r, `SELECT r.sequence, r.query_id, r.query, r.response, coalesce(a.details, '{}') FROM receipt r LEFT JOIN audit a USING (sequence)
		ORDER BY r.sequence`, nil, func(rows *sql.Rows) error {
		if problem != "" {
			return nil
		}
		var number int64
		var queryID string
		var query, response, details sql.RawBytes
		if err := rows.Scan(&number, &queryID, &query, &response, &details); err != nil {
			return err
		}
		until(uint64(max(number, 0)))
		switch {
		case problem != "":
			return nil
		case next == len(a.numbers) || number <= 0 || a.numbers[next] != uint64(number):
			at, problem = uint64(max(number, 1)), fmt.Sprintf("there is a receipt number %d, but no such answer: it was added or moved", number)
			return nil
		}
		next++
		fault, err := receiptFault(details, queryID, query, response)
		if fault != "" {
			at, problem = uint64(number), fmt.Sprintf("the receipt of the answer in entry %d %s: it was altered", number, fault)
		}
		return err
	})
	if err == nil {
		until(math.MaxUint64)
	}
	return at, problem, err
}

// receiptFault says what a receipt has that the record with these details says otherwise; "" for nothing.
func receiptFault(details []byte, queryID string, query, response []byte) (string, error) {
	var said map[string]string
	if err := json.Unmarshal(details, &said); err != nil {
		return "", err
	}
	switch {
	case said[audit.DetailResponse] != protocol.DigestOfResponse(response).String():
		return "does not hold the bytes that left", nil
	case said[audit.DetailQuery] != "" && said[audit.DetailQuery] != audit.DigestOfQuery(query).String():
		return "does not hold the query that was answered", nil
	case said["query_id"] != "" && said["query_id"] != queryID:
		return "is filed under another query", nil
	}
	return "", nil
}

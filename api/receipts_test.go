package api_test

import (
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/api/internal/fake"
	v1 "github.com/caro-mesh/caro-node/api/v1"
)

func TestReceiptsAreListedAndShown(t *testing.T) {
	r := start(t)
	r.backend.Change(func(b *fake.Backend) {
		b.Left = []v1.Receipt{{Number: 17, Name: "bob-desktop", Timestamp: noon.Add(-time.Hour), Countersigned: true}, {Number: 3, Name: "build-server", Timestamp: noon.Add(-50 * time.Hour)}}
	})
	for query, want := range map[string][]uint64{"": {17, 3}, "?since=1d": {17}, "?node=build-server": {3}, "?since=1d&node=build-server": {}} {
		var page v1.ReceiptPage
		r.viaUnix("GET", "/api/v1/audit/receipts"+query, "").into(t, &page)
		if len(page.Receipts) != len(want) {
			t.Errorf("%q: %+v, want %v", query, page.Receipts, want)
			continue
		}
		for i, n := range want {
			if page.Receipts[i].Number != n {
				t.Errorf("%q: %+v, want %v", query, page.Receipts, want)
			}
		}
	}
	var doc v1.ReceiptDocument
	r.viaUnix("GET", "/api/v1/audit/receipts/17", "").into(t, &doc)
	if !doc.Receipt.Countersigned || doc.SchemaVersion != v1.SchemaVersion || string(doc.ResponseWire) != "\xa0" {
		t.Errorf("shown %+v", doc)
	}
}

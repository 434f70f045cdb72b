package store

import (
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

func TestOldSummariesGoWithWhatIsKnownOfTheirPushes(t *testing.T) {
	s := open(t, Options{Now: fixedClock(noon)})
	const days = expireBatch + 50 // more than one transaction
	var sent string
	for age := range days {
		at := noon.AddDate(0, 0, -age)
		mine, wire := summary(t, newKey(1), at, protocol.Daily, 5)
		check(t, s.SaveSummary(t.Context(), mine, wire, generated))
		sent = mine.ID
		theirs, wire := summary(t, newKey(2), at, protocol.Daily, 5)
		_, err := s.SaveReceivedSummary(t.Context(), Arrival{Summary: theirs, Wire: wire}, shared)
		check(t, err)
	}
	check(t, s.MarkPushed(t.Context(), sent, nodeID(7), shared))
	n, err := s.ExpireSummaries(t.Context(), false, noon.AddDate(0, 0, -10))
	if err != nil || n != days-11 { // today's and those of the ten days before stay
		t.Errorf("%d received ones are removed, want %d (%v)", n, days-11, err)
	}
	if n, err = s.ExpireSummaries(t.Context(), true, noon.Add(-(days-1)*24*time.Hour+24*time.Hour)); err != nil || n != 1 {
		t.Errorf("%d own ones are removed, want the oldest (%v)", n, err)
	}
	_, err = s.Summary(t.Context(), sent)
	wantErr(t, err, ErrNotFound)
	z, err := s.Sizes(t.Context())
	if check(t, err); z.Summaries != days-1+11 {
		t.Errorf("%d summaries are left", z.Summaries)
	}
	sound(t, s)
}

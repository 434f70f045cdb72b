package client_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caro-mesh/caro-node/api/client"
	"github.com/caro-mesh/caro-node/api/internal/fake"
	v1 "github.com/caro-mesh/caro-node/api/v1"
)

func TestReportsArriveAndCanBeRepeated(t *testing.T) {
	b, clients := node(t)
	for way, c := range clients {
		at, exit, ms := noon.Add(-time.Hour), 3, int64(120)
		sent := v1.EventReport{ID: uuid.NewString(), Timestamp: &at, Shell: "fish", Command: "make\n\x00<&>", CWD: "/srv/ä", ExitCode: &exit, DurationMS: &ms,
			CaroGenerated: true, CaroExecuted: true, UserConfirmed: true}
		got, err := c.ReportEvents(t.Context(), v1.EventReports{Events: []v1.EventReport{sent}, Import: true})
		if err != nil || got.Stored != 1 || len(got.Events) != 1 || got.Events[0].Command != sent.Command {
			t.Fatalf("over %s: %+v, %v", way, got, err)
		}
		if g, w := jsonOf(t, b.LastReports), jsonOf(t, v1.EventReports{Events: []v1.EventReport{sent}, Import: true}); g != w {
			t.Errorf("over %s arrived %s, want %s", way, g, w)
		}
		got, err = c.ReportEvents(t.Context(), v1.EventReports{Events: []v1.EventReport{sent}})
		if err != nil || got.AlreadyStored != 1 || got.Stored != 0 {
			t.Errorf("the second time over %s: %+v, %v", way, got, err)
		}
		one, err := c.Event(t.Context(), sent.ID)
		if err != nil || one.Command != sent.Command {
			t.Errorf("over %s: %+v, %v", way, one, err)
		}
		n, err := c.CountEvents(t.Context(), client.EventQuery{ExitCode: &exit, Limit: 5, Cursor: "x"})
		if err != nil || n != 1 {
			t.Errorf("counted %d over %s, %v", n, way, err)
		}
		if n, err := c.DeleteEvents(t.Context(), []string{sent.ID, uuid.NewString()}); err != nil || n != 1 {
			t.Errorf("deleted %d over %s, %v", n, way, err)
		}
		var refused *client.Error
		if _, err := c.Event(t.Context(), sent.ID); !errors.As(err, &refused) || !refused.NotFound() {
			t.Errorf("a deleted command over %s: %v", way, err)
		}
	}
}

func TestManyIDsAreDeletedInSeveralRequests(t *testing.T) {
	b, clients := node(t)
	var ids []string
	b.Change(func(b *fake.Backend) {
		b.Commands = nil
		for i := range 600 {
			e := v1.Event{ID: uuid.NewString(), Command: fmt.Sprint("echo ", i)}
			b.Commands = append(b.Commands, e)
			if i > 0 {
				ids = append(ids, e.ID)
			}
		}
	})
	if n, err := clients["tcp"].DeleteEvents(t.Context(), ids); err != nil || n != 599 {
		t.Errorf("deleted %d, %v", n, err)
	}
	if n, err := clients["tcp"].DeleteMatching(t.Context(), client.EventQuery{Search: "echo", Limit: 7}); err != nil || n != 1 {
		t.Errorf("deleted %d, %v", n, err)
	}
	var refused *client.Error
	if _, err := clients["socket"].DeleteMatching(t.Context(), client.EventQuery{Limit: 7}); !errors.As(err, &refused) || refused.Status != 422 {
		t.Errorf("deleting everything: %v", err)
	}
}

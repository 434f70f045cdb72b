package daemon

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/caro-mesh/caro-node/api/client"
	v1 "github.com/caro-mesh/caro-node/api/v1"
)

// TestADaemonChangesItsKeyWhileItIsAsked: who asks during the change is answered, or told to ask again; nothing else
// happens to them, and afterwards everything is as before under the new key.
func TestADaemonChangesItsKeyWhileItIsAsked(t *testing.T) {
	anna, bob := launch(t, "anna"), launch(t, "bob")
	if err := errors.Join(anna.trust(bob, "peer"), bob.trust(anna, "peer")); err != nil {
		t.Fatal(err)
	}
	// Anna keeps the connection: her own port, which the system chooses here, is another one after the change.
	if _, err := anna.client.AddPeer(t.Context(), bob.self.Addresses[0]); err != nil {
		t.Fatal(err)
	}
	connected := func(s v1.Status) bool { return s.Peers.Connected == 1 }
	anna.becomes("connection", connected)
	bob.becomes("connection", connected)

	asking, enough := context.WithCancel(t.Context())
	var askers sync.WaitGroup
	for range 3 {
		askers.Go(func() {
			c := client.New(anna.socket())
			defer c.Close()
			for asking.Err() == nil {
				for _, err := range []error{
					errOf(c.Status(asking)), errOf(c.Identity(asking)), errOf(c.Peers(asking)),
					errOf(c.Query(asking, v1.QueryRequest{QueryType: "tool_usage"})),
				} {
					var refused *client.Error
					if errors.As(err, &refused) && (refused.Status != http.StatusServiceUnavailable || !strings.Contains(refused.Error(), "changing its key")) {
						t.Errorf("told %v", err)
					}
				}
			}
		})
	}
	before := anna.self
	first, err := anna.client.RotateKey(t.Context(), v1.RotateKeyRequest{})
	if err != nil || first.OldID != before.NodeID || first.Generation != 1 || first.SchemaVersion != 1 {
		t.Fatalf("rotated %+v, %v", first, err)
	}
	again, err := anna.client.RotateKey(t.Context(), v1.RotateKeyRequest{Compromised: true})
	if err != nil || again.OldID != first.NodeID || again.Reason != "compromised" {
		t.Fatalf("rotated again %+v, %v", again, err)
	}
	enough()
	askers.Wait()

	self, err := anna.client.Identity(t.Context())
	if err != nil || self.NodeID != again.NodeID || self.Keys == nil || self.Keys.Generation != 2 || len(self.Keys.Rotations) != 2 || !self.Keys.NextHere {
		t.Fatalf("anna is %+v, %v", self, err)
	}
	bob.becomes("connection to the new key", func(s v1.Status) bool {
		peers, err := bob.client.Peers(t.Context())
		return err == nil && len(peers.Peers) == 1 && peers.Peers[0].NodeID == again.NodeID && peers.Peers[0].State == v1.PeerConnected
	})
	anna.becomes("connection", connected)
	status, err := anna.client.Status(t.Context())
	if err != nil || status.NodeID != again.NodeID || status.UptimeSeconds < 0 {
		t.Errorf("status %+v, %v", status, err)
	}
	anna.end()
	bob.end()
}

func errOf[T any](_ T, err error) error { return err }

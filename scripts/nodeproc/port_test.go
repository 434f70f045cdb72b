package nodeproc

import (
	"fmt"
	"net"
	"testing"
)

func TestAPortIsFreeAndGivenOnce(t *testing.T) {
	seen := map[int]bool{}
	for range 200 {
		port, err := FreePort(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if seen[port] || port < firstPort || port >= lastPort {
			t.Errorf("port %d: given before: %v", port, seen[port])
		}
		seen[port] = true
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

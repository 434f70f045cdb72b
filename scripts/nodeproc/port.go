package nodeproc

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
)

// Ports of nodes come from below what systems give to sockets that ask for no port of their own (32768 on Linux, 49152
// elsewhere): a port from there, found free and closed again, may be somebody's outgoing connection a moment later.
const (
	firstPort = 12_000
	lastPort  = 32_000
)

var given struct {
	sync.Mutex
	ports map[int]bool
}

// FreePort finds a loopback TCP port that is free now, and that this process did not give before.
func FreePort(ctx context.Context) (int, error) {
	given.Lock()
	defer given.Unlock()
	if given.ports == nil {
		given.ports = map[int]bool{}
	}
	for range lastPort - firstPort {
		// By chance, because other processes look for ports at the same time.
		port := firstPort + rand.IntN(lastPort-firstPort)
		if given.ports[port] {
			continue
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EACCES) {
			continue
		}
		if err != nil {
			return 0, err
		}
		given.ports[port] = true
		return port, l.Close()
	}
	return 0, fmt.Errorf("no TCP port between %d and %d is free on loopback", firstPort, lastPort)
}

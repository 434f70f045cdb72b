package export

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/caro-mesh/caro-node/node/internal/scope"
)

// ErrAddress means that an export may not be sent to an address; the error says why in a sentence.
var ErrAddress = errors.New("audit records cannot be sent there")

// ParseAddress reads where a collector listens: tls:// and an IP address with a port, such as tls://10.0.0.9:6514. Names are
// not looked up, and public addresses are refused whatever the configuration says: audit records stay inside the network.
func ParseAddress(s string) (netip.AddrPort, error) {
	rest, ok := strings.CutPrefix(s, "tls://")
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("%w: %q does not begin with tls://, as in tls://10.0.0.9:6514", ErrAddress, s)
	}
	addr, err := netip.ParseAddrPort(rest)
	if err != nil {
		host, port, splitErr := net.SplitHostPort(rest)
		if splitErr == nil && host != "" && port != "" {
			if _, err := netip.ParseAddr(host); err != nil {
				return netip.AddrPort{}, fmt.Errorf("%w: %q is not an IP address, and names are not looked up (the question itself would leave the network)", ErrAddress, host)
			}
		}
		return netip.AddrPort{}, fmt.Errorf("%w: %q is not an IP address with a port, as in tls://10.0.0.9:6514", ErrAddress, rest)
	}
	switch ip := addr.Addr().Unmap(); {
	case addr.Port() == 0, ip.IsUnspecified(), ip.IsMulticast():
		return netip.AddrPort{}, fmt.Errorf("%w: nobody can listen at %s", ErrAddress, addr)
	case !scope.Local(ip):
		return netip.AddrPort{}, fmt.Errorf("%w: %s is a public address; only loopback, link-local and private ones are allowed", ErrAddress, ip)
	}
	return netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()), nil
}

package lab

import (
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/protocol"
)

const (
	roleEnv      = "CARO_LABROLE" // what this binary is to be, when it is started by a test
	squatterRole = "squatter"
	claimEnv     = "CARO_LABCLAIM" // the peer ID that the squatter claims to be
	fromEnv      = "CARO_LABFROM"  // its address
)

// squat announces a thousand made-up nodes and the claimed one, all at its own address, and the claimed one also at other
// people's, five hundred packets a second, until it is killed.
func squat() int {
	from := net.ParseIP(os.Getenv(fromEnv))
	c, err := net.DialUDP("udp4", &net.UDPAddr{IP: from}, &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 5353})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var ids []string
	for i := range 1000 {
		seed := make([]byte, ed25519.SeedSize)
		seed[0], seed[1] = byte(i), byte(i>>8)
		pid, err := protocol.NewNodeID(ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)).PeerID()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		ids = append(ids, pid.String())
	}
	tick := time.NewTicker(2 * time.Millisecond)
	for i := 0; ; i++ {
		id, addr := ids[rand.N(len(ids))], from.String()
		switch i % 10 {
		case 0:
			id = os.Getenv(claimEnv)
		case 1:
			id, addr = os.Getenv(claimEnv), "10.77.0.254" // somebody else's: nobody may dial it
		}
		packet, err := claim(fmt.Sprintf("%016x", rand.Uint64()), "/ip4/"+addr+"/tcp/9238/p2p/"+id)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		if _, err := c.Write(packet); err != nil && i == 0 {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		<-tick.C
	}
}

func claim(instance, address string) ([]byte, error) {
	m := dnsmessage.Message{Header: dnsmessage.Header{Response: true}, Answers: []dnsmessage.Resource{{
		Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(instance + "._caro._tcp.local."), Class: dnsmessage.ClassINET, TTL: 600},
		Body:   &dnsmessage.TXTResource{TXT: []string{"dnsaddr=" + address}},
	}}}
	return m.Pack()
}

func TestASquatterIsNeitherBelievedNorInTheWay(t *testing.T) {
	t.Parallel()
	_, hosts := newNetwork(t, 4)
	a, b, impostor, friend := newNode(t, hosts[0], ""), newNode(t, hosts[1], ""), newNode(t, hosts[2], ""), newNode(t, hosts[3], "")
	a.configure(byID(b, friend))
	b.configure(byID(a))
	friend.configure(byID(a))
	impostor.configure("") // answers at the squatter's address, with a key of its own
	a.start()
	impostor.start()
	friend.start()
	eventually(t, func() string { return a.is(v1.PeerConnected, friend) })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	squatter := hosts[2].Command(t.Context(), self)
	squatter.Env = append(os.Environ(), roleEnv+"="+squatterRole, claimEnv+"="+b.PeerID, fromEnv+"="+hosts[2].Addr.String())
	squatter.Stderr = os.Stderr
	if err := squatter.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = squatter.Process.Kill() // it does not end by itself
		_ = squatter.Wait()
	}()
	// The lie arrives first: the true node is not there yet.
	eventually(t, func() string {
		if log := a.Log(); !strings.Contains(log, "another node answers there") && !strings.Contains(log, "do not lead to it") {
			return "the claimed address was not tried: " + a.is(v1.PeerOffline, b)
		}
		return ""
	})
	b.start()
	start := time.Now()
	eventually(t, func() string { return a.is(v1.PeerConnected, b, friend) })
	saw(t, "a squatter with a trusted node's ID", "disproved by TLS; the true node is connected %s after its start", since(start))
	pending := 0
	eventually(t, func() string {
		s, err := a.Client().Status(t.Context())
		if err != nil {
			return err.Error()
		}
		if pending = s.Peers.Pending; pending < 32 { // as many as one address may announce
			return fmt.Sprintf("only %d nodes are pending", pending)
		}
		return ""
	})
	if pending > 40 { // and who knocked
		t.Errorf("%d nodes are pending", pending)
	}
	if c := a.is(v1.PeerConnected, impostor); c == "" {
		t.Error("the squatter is connected")
	}
	if strings.Contains(a.Log(), "10.77.0.254/tcp") {
		t.Error("an address that the squatter does not have was taken")
	}
	s, err := a.Client().Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.Memory.RSSBytes > 64<<20 {
		t.Errorf("%d MiB of memory", s.Memory.RSSBytes>>20)
	}
	saw(t, "1,000 made-up IDs, 500 packets a second", "%d are listed as pending, %d MiB resident", pending, s.Memory.RSSBytes>>20)
}

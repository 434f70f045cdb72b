package mdns

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/caro-mesh/caro-node/node/internal/scope"
	"github.com/caro-mesh/caro-node/protocol"
)

const (
	service = "_caro._tcp.local."
	// textPrefix begins each text that holds an address, as in libp2p's own use of mDNS.
	textPrefix = "dnsaddr="
	// lifetime is how long an announcement is believed. Announcements that claim more are believed no longer.
	lifetime = 10 * time.Minute
	// maxPacket keeps packets below the least MTU of IPv6 (1,280), less the headers: a larger one is lost on some networks.
	maxPacket = 1200
	// maxReceived is one Ethernet frame; what is longer was not sent by a node.
	maxReceived = 1500
	// maxRecords bounds the work on one packet. A node sends 4 records, or up to 37 known answers.
	maxRecords = 64
	// maxTexts is how many texts of one record are read: one for each port that a node listens on.
	maxTexts = 4
	// maxKnown answers fit into a question: 12 bytes of header, 22 of the question, and 31 for each answer, whose names are
	// compressed.
	maxKnown = (maxPacket - 12 - 22) / 31
	// instanceLen is the length of an instance's name, 64 random bits in hexadecimal.
	instanceLen = 16
	// cacheFlush marks records that have one owner (RFC 6762 §10.2); in a question the bit asks for a unicast answer.
	cacheFlush = 1 << 15
)

var errTooLong = errors.New("the packet is too long")

// announcement is what one instance says.
type announcement struct {
	instance string // 16 hex digits
	peer     peer.ID
	addr     netip.Addr
	ports    []uint16
}

// pack returns the packet. A goodbye has a time to live of zero.
func (a announcement) pack(goodbye bool) ([]byte, error) {
	ttl := uint32(lifetime / time.Second)
	if goodbye {
		ttl = 0
	}
	var texts []string
	for _, port := range a.ports[:min(len(a.ports), maxTexts)] {
		texts = append(texts, fmt.Sprintf("%s/p2p/%s", textPrefix+multiaddr(a.addr, port).String(), a.peer))
	}
	name, host := a.instance+"."+service, a.instance+".local."
	b, err := newBuilder(dnsmessage.Header{Response: true, Authoritative: true})
	if err != nil {
		return nil, err
	}
	head := func(name string, class dnsmessage.Class) dnsmessage.ResourceHeader {
		return dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name), Class: class, TTL: ttl}
	}
	const unique = dnsmessage.ClassINET | cacheFlush
	err = errors.Join(b.StartAnswers(),
		b.PTRResource(head(service, dnsmessage.ClassINET), dnsmessage.PTRResource{PTR: dnsmessage.MustNewName(name)}),
		b.SRVResource(head(name, unique), dnsmessage.SRVResource{Port: a.ports[0], Target: dnsmessage.MustNewName(host)}),
		b.TXTResource(head(name, unique), dnsmessage.TXTResource{TXT: texts}))
	if a.addr.Is4() {
		err = errors.Join(err, b.AResource(head(host, unique), dnsmessage.AResource{A: a.addr.As4()}))
	} else {
		err = errors.Join(err, b.AAAAResource(head(host, unique), dnsmessage.AAAAResource{AAAA: a.addr.As16()}))
	}
	if err != nil {
		return nil, err
	}
	return finish(b)
}

// knownAnswer is an instance that the asker knows, with its remaining time.
type knownAnswer struct {
	instance string
	ttl      time.Duration
}

// packQuestion asks who is there, except for those that are known, the first of them that fit; left is how many did not.
func packQuestion(known []knownAnswer) (packet []byte, left int, err error) {
	b, err := newBuilder(dnsmessage.Header{})
	if err != nil {
		return nil, 0, err
	}
	name := dnsmessage.MustNewName(service)
	err = errors.Join(b.StartQuestions(),
		b.Question(dnsmessage.Question{Name: name, Type: dnsmessage.TypePTR, Class: dnsmessage.ClassINET}), b.StartAnswers())
	if err != nil {
		return nil, 0, err
	}
	fit := min(len(known), maxKnown)
	for _, k := range known[:fit] {
		full, err := dnsmessage.NewName(k.instance + "." + service)
		if err != nil {
			return nil, 0, err
		}
		err = b.PTRResource(dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET, TTL: uint32(k.ttl / time.Second)}, dnsmessage.PTRResource{PTR: full})
		if err != nil {
			return nil, 0, err
		}
	}
	packet, err = finish(b)
	return packet, len(known) - fit, err
}

func newBuilder(h dnsmessage.Header) (*dnsmessage.Builder, error) {
	b := dnsmessage.NewBuilder(make([]byte, 0, maxPacket), h)
	b.EnableCompression()
	return &b, nil
}

func finish(b *dnsmessage.Builder) ([]byte, error) {
	packet, err := b.Finish()
	if err == nil && len(packet) > maxPacket {
		return nil, fmt.Errorf("%w: %d bytes", errTooLong, len(packet))
	}
	return packet, err
}

// heard is what a packet says that is of interest here.
type heard struct {
	// question is set when the packet asks for the service.
	question bool
	// more follows: the known answers continue in another packet (RFC 6762 §7.2).
	more bool
	// known are the instances that the asker knows, with their remaining time.
	known map[string]time.Duration
	// about are the instances that are asked for by name.
	about []string
	// instances are the announced ones.
	instances []instance
}

// instance is what a TXT record says.
type instance struct {
	name  string // 16 hex digits
	id    protocol.NodeID
	addrs []ma.Multiaddr // not compared with where the packet came from yet
	ttl   time.Duration  // zero: goodbye
}

// read parses a packet. What is malformed or of no interest is left out; an error means that nothing of it was used.
func read(packet []byte) (heard, error) {
	var p dnsmessage.Parser
	head, err := p.Start(packet)
	if err != nil {
		return heard{}, err
	}
	h := heard{more: head.Truncated, known: make(map[string]time.Duration)}
	if err := h.readQuestions(&p); err != nil {
		return heard{}, err
	}
	if !head.Response {
		return h, h.readKnown(&p)
	}
	h.question, h.about = false, nil
	return h, h.readInstances(&p)
}

func (h *heard) readQuestions(p *dnsmessage.Parser) error {
	for range maxRecords {
		q, err := p.Question()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return nil
		}
		if err != nil {
			return err
		}
		name := q.Name.String()
		if strings.EqualFold(name, service) && (q.Type == dnsmessage.TypePTR || q.Type == dnsmessage.TypeALL) {
			h.question = true
		} else if i, ok := instanceName(name); ok {
			h.about = append(h.about, i)
		}
	}
	return errTooLong
}

func (h *heard) readKnown(p *dnsmessage.Parser) error {
	for range maxRecords {
		head, err := p.AnswerHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return nil
		}
		if err != nil {
			return err
		}
		if head.Type != dnsmessage.TypePTR {
			if err := p.SkipAnswer(); err != nil {
				return err
			}
			continue
		}
		r, err := p.PTRResource()
		if err != nil {
			return err
		}
		if i, ok := instanceName(r.PTR.String()); ok && strings.EqualFold(head.Name.String(), service) {
			h.known[i] = time.Duration(head.TTL) * time.Second
		}
	}
	return errTooLong
}

func (h *heard) readInstances(p *dnsmessage.Parser) error {
	for range maxRecords {
		head, err := p.AnswerHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return nil
		}
		if err != nil {
			return err
		}
		name, ok := instanceName(head.Name.String())
		if !ok || head.Type != dnsmessage.TypeTXT {
			if err := p.SkipAnswer(); err != nil {
				return err
			}
			continue
		}
		r, err := p.TXTResource()
		if err != nil {
			return err
		}
		if id, addrs, ok := readTexts(r.TXT); ok {
			ttl := min(time.Duration(head.TTL)*time.Second, lifetime)
			h.instances = append(h.instances, instance{name: name, id: id, addrs: addrs, ttl: ttl})
		}
	}
	return errTooLong
}

// readTexts returns the addresses of one node inside the closed network; texts of several nodes are nobody's.
func readTexts(texts []string) (id protocol.NodeID, addrs []ma.Multiaddr, ok bool) {
	for _, t := range texts[:min(len(texts), maxTexts)] {
		text, ok := strings.CutPrefix(t, textPrefix)
		if !ok {
			continue
		}
		full, err := ma.NewMultiaddr(text)
		if err != nil {
			continue
		}
		addr, pid := peer.SplitAddr(full)
		if addr == nil || pid == "" || scope.Check(addr, false) != nil {
			continue
		}
		who, err := protocol.NodeIDFromPeerID(pid)
		if err != nil || id != "" && who != id {
			return "", nil, false
		}
		id, addrs = who, append(addrs, addr)
	}
	return id, addrs, len(addrs) > 0
}

// instanceName returns the first label of a name of the service, if it is one that a node would choose.
func instanceName(name string) (string, bool) {
	if len(name) != instanceLen+1+len(service) || !strings.EqualFold(name[instanceLen+1:], service) || name[instanceLen] != '.' {
		return "", false
	}
	for _, c := range name[:instanceLen] {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return "", false
		}
	}
	return name[:instanceLen], true
}

func multiaddr(ip netip.Addr, port uint16) ma.Multiaddr {
	family := "ip4"
	if ip.Is6() {
		family = "ip6"
	}
	return ma.StringCast(fmt.Sprintf("/%s/%s/tcp/%d", family, ip, port))
}

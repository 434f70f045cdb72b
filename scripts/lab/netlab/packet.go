package netlab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Packet is one captured Ethernet frame, as far as it was understood.
type Packet struct {
	At   time.Time
	Kind string // "TCP", "UDP", "ARP", "ICMPv6 <type>" and so on; anything not understood has its number
	From netip.AddrPort
	To   netip.AddrPort // ports are 0 where there are none
	// Seq, SYN and FIN are TCP's.
	Seq      uint32
	SYN, FIN bool
	// Payload is TCP's or UDP's.
	Payload []byte
	// Frame is everything.
	Frame []byte
}

// String says it in short, for complaints.
func (p Packet) String() string {
	return fmt.Sprintf("%s %s → %s, %d bytes", p.Kind, p.From, p.To, len(p.Frame))
}

var errCapture = errors.New("not a capture file of this machine's tcpdump")

// ReadCapture reads a file that tcpdump wrote on this machine (pcap, Ethernet).
func ReadCapture(data []byte) ([]Packet, error) {
	const head, each = 24, 16
	if len(data) < head || binary.NativeEndian.Uint32(data) != 0xa1b2c3d4 || binary.NativeEndian.Uint32(data[20:])&0xffff != 1 {
		return nil, errCapture
	}
	var out []Packet
	for rest := data[head:]; len(rest) > 0; {
		if len(rest) < each {
			return nil, fmt.Errorf("%w: cut off", errCapture)
		}
		at := time.Unix(int64(binary.NativeEndian.Uint32(rest)), int64(binary.NativeEndian.Uint32(rest[4:]))*1000)
		have, whole := int(binary.NativeEndian.Uint32(rest[8:])), int(binary.NativeEndian.Uint32(rest[12:]))
		if have != whole || len(rest) < each+have {
			return nil, fmt.Errorf("%w: cut off", errCapture)
		}
		p := Packet{At: at, Frame: rest[each : each+have]}
		p.parse()
		out = append(out, p)
		rest = rest[each+have:]
	}
	return out, nil
}

func (p *Packet) parse() {
	f := p.Frame
	if len(f) < 14 {
		p.Kind = "short frame"
		return
	}
	kind, body := binary.BigEndian.Uint16(f[12:]), f[14:]
	switch {
	case kind == 0x0806 && len(body) >= 28:
		p.Kind = "ARP"
		from, _ := netip.AddrFromSlice(body[14:18])
		to, _ := netip.AddrFromSlice(body[24:28])
		p.From, p.To = netip.AddrPortFrom(from, 0), netip.AddrPortFrom(to, 0)
	case kind == 0x0800 && len(body) >= 20:
		p.parseIPv4(body)
	case kind == 0x86dd && len(body) >= 40:
		p.parseIPv6(body)
	default:
		p.Kind = fmt.Sprintf("ethertype %#04x", kind)
	}
}

func (p *Packet) parseIPv4(b []byte) {
	from, _ := netip.AddrFromSlice(b[12:16])
	to, _ := netip.AddrFromSlice(b[16:20])
	head, whole := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if head < 20 || whole < head || len(b) < whole {
		p.Kind = "malformed IPv4"
		return
	}
	if b[6]&0x3f != 0 || b[7] != 0 {
		p.Kind = "IPv4 fragment"
		return
	}
	p.transport(b[9], from, to, b[head:whole])
}

func (p *Packet) parseIPv6(b []byte) {
	from, _ := netip.AddrFromSlice(b[8:24])
	to, _ := netip.AddrFromSlice(b[24:40])
	next, body := b[6], b[40:]
	for next == 0 && len(body) >= 8 { // hop-by-hop options, before reports about multicast groups
		size := int(body[1]+1) * 8
		if len(body) < size {
			break
		}
		next, body = body[0], body[size:]
	}
	p.transport(next, from, to, body)
}

func (p *Packet) transport(proto byte, from, to netip.Addr, b []byte) {
	p.From, p.To = netip.AddrPortFrom(from, 0), netip.AddrPortFrom(to, 0)
	ported := func() {
		p.From = netip.AddrPortFrom(from, binary.BigEndian.Uint16(b))
		p.To = netip.AddrPortFrom(to, binary.BigEndian.Uint16(b[2:]))
	}
	switch {
	case proto == 6 && len(b) >= 20 && len(b) >= int(b[12]>>4)*4:
		p.Kind = "TCP"
		ported()
		p.Seq, p.SYN, p.FIN = binary.BigEndian.Uint32(b[4:]), b[13]&2 != 0, b[13]&1 != 0
		p.Payload = b[int(b[12]>>4)*4:]
	case proto == 17 && len(b) >= 8:
		p.Kind = "UDP"
		ported()
		p.Payload = b[8:]
	case proto == 2:
		p.Kind = "IGMP"
	case proto == 58 && len(b) >= 1:
		p.Kind = fmt.Sprintf("ICMPv6 %d", b[0])
	case proto == 1 && len(b) >= 1:
		p.Kind = fmt.Sprintf("ICMP %d", b[0])
	default:
		p.Kind = fmt.Sprintf("IP protocol %d", proto)
	}
}

package policy

import "net/netip"

// free returns an address of p that lies in none of inner, which are all inside p, and reports whether there is one.
func free(p netip.Prefix, inner []netip.Prefix) (netip.Addr, bool) {
	if len(inner) == 0 {
		return p.Addr(), true
	}
	for _, i := range inner {
		if i == p {
			return netip.Addr{}, false
		}
	}
	for _, half := range halves(p) {
		var within []netip.Prefix
		for _, i := range inner {
			if half.Contains(i.Addr()) {
				within = append(within, i)
			}
		}
		if a, ok := free(half, within); ok {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// halves splits a prefix that is not a single address.
func halves(p netip.Prefix) [2]netip.Prefix {
	bits := p.Bits()
	b := p.Addr().AsSlice()
	b[bits/8] |= 0x80 >> (bits % 8)
	upper, _ := netip.AddrFromSlice(b) // it has the length of an address
	return [2]netip.Prefix{netip.PrefixFrom(p.Addr(), bits+1), netip.PrefixFrom(upper, bits+1)}
}

// inside returns those of all that are more specific than p and part of it.
func inside(p netip.Prefix, all []netip.Prefix) []netip.Prefix {
	var out []netip.Prefix
	for _, q := range all {
		if q.Bits() > p.Bits() && p.Contains(q.Addr()) {
			out = append(out, q)
		}
	}
	return out
}

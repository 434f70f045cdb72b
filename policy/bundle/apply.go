package bundle

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

// Apply returns the policy that counts when the user has accepted the bundle: see the package comment. Faults of doc are
// left for [policy.New] to report. It changes nothing of doc.
func (b *Bundle) Apply(doc policy.Document, now time.Time) policy.Document {
	doc.Origins = maps.Clone(doc.Origins)
	if doc.Origins == nil {
		doc.Origins = make(map[string]policy.Origin)
	}
	b.cap(&doc)
	b.subnets(&doc, now)
	b.supervisors(&doc, now)
	return doc
}

// source names the bundle in the rules that it gives.
func (b *Bundle) source(now time.Time) string {
	if b.Expired(now) {
		return b.Source() + " (expired)"
	}
	return b.Source()
}

// cap takes the stricter of what both say about everybody.
func (b *Bundle) cap(doc *policy.Document) {
	lowered := func(key string) { doc.Origins[key] = policy.Origin{Source: b.Source()} }
	strictness := []string{"summarized", "aggregated", "raw"} // the default is the first
	if slices.Index(strictness, b.MaxLevel) > max(slices.Index(strictness, doc.MaxLevel), 0) {
		doc.MaxLevel = b.MaxLevel
		lowered("max_level")
	}
	least := doc.MinContributors
	if least == 0 {
		least = policy.DefaultMinContributors
	}
	if b.MinContributors > least {
		doc.MinContributors = b.MinContributors
		lowered("min_contributors")
	}
	if b.MaxHistoryDays > 0 && (doc.MaxHistoryDays == 0 || b.MaxHistoryDays < doc.MaxHistoryDays) {
		doc.MaxHistoryDays = b.MaxHistoryDays
		lowered("max_history_days")
	}
	own := doc.DeniedCategories
	doc.DeniedCategories = slices.Clone(own)
	for _, c := range b.DeniedCategories {
		if !slices.Contains(doc.DeniedCategories, c) {
			doc.DeniedCategories = append(doc.DeniedCategories, c)
		}
	}
	if len(doc.DeniedCategories) > len(own) {
		source := b.Source()
		if len(own) > 0 {
			source = "own policy and " + source
		}
		doc.Origins["denied_categories"] = policy.Origin{Source: source}
	}
}

// supervisors names those that the user does not. Once the bundle has expired they are untrusted, rather than whatever their
// address or the default would make of them.
func (b *Bundle) supervisors(doc *policy.Document, now time.Time) {
	supervisor, given := protocol.TrustSupervisor, protocol.TrustSupervisor
	if b.Expired(now) {
		given = protocol.TrustUntrusted
	}
	doc.Nodes, doc.Ceilings = slices.Clone(doc.Nodes), slices.Clone(doc.Ceilings)
	for _, s := range b.Supervisors {
		doc.Ceilings = append(doc.Ceilings, policy.Ceiling{Node: protocol.NodeID(s.ID), Trust: supervisor, Source: b.source(now)})
		granted := slices.ContainsFunc(doc.Nodes, func(n policy.NodeRule) bool { return n.ID == s.ID && !n.Deny })
		if !granted {
			doc.Nodes = append(doc.Nodes, policy.NodeRule{ID: s.ID, Name: s.Name, Trust: given.String(), Source: b.source(now), Yields: true})
		}
	}
}

// subnets makes what each address gets what both permit, where both speak of it. Of two prefixes that hold an address one
// holds the other, so it is enough to lower each rule by the most specific one of the other side that holds it. Once the
// bundle has expired, it only lowers.
func (b *Bundle) subnets(doc *policy.Document, now time.Time) {
	user := slices.Clone(doc.Subnets)
	doc.Subnets = slices.Clone(doc.Subnets)
	var others []policy.SubnetRule
	for _, s := range b.Subnets {
		others = append(others, policy.SubnetRule{CIDR: s.CIDR, Trust: s.Trust, Source: b.source(now)})
	}
	for i, own := range user {
		if other, found := covering(others, own.CIDR); found && !own.Deny {
			if t := stricter(own.Trust, other.Trust); t != own.Trust {
				doc.Subnets[i].Trust, doc.Subnets[i].Source, doc.Subnets[i].Line = t, other.Source, 0
			}
		}
	}
	for _, s := range others {
		own, found := covering(user, s.CIDR)
		switch {
		case !found && b.Expired(now):
			s.Trust = stricter(cmp.Or(doc.DefaultTrust, protocol.TrustUntrusted.String()), s.Trust)
		case !found:
		case own.Deny || samePrefix(own.CIDR, s.CIDR): // the user's word is there already
			continue
		default:
			s.Trust = stricter(own.Trust, s.Trust)
			s.QueryTypes, s.MaxHistoryDays, s.QueriesPerHour = own.QueryTypes, own.MaxHistoryDays, own.QueriesPerHour
		}
		doc.Subnets = append(doc.Subnets, s)
	}
}

// covering returns the rule for the most specific prefix that holds all of cidr; of two for the same one, the deny.
func covering(rules []policy.SubnetRule, cidr string) (most policy.SubnetRule, found bool) {
	p, err := policy.ParseSubnet(cidr)
	if err != nil {
		return most, false
	}
	bits := -1
	for _, r := range rules {
		q, err := policy.ParseSubnet(r.CIDR)
		if err != nil || q.Bits() > p.Bits() || !q.Contains(p.Addr()) {
			continue
		}
		if q.Bits() > bits || q.Bits() == bits && r.Deny {
			most, bits = r, q.Bits()
		}
	}
	return most, bits >= 0
}

func samePrefix(a, b string) bool {
	p, errA := policy.ParseSubnet(a)
	q, errB := policy.ParseSubnet(b)
	return errA == nil && errB == nil && p == q
}

// stricter is [policy.Stricter] of names; one that is unknown stays, so that it is reported.
func stricter(a, b string) string {
	var x, y protocol.TrustLevel
	if x.UnmarshalText([]byte(a)) != nil || y.UnmarshalText([]byte(b)) != nil {
		return a
	}
	return policy.Stricter(x, y).String()
}

package protocol

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// carl and dora are the keys that follow bob's.
var (
	carl = newTestKey(3)
	dora = newTestKey(4)
)

// rotationFixture leads from anna's key to bob's and commits to carl's. It is not signed.
func rotationFixture() *KeyRotation {
	return &KeyRotation{OldID: anna.NodeID(), NewID: bob.NodeID(), Generation: 1, IssuedAt: At(fixedNow), ValidFrom: At(fixedNow),
		OldExpires: At(fixedNow.Add(24 * time.Hour)), NextDigest: DigestOf(carl.NodeID()), Reason: RotationScheduled}
}

// secondRotation leads from bob's key to carl's and commits to dora's.
func secondRotation() *KeyRotation {
	later := fixedNow.Add(time.Hour)
	return &KeyRotation{OldID: bob.NodeID(), NewID: carl.NodeID(), Generation: 2, IssuedAt: At(later), ValidFrom: At(later),
		OldExpires: At(later), NextDigest: DigestOf(dora.NodeID()), Reason: RotationCompromised}
}

func signedRotation(r *KeyRotation, old, successor testKey) *KeyRotation {
	must(SignRotation(r, old, successor, fixedNow))
	return r
}

func rotationFixtures() map[string]*KeyRotation {
	return map[string]*KeyRotation{"scheduled": signedRotation(rotationFixture(), anna, bob), "compromised": signedRotation(secondRotation(), bob, carl)}
}

func largestRotation() *KeyRotation {
	r := rotationFixture()
	r.Generation, r.Reason = MaxCount, RotationCompromised
	r.IssuedAt, r.ValidFrom, r.OldExpires = math.MinInt64, math.MinInt64, math.MinInt64
	must(SignRotation(r, anna, bob, time.Unix(0, math.MinInt64)))
	return r
}

// signTwice signs a body that need not be one with two keys.
func signTwice(body []byte, old, successor testKey) []byte {
	return must(Encode(signedTwice{Body: body, Endorsed: must(signDetached(contextEndorsed, body, old, fixedNow)),
		Accepted: must(signDetached(contextAccepted, body, successor, fixedNow))}))
}

func refuseRotations(add func(kind, name, why string, wire []byte)) {
	const kind = "rotation"
	body := must(Encode(rotationFixture()))
	good := signTwice(body, anna, bob)
	spelled := func(what, name, why string, wire []byte) {
		if len(wire) > MaxRotationStatement { // which is looked at first
			why = "too large"
		}
		add(kind, what+name, why, wire)
	}
	for name, s := range spellings(good) {
		spelled("container: ", name, s.why, s.wire)
	}
	for name, s := range spellings(body) {
		spelled("body: ", name, s.why, signTwice(s.wire, anna, bob))
	}
	fix := func(name, why string, key uint64, value []byte) {
		add(kind, name, why, signTwice(with(body, key, value), anna, bob))
	}
	add(kind, "endorsed by the new key only", "signature", signTwice(body, bob, bob))
	add(kind, "accepted by the old key only", "signature", signTwice(body, anna, anna))
	add(kind, "signatures in each other's place", "signature", with(with(good, 2, valueOf(good, 3)), 3, valueOf(good, 2)))
	claimed := must(signDetached(contextEndorsed, body, carl, fixedNow))
	claimed.Signer = anna.NodeID().Fingerprint()
	add(kind, "endorsed by another in the old key's name", "signature", with(good, 2, must(Encode(claimed))))
	add(kind, "endorsement made as an acceptance", "signature", with(good, 2, must(Encode(must(signDetached(contextAccepted, body, anna, fixedNow))))))
	add(kind, "acceptance made as an endorsement", "signature", with(good, 3, must(Encode(must(signDetached(contextEndorsed, body, bob, fixedNow))))))
	add(kind, "signature of 63 bytes", "malformed", with(good, 2, with(valueOf(good, 2), 2, byteString(make([]byte, 63)))))
	add(kind, "one byte above the limit", "too large", append(slices.Clone(good), make([]byte, MaxRotationStatement+1-len(good))...))

	fix("old key of another node", "signature", 1, textString(string(dora.NodeID())))
	fix("new key of another node", "signature", 2, textString(string(dora.NodeID())))
	fix("key that follows itself", "malformed", 2, textString(string(anna.NodeID())))
	fix("old key is no node ID", "malformed", 1, textString("anna"))
	fix("generation 0", "malformed", 3, number(0))
	fix("generation above 2^48", "malformed", 3, number(MaxCount+1))
	at := func(d time.Duration) []byte { return number(uint64(At(fixedNow.Add(d)))) }
	fix("begins before it was issued", "malformed", 5, at(-1))
	fix("begins later than 30 days", "malformed", 4, at(-MaxGrace-1))
	fix("old key ends before the new one begins", "malformed", 6, at(-1))
	fix("grace period above 30 days", "malformed", 6, at(MaxGrace+1))
	fix("grace for a compromised key", "malformed", 8, textString("compromised"))
	fix("unknown reason", "malformed", 8, textString("holiday"))
	fix("digest of zeros", "malformed", 7, byteString(make([]byte, 32)))
	fix("digest of 31 bytes", "not deterministic", 7, byteString(make([]byte, 31)))
	own := DigestOf(bob.NodeID())
	fix("new key that follows itself", "malformed", 7, byteString(own[:]))
	before := DigestOf(anna.NodeID())
	fix("old key that comes back", "malformed", 7, byteString(before[:]))
}

// The layout from the package comment, written out with nothing but append.
func TestARotationFollowsTheSpecificationByteForByte(t *testing.T) {
	body := must(Encode(rotationFixture()))
	moment := binary.BigEndian.AppendUint64([]byte{0x1b}, uint64(fixedNow.UnixNano()))
	sign := func(context string, k testKey) []byte {
		fingerprint := append([]byte{0x70}, k.NodeID().Fingerprint()...)
		msg := bytes.Join([][]byte{[]byte(context), {0x83, 0x58, byte(len(body))}, body, fingerprint, moment}, nil)
		return bytes.Join([][]byte{{0xa3, 0x01}, fingerprint, {0x02, 0x58, 0x40}, ed25519.Sign(k.private, msg), {0x03}, moment}, nil)
	}
	wire := bytes.Join([][]byte{{0xa3, 0x01, 0x58, byte(len(body))}, body, {0x02}, sign("caro-mesh rotation endorsed v1\x00", anna),
		{0x03}, sign("caro-mesh rotation accepted v1\x00", bob)}, nil)
	if got := signedRotation(rotationFixture(), anna, bob).Wire(); !bytes.Equal(got, wire) {
		t.Errorf("signed as\n%x, by hand\n%x", got, wire)
	}
}

func TestAnyAlteredByteOfARotationIsRefused(t *testing.T) {
	refusesAlterations(t, signedRotation(rotationFixture(), anna, bob).Wire(), func(b []byte) error {
		_, err := OpenRotation(b)
		return err
	})
}

func TestARotationNeedsBothOfItsKeys(t *testing.T) {
	for name, keys := range map[string][2]testKey{"the new key alone": {bob, bob}, "the old key alone": {anna, anna}, "another old key": {carl, bob}, "another new key": {anna, carl}} {
		if wire, err := SignRotation(rotationFixture(), keys[0], keys[1], fixedNow); err == nil || wire != nil {
			t.Errorf("%s signed it", name)
		}
	}
	cause := errors.New("token was removed")
	for name, keys := range map[string][2]Signer{"old": {brokenKey{anna, cause}, bob}, "new": {anna, brokenKey{bob, cause}}} {
		r := rotationFixture()
		if wire, err := SignRotation(r, keys[0], keys[1], fixedNow); !errors.Is(err, cause) || wire != nil || r.Endorsed != nil || r.Wire() != nil {
			t.Errorf("broken %s key: %v", name, err)
		}
	}
}

func drawRotation(t *rapid.T) *KeyRotation {
	issued := time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "issued"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos"))
	valid := issued.Add(time.Duration(rapid.Int64Range(0, int64(MaxGrace)).Draw(t, "lead")))
	r := &KeyRotation{OldID: anna.NodeID(), NewID: bob.NodeID(), Generation: rapid.Uint64Range(1, MaxCount).Draw(t, "generation"),
		IssuedAt: At(issued), ValidFrom: At(valid), OldExpires: At(valid), Reason: RotationCompromised,
		NextDigest: KeyDigest(rapid.SliceOfN(rapid.ByteMin(1), 32, 32).Draw(t, "digest"))}
	if rapid.Bool().Draw(t, "scheduled") {
		r.Reason, r.OldExpires = RotationScheduled, At(valid.Add(time.Duration(rapid.Int64Range(0, int64(MaxGrace)).Draw(t, "grace"))))
	}
	return r
}

func TestRotationsSurviveTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRotation(t)
		wire, err := SignRotation(r, anna, bob, fixedNow)
		if err != nil {
			t.Fatal(err)
		}
		back, err := OpenRotation(wire)
		sameAfter(t, r, back, err)
		var shown KeyRotation
		err = json.Unmarshal(must(json.Marshal(r)), &shown)
		shown.wire = r.wire
		sameAfter(t, r, &shown, err)
	})
}

func TestTheDigestOfAKeyIsReadAsItIsWritten(t *testing.T) {
	d := DigestOf(anna.NodeID())
	var back KeyDigest
	if err := back.UnmarshalText(must(d.MarshalText())); err != nil || back != d {
		t.Errorf("%s, %v", back, err)
	}
	for _, bad := range []string{"", "00", d.String() + "00", strings.Repeat("x", 64)} {
		if err := back.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
	if DigestOf("anna") != (KeyDigest{}) {
		t.Error("a malformed ID has a digest")
	}
	if fp := d.String()[:16]; fp != string(anna.NodeID().Fingerprint()) {
		t.Errorf("the digest begins with %s", fp)
	}
}

// chain returns n statements of keys 10, 11, 12, …, and the owner of the last key.
func chain(n int) (wires [][]byte, owner NodeID) {
	for i := range n {
		old, successor, next := newTestKey(byte(10+i)), newTestKey(byte(11+i)), newTestKey(byte(12+i))
		at := At(fixedNow.Add(time.Duration(i) * time.Minute))
		r := &KeyRotation{OldID: old.NodeID(), NewID: successor.NodeID(), Generation: uint64(i + 1), IssuedAt: at, ValidFrom: at,
			OldExpires: at + Timestamp(time.Hour), NextDigest: DigestOf(next.NodeID()), Reason: RotationScheduled}
		wires = append(wires, signedRotation(r, old, successor).Wire())
	}
	return wires, newTestKey(byte(10 + n)).NodeID()
}

func TestAChainIsOpenedWhenEachLinkFollowsTheOneBefore(t *testing.T) {
	for _, n := range []int{0, 1, 2, MaxRotations} {
		wires, owner := chain(n)
		got, err := OpenRotations(wires, owner)
		if err != nil || len(got) != n || n > 0 && got[n-1].NewID != owner {
			t.Errorf("%d links: %d, %v", n, len(got), err)
		}
	}
	wires, owner := chain(MaxRotations + 1)
	if got, err := OpenRotations(wires, owner); !errors.Is(err, ErrMalformed) || got != nil {
		t.Errorf("one link above the limit: %v", err)
	}
	if _, err := OpenRotations(wires[1:], owner); err != nil {
		t.Errorf("a chain that does not begin at the first rotation: %v", err)
	}
}

func TestAChainWithOneWrongLinkIsRefusedAsAWhole(t *testing.T) {
	wires, owner := chain(3)
	k := func(n byte) testKey { return newTestKey(n) }
	// link makes the second of three links anew.
	link := func(old, successor testKey, edit func(*KeyRotation)) [][]byte {
		r := must(OpenRotation(wires[1]))
		r.OldID, r.NewID = old.NodeID(), successor.NodeID()
		edit(r)
		return [][]byte{wires[0], signedRotation(r, old, successor).Wire(), wires[2]}
	}
	none := func(*KeyRotation) {}
	for name, c := range map[string]struct {
		wires [][]byte
		want  string
	}{
		"a link is missing":        {[][]byte{wires[0], wires[2]}, "starts from"},
		"links out of order":       {[][]byte{wires[1], wires[0], wires[2]}, "starts from"},
		"a number is left out":     {link(k(11), k(12), func(r *KeyRotation) { r.Generation = 3 }), "comes after rotation"},
		"time goes back":           {link(k(11), k(12), func(r *KeyRotation) { r.IssuedAt = At(fixedNow.Add(-time.Minute)) }), "issued before"},
		"commitment is not kept":   {link(k(11), k(77), none), "committed"},
		"leads to another node":    {wires[:2], "not to"},
		"a signature is another's": {[][]byte{wires[0], signTwice(must(Encode(must(OpenRotation(wires[1])))), k(11), k(77)), wires[2]}, "acceptance by the new key"},
	} {
		got, err := OpenRotations(c.wires, owner)
		if err == nil || got != nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAChainDoesNotLeadBackToAKey(t *testing.T) {
	// anna → bob → anna: bob's statement commits to anna, which only the first statement could forbid.
	first := rotationFixture()
	first.NextDigest = DigestOf(carl.NodeID())
	second := secondRotation()
	second.Reason, second.NextDigest = RotationScheduled, DigestOf(anna.NodeID())
	third := &KeyRotation{OldID: carl.NodeID(), NewID: anna.NodeID(), Generation: 3, IssuedAt: second.IssuedAt, ValidFrom: second.IssuedAt,
		OldExpires: second.IssuedAt, NextDigest: DigestOf(dora.NodeID()), Reason: RotationScheduled}
	wires := [][]byte{signedRotation(first, anna, bob).Wire(), signedRotation(second, bob, carl).Wire(), signedRotation(third, carl, anna).Wire()}
	if _, err := OpenRotations(wires, anna.NodeID()); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "lead back") {
		t.Errorf("error %v", err)
	}
}

func TestARotationKeepsOnlyItsOwnCommitment(t *testing.T) {
	r := rotationFixture()
	if err := r.Keeps(DigestOf(bob.NodeID())); err != nil {
		t.Error(err)
	}
	for _, other := range []KeyDigest{{}, DigestOf(anna.NodeID()), DigestOf(carl.NodeID())} {
		if err := r.Keeps(other); !errors.Is(err, ErrCommitment) {
			t.Errorf("commitment %s: %v", other, err)
		}
	}
}

func TestRotationLimitsHoldOnBothSides(t *testing.T) {
	for name, edit := range map[string]func(r *KeyRotation, above uint64){
		"generation": func(r *KeyRotation, above uint64) { r.Generation = MaxCount + above },
		"grace": func(r *KeyRotation, above uint64) {
			r.OldExpires = r.ValidFrom + Timestamp(MaxGrace) + Timestamp(above)
		},
		"lead": func(r *KeyRotation, above uint64) {
			r.ValidFrom = r.IssuedAt + Timestamp(MaxGrace) + Timestamp(above)
			r.OldExpires = r.ValidFrom
		},
	} {
		r := rotationFixture()
		edit(r, 0)
		if err := r.Validate(); err != nil {
			t.Errorf("%s at the limit: %v", name, err)
		}
		edit(r, 1)
		if err := r.Validate(); err == nil {
			t.Errorf("%s one above the limit is accepted", name)
		}
	}
	if n := len(largestRotation().Wire()); n > 432 || n > MaxRotationStatement {
		t.Errorf("the largest statement has %d bytes", n)
	}
}

func FuzzOpenRotation(f *testing.F) {
	seed(f, "rotation")
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, wire := range [][]byte{data, signTwice(data, anna, bob)} {
			r, err := OpenRotation(wire)
			if err != nil {
				if r != nil || !isRefusal(err) {
					t.Fatalf("%+v, %v", r, err)
				}
				continue
			}
			if err := r.Validate(); err != nil || !bytes.Equal(r.Wire(), wire) {
				t.Fatalf("accepted %x: %v", wire, err)
			}
		}
	})
}

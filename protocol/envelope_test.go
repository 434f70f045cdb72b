package protocol

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The layout of the package comment, written out with nothing but append: whoever does the same in another language gets
// the same bytes.
func TestEnvelopeFollowsTheSpecificationByteForByte(t *testing.T) {
	sender := string(anna.NodeID())
	nonce := bytes.Repeat([]byte{0x5a}, 16)
	payload := []byte{0xa1, 0x01, 0x02}
	nanoseconds := binary.BigEndian.AppendUint64(nil, uint64(fixedNow.UnixNano()))

	var signed []byte
	signed = append(signed, "caro-mesh envelope v1\x00"...)
	signed = append(signed, 0x87)             // a list of seven
	signed = append(signed, 0x01)             // version
	signed = append(signed, 0x19, 0x02, 0x00) // msg_type 0x0200
	signed = append(signed, 0x78, byte(len(sender)))
	signed = append(signed, sender...)
	signed = append(signed, 0x1b)
	signed = append(signed, nanoseconds...)
	signed = append(signed, 0x50)
	signed = append(signed, nonce...)
	signed = append(signed, 0x19, 0x01, 0x2c) // sequence 300
	signed = append(signed, 0x43)
	signed = append(signed, payload...)
	signature := ed25519.Sign(anna.private, signed)

	var wire []byte
	wire = append(wire, 0xa9, 0x01, 0x44, 'C', 'A', 'R', 'O')
	wire = append(wire, 0x02, 0x01)
	wire = append(wire, 0x03, 0x19, 0x02, 0x00)
	wire = append(wire, 0x04, 0x78, byte(len(sender)))
	wire = append(wire, sender...)
	wire = append(wire, 0x05, 0x1b)
	wire = append(wire, nanoseconds...)
	wire = append(wire, 0x06, 0x50)
	wire = append(wire, nonce...)
	wire = append(wire, 0x07, 0x19, 0x01, 0x2c)
	wire = append(wire, 0x08, 0x43)
	wire = append(wire, payload...)
	wire = append(wire, 0x09, 0x58, 0x40)
	wire = append(wire, signature...)

	e, err := NewOpener(clock).Open(wire, MaxQuery, anna.NodeID(), MsgQuery)
	if err != nil {
		t.Fatal(err)
	}
	if e.Type != MsgQuery || e.Sequence != 300 || !bytes.Equal(e.Payload, payload) || !e.Timestamp.Time().Equal(fixedNow) || !bytes.Equal(e.Nonce[:], nonce) {
		t.Errorf("opened to %+v", e)
	}
	if again := must(Encode(e)); !bytes.Equal(again, wire) {
		t.Errorf("encodes to\n%x, by hand\n%x", again, wire)
	}
}

func TestSealedEnvelopeOpensToWhatWasSealed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		payload := rapid.SliceOf(rapid.Byte()).Draw(t, "payload")
		kind := rapid.SampledFrom([]MsgType{MsgHello, MsgPing, MsgQuery, MsgSummaryPush, 0xffff}).Draw(t, "type")
		skew := time.Duration(rapid.Int64Range(-int64(MaxSkew), int64(MaxSkew)).Draw(t, "skew"))
		sealer := NewSealer(anna, &counter{}, func() time.Time { return fixedNow.Add(skew) })
		data := must(sealer.Seal(kind, payload))
		e, err := NewOpener(clock).Open(data, len(data), anna.NodeID(), kind)
		if err != nil {
			t.Fatal(err)
		}
		if e.Type != kind || !bytes.Equal(e.Payload, payload) || e.Sequence != 1 || e.Sender != anna.NodeID() || e.Skew(fixedNow) != skew {
			t.Fatalf("opened to %+v", e)
		}
	})
}

func TestEverySealHasItsOwnNonceAndSequence(t *testing.T) {
	sealer, opener := NewSealer(anna, &counter{}, clock), NewOpener(clock)
	nonces := map[[NonceSize]byte]bool{}
	for want := uint64(1); want <= 100; want++ {
		e, err := opener.Open(must(sealer.Seal(MsgPing, nil)), MaxHello, anna.NodeID(), MsgPing)
		if err != nil {
			t.Fatal(err)
		}
		if e.Sequence != want || nonces[e.Nonce] {
			t.Fatalf("sequence %d, expected %d; nonce %x used before: %t", e.Sequence, want, e.Nonce, nonces[e.Nonce])
		}
		nonces[e.Nonce] = true
	}
}

type brokenSequencer struct{ err error }

func (b brokenSequencer) Next() (uint64, error) { return 0, b.err }

type brokenKey struct {
	testKey
	err error
}

func (b brokenKey) Sign([]byte) ([]byte, error) { return nil, b.err }

func TestSealTellsWhyItCannotSeal(t *testing.T) {
	cause := errors.New("disk full")
	if _, err := NewSealer(anna, brokenSequencer{cause}, clock).Seal(MsgPing, nil); !errors.Is(err, cause) {
		t.Errorf("sequence: %v", err)
	}
	if _, err := NewSealer(brokenKey{anna, cause}, &counter{}, clock).Seal(MsgPing, nil); !errors.Is(err, cause) {
		t.Errorf("key: %v", err)
	}
}

// fault makes an envelope, or the circumstances in which it arrives, wrong in one way.
type fault struct {
	want error
	// edit changes the fields before they are signed, spoil the bytes afterwards, prepare what the opener has seen.
	edit    func(*Envelope)
	spoil   func([]byte) []byte
	prepare func(*Opener)
}

var usedBefore = [NonceSize]byte{1, 2, 3}

// openFaults stand in the documented order of the checks.
var openFaults = []fault{
	{want: ErrTooLarge}, // by the limit, below
	{want: ErrMagic, spoil: func(b []byte) []byte { b[3] = 'X'; return b }},
	{want: ErrVersion, edit: func(e *Envelope) { e.Version = 2 }},
	{want: ErrMalformed, spoil: func(b []byte) []byte { return append(b, 0) }},
	{want: ErrType, edit: func(e *Envelope) { e.Type = MsgPing }},
	{want: ErrSender, edit: func(e *Envelope) { e.Sender = bob.NodeID() }},
	{want: ErrClockSkew, edit: func(e *Envelope) { e.Timestamp -= Timestamp(MaxSkew + 1) }},
	{want: ErrSequence, edit: func(e *Envelope) { e.Sequence = 0 }},
	{want: ErrNonce, edit: func(e *Envelope) { e.Nonce = usedBefore }, prepare: func(o *Opener) {
		o.spend(usedBefore)
	}},
	{want: ErrNonceQuota, prepare: func(o *Opener) {
		for n := o.used(); n < maxNonces; n++ {
			o.spend(nonceOf(uint64(n)))
		}
	}},
	{want: ErrSignature, spoil: func(b []byte) []byte { b[len(b)-1] ^= 1; return b }},
}

// spend uses up the next sequence number of anna, with nonce, unless her quota is used up.
func (o *Opener) spend(nonce [NonceSize]byte) {
	next := uint64(1)
	if s := o.guard.senders[anna.NodeID()]; s != nil {
		next = s.highest + 1
	}
	if err := o.guard.Commit(anna.NodeID(), next, nonce, fixedNow); err != nil && !errors.Is(err, ErrNonceQuota) {
		panic(err)
	}
}

// used returns how many nonces of anna are remembered.
func (o *Opener) used() int {
	if s := o.guard.senders[anna.NodeID()]; s != nil {
		return len(s.nonces)
	}
	return 0
}

func nonceOf(n uint64) (nonce [NonceSize]byte) {
	binary.BigEndian.PutUint64(nonce[8:], n)
	return nonce
}

// openWith opens an envelope that has the given faults, and no others.
func openWith(faults []fault) (*Opener, error) {
	e, o, limit := envelopeFixture(MsgQuery, 1<<20, []byte("payload")), NewOpener(clock), MaxQuery
	for _, f := range faults {
		if f.edit != nil {
			f.edit(e)
		}
		if f.prepare != nil {
			f.prepare(o)
		}
	}
	data := sealFixture(e)
	for _, f := range faults {
		if f.spoil != nil {
			data = f.spoil(data)
		}
		if errors.Is(f.want, ErrTooLarge) {
			limit = len(data) - 1
		}
	}
	e, err := o.Open(data, limit, anna.NodeID(), MsgQuery)
	if err != nil && e != nil {
		panic("an envelope was returned together with an error")
	}
	return o, err
}

func TestOpenRefusesEachFaultWithItsOwnError(t *testing.T) {
	if _, err := openWith(nil); err != nil {
		t.Fatalf("without a fault: %v", err)
	}
	for i, f := range openFaults {
		_, err := openWith([]fault{f})
		for j, other := range openFaults {
			if errors.Is(err, other.want) != (i == j) {
				t.Errorf("fault %q gives %q", f.want, err)
			}
		}
	}
}

func TestOpenChecksInTheDocumentedOrder(t *testing.T) {
	for i, first := range openFaults {
		if _, err := openWith(openFaults[i:]); !errors.Is(err, first.want) {
			t.Errorf("with all faults from %q on: %v", first.want, err)
		}
		for _, later := range openFaults[i+1:] {
			if _, err := openWith([]fault{first, later}); !errors.Is(err, first.want) {
				t.Errorf("with %q and %q: %v", first.want, later.want, err)
			}
		}
	}
}

func TestRefusedMessagesLeaveNoTrace(t *testing.T) {
	for _, f := range openFaults {
		o, _ := openWith([]fault{f})
		before := NewOpener(clock)
		if f.prepare != nil {
			f.prepare(before)
		}
		if got, want := o.used(), before.used(); got != want {
			t.Errorf("fault %q: %d nonces are remembered, not %d", f.want, got, want)
		}
	}
	// The genuine message with the same number and nonce must still be accepted after a forged one.
	o := NewOpener(clock)
	good := must(NewSealer(anna, &counter{}, clock).Seal(MsgPing, []byte("x")))
	forged := bytes.Clone(good)
	forged[len(forged)-1] ^= 1
	if _, err := o.Open(forged, MaxHello, anna.NodeID(), MsgPing); !errors.Is(err, ErrSignature) {
		t.Fatalf("forged: %v", err)
	}
	if _, err := o.Open(good, MaxHello, anna.NodeID(), MsgPing); err != nil {
		t.Errorf("genuine, after a forged one: %v", err)
	}
}

func TestClockSkewOfExactlyFiveMinutesIsAccepted(t *testing.T) {
	for _, c := range []struct {
		skew time.Duration
		want error
	}{{MaxSkew, nil}, {-MaxSkew, nil}, {MaxSkew + 1, ErrClockSkew}, {-MaxSkew - 1, ErrClockSkew}, {0, nil}} {
		e := envelopeFixture(MsgPing, 1, nil)
		e.Timestamp += Timestamp(c.skew)
		if _, err := NewOpener(clock).Open(sealFixture(e), MaxHello, anna.NodeID(), MsgPing); !errors.Is(err, c.want) {
			t.Errorf("skew %s: %v, expected %v", c.skew, err, c.want)
		}
	}
}

func TestSkewRefusalTellsBothClocks(t *testing.T) {
	e := envelopeFixture(MsgPing, 1, nil)
	e.Timestamp += Timestamp(time.Hour)
	_, err := NewOpener(clock).Open(sealFixture(e), MaxHello, anna.NodeID(), MsgPing)
	var skew *SkewError
	if !errors.As(err, &skew) || !skew.Theirs.Equal(fixedNow.Add(time.Hour)) || !skew.Ours.Equal(fixedNow) {
		t.Fatalf("%v", err)
	}
	for _, clock := range []string{"2026-11-23T13:34:56Z", "2026-11-23T12:34:56Z"} {
		if !strings.Contains(err.Error(), clock) {
			t.Errorf("%q does not say %s", err, clock)
		}
	}
}

func TestVersionRefusalTellsTooOldFromTooNew(t *testing.T) {
	for version, words := range map[uint8]string{0: "too old", 2: "newer than this node", 255: "newer than this node"} {
		e := envelopeFixture(MsgPing, 1, nil)
		e.Version = version
		_, err := NewOpener(clock).Open(sealFixture(e), MaxHello, anna.NodeID(), MsgPing)
		if !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), words) || !strings.Contains(err.Error(), fmt.Sprint(version)) {
			t.Errorf("version %d: %v", version, err)
		}
	}
}

func TestSameMessageAtTheSameTimeIsAcceptedOnce(t *testing.T) {
	o, data := NewOpener(clock), sealFixture(envelopeFixture(MsgPing, 1, nil))
	var accepted, refused sync.Map
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			if _, err := o.Open(data, MaxHello, anna.NodeID(), MsgPing); err == nil {
				accepted.Store(i, true)
			} else if errors.Is(err, ErrSequence) {
				refused.Store(i, true)
			}
		})
	}
	wg.Wait()
	if a, r := count(&accepted), count(&refused); a != 1 || r != 15 {
		t.Errorf("accepted %d times, refused as a repetition %d times", a, r)
	}
}

func count(m *sync.Map) (n int) {
	m.Range(func(any, any) bool { n++; return true })
	return n
}

func TestAnyAlteredByteOfAnEnvelopeIsRefused(t *testing.T) {
	good := sealFixture(envelopeFixture(MsgSummaryPush, 300, must(SignSummary(emptySummaryFixture(), anna, fixedNow))))
	open := func(data []byte) error {
		_, err := NewOpener(clock).Open(data, MaxSummary, anna.NodeID(), MsgSummaryPush)
		return err
	}
	if err := open(good); err != nil {
		t.Fatal(err)
	}
	refusesAlterations(t, good, open)
}

// refusesAlterations tries one altered bit in each byte, and random other values, missing and additional bytes.
func refusesAlterations(t *testing.T, good []byte, open func([]byte) error) {
	t.Helper()
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1 << (i % 8)
		if open(bad) == nil {
			t.Fatalf("byte %d altered from %02x to %02x is accepted", i, good[i], bad[i])
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		i := rapid.IntRange(0, len(good)-1).Draw(t, "position")
		value := rapid.Byte().Draw(t, "value")
		for what, bad := range map[string][]byte{
			"altered":  append(append(bytes.Clone(good[:i]), value), good[i+1:]...),
			"inserted": append(append(bytes.Clone(good[:i]), value), good[i:]...),
			"removed":  append(bytes.Clone(good[:i]), good[i+1:]...),
			"cut":      bytes.Clone(good[:i]),
		} {
			if !bytes.Equal(bad, good) && open(bad) == nil {
				t.Fatalf("byte %d %s (%02x) is accepted", i, what, value)
			}
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	for _, size := range []int{200, 10_000, 300_000} {
		b.Run(fmt.Sprintf("%d bytes", size), func(b *testing.B) {
			sealer, payload := NewSealer(anna, &counter{}, time.Now), make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := sealer.Seal(MsgQuery, payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, size := range []int{200, 10_000, 300_000} {
		b.Run(fmt.Sprintf("%d bytes", size), func(b *testing.B) {
			data := sealFixture(envelopeFixture(MsgQuery, 1, make([]byte, size)))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := NewOpener(clock).Open(data, MaxResponse, anna.NodeID(), MsgQuery); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

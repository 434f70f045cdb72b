package protocol

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// refusal is a vector that must be refused. Everything about it is right, signatures included, except for its name.
type refusal struct {
	Name  string   `json:"name"`
	Kind  string   `json:"kind"` // which reader it is given to
	Error string   `json:"error"`
	Wire  hexBytes `json:"wire"`
}

var refusalErrors = map[string]error{
	"malformed": ErrMalformed, "not deterministic": ErrNotDeterministic, "signature": ErrSignature, "magic": ErrMagic, "version": ErrVersion,
	"type": ErrType, "sender": ErrSender, "clock skew": ErrClockSkew, "sequence": ErrSequence, "too large": ErrTooLarge, "frame": ErrFrame,
}

// readers opens a wire of each kind as a node would.
var readers = map[string]func(wire []byte) (any, error){
	"envelope": func(wire []byte) (any, error) {
		return NewOpener(clock).Open(wire, MaxQuery, anna.NodeID(), MsgQuery, MsgSummaryPush)
	},
	"identity": func(wire []byte) (any, error) {
		var n NodeIdentity
		err := Decode(wire, &n)
		return &n, err
	},
	"summary":  func(wire []byte) (any, error) { return OpenSummary(wire) },
	"query":    func(wire []byte) (any, error) { return OpenQuery(wire) },
	"response": func(wire []byte) (any, error) { return OpenResponse(wire) },
	"receipt":  func(wire []byte) (any, error) { return OpenReceipt(wire) },
	"health":   func(wire []byte) (any, error) { return OpenHealth(wire, nil) },
	"rotation": func(wire []byte) (any, error) { return OpenRotation(wire) },
	"frame": func(wire []byte) (any, error) {
		return ReadFrame(bytes.NewReader(wire), MaxSummaryAck)
	},
}

// A few words of CBOR, so that wrong bytes can be written on purpose.

func head(major byte, n uint64) []byte {
	switch {
	case n < 24:
		return []byte{major<<5 | byte(n)}
	case n <= math.MaxUint8:
		return []byte{major<<5 | 24, byte(n)}
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16([]byte{major<<5 | 25}, uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32([]byte{major<<5 | 26}, uint32(n))
	}
	return binary.BigEndian.AppendUint64([]byte{major<<5 | 27}, n)
}

func number(n uint64) []byte     { return head(0, n) }
func byteString(b []byte) []byte { return append(head(2, uint64(len(b))), b...) }
func textString(s string) []byte { return append(head(3, uint64(len(s))), s...) }
func list(items ...[]byte) []byte {
	return append(head(4, uint64(len(items))), bytes.Join(items, nil)...)
}

// pair is one key of a map with its encoded value; maps are edited as lists of pairs.
type pair struct{ key, value []byte }

func pairs(encoded []byte) []pair {
	var m map[uint64]cbor.RawMessage
	if err := cbor.Unmarshal(encoded, &m); err != nil {
		panic(err)
	}
	ps := make([]pair, 0, len(m))
	for k, v := range m {
		ps = append(ps, pair{number(k), v})
	}
	slices.SortFunc(ps, func(a, b pair) int { return bytes.Compare(a.key, b.key) })
	return ps
}

func mapOf(ps []pair) []byte {
	out := head(5, uint64(len(ps)))
	for _, p := range ps {
		out = append(append(out, p.key...), p.value...)
	}
	return out
}

// with returns encoded with the value of key replaced.
func with(encoded []byte, key uint64, value []byte) []byte {
	ps := pairs(encoded)
	for i := range ps {
		if bytes.Equal(ps[i].key, number(key)) {
			ps[i].value = value
			return mapOf(ps)
		}
	}
	panic(fmt.Sprintf("no key %d", key))
}

func valueOf(encoded []byte, key uint64) []byte {
	for _, p := range pairs(encoded) {
		if bytes.Equal(p.key, number(key)) {
			return p.value
		}
	}
	panic(fmt.Sprintf("no key %d", key))
}

// signBytes signs a body that need not be one.
func signBytes(context string, body []byte, key testKey) []byte {
	sig := Signature{Signer: key.NodeID().Fingerprint(), Timestamp: At(fixedNow)}
	sig.Value = must(key.Sign(must(signingInput(context, signedBytes{Body: body, Signer: sig.Signer, Timestamp: sig.Timestamp}))))
	return must(Encode(signed{Body: body, Signature: sig}))
}

type misspelling struct {
	wire []byte
	why  string
}

// spellings lists wrong encodings of a map that every reader must refuse, whatever the map means.
func spellings(good []byte) map[string]misspelling {
	ps := pairs(good)
	first, last := ps[0], ps[len(ps)-1]
	swapped := slices.Clone(ps)
	swapped[len(ps)-1], swapped[len(ps)-2] = swapped[len(ps)-2], swapped[len(ps)-1]
	return map[string]misspelling{
		"nothing":                  {[]byte{}, "malformed"},
		"null":                     {[]byte{0xf6}, "not deterministic"},
		"empty map":                {[]byte{0xa0}, "not deterministic"},
		"list instead of map":      {list(first.value), "malformed"},
		"cut short":                {good[:len(good)-1], "malformed"},
		"trailing byte":            {append(slices.Clone(good), 0x00), "malformed"},
		"two messages":             {append(slices.Clone(good), good...), "malformed"},
		"duplicate last key":       {mapOf(append(slices.Clone(ps), last)), "malformed"},
		"duplicate key, new value": {mapOf(append(slices.Clone(ps), pair{last.key, number(1)})), "malformed"},
		"unknown key":              {mapOf(append(slices.Clone(ps), pair{number(23), number(1)})), "malformed"},
		"name as a key":            {mapOf(append(slices.Clone(ps), pair{textString("id"), number(1)})), "malformed"},
		"missing last key":         {mapOf(ps[:len(ps)-1]), "not deterministic"},
		"keys out of order":        {mapOf(swapped), "not deterministic"},
		"indefinite length":        {append(append([]byte{0xbf}, good[1:]...), 0xff), "malformed"},
		"long head of the map":     {append([]byte{0xb8, good[0] & 0x1f}, good[1:]...), "not deterministic"},
		"long last key":            {mapOf(append(slices.Clone(ps[:len(ps)-1]), pair{append([]byte{0x18}, last.key...), last.value})), "not deterministic"},
		"tag around":               {append([]byte{0xd9, 0xd9, 0xf7}, good...), "malformed"},
		"tag within":               {mapOf(append(slices.Clone(ps[:len(ps)-1]), pair{last.key, append([]byte{0xc1}, last.value...)})), "malformed"},
		"null inside":              {mapOf(append(slices.Clone(ps[:len(ps)-1]), pair{last.key, []byte{0xf6}})), "not deterministic"},
		"undefined inside":         {mapOf(append(slices.Clone(ps[:len(ps)-1]), pair{last.key, []byte{0xf7}})), "not deterministic"},
		"nested too deeply":        {mapOf(append(slices.Clone(ps[:len(ps)-1]), pair{last.key, bytes.Repeat([]byte{0x81}, 100)})), "malformed"},
		"long list announced":      {mapOf(append(slices.Clone(ps[:len(ps)-1]), pair{last.key, head(4, math.MaxUint32)})), "malformed"},
		"long bytes announced":     {mapOf(append(slices.Clone(ps[:len(ps)-1]), pair{last.key, head(2, math.MaxUint64)})), "malformed"},
	}
}

func refusals() []refusal {
	var all []refusal
	add := func(kind, name, why string, wire []byte) { all = append(all, refusal{name, kind, why, wire}) }

	messages := map[string]struct {
		context string
		body    []byte
	}{
		"summary":  {contextSummary, must(Encode(summaryFixture()))},
		"query":    {contextQuery, must(Encode(queryFixture()))},
		"response": {contextResponse, must(Encode(responseFixtures()["tool usage"]))},
		"receipt":  {contextReceipt, must(Encode(receiptFixture()))},
		"health":   {contextHealth, must(Encode(healthFixture()))},
	}
	for kind, m := range messages {
		wire := signBytes(m.context, m.body, anna)
		for name, s := range spellings(wire) {
			add(kind, "container: "+name, s.why, s.wire)
		}
		for name, s := range spellings(m.body) {
			add(kind, "body: "+name, s.why, signBytes(m.context, s.wire, anna))
		}
		add(kind, "signed by another node", "signature", signBytes(m.context, m.body, bob))
		add(kind, "signed for another kind of message", "signature", signBytes(contextEnvelope, m.body, anna))
		claimed := Signature{Signer: bob.NodeID().Fingerprint(), Timestamp: At(fixedNow)}
		claimed.Value = must(anna.Sign(must(signingInput(m.context, signedBytes{Body: m.body, Signer: claimed.Signer, Timestamp: claimed.Timestamp}))))
		add(kind, "signed by its node in another's name", "signature", must(Encode(signed{Body: m.body, Signature: claimed})))
		sig := valueOf(wire, 2)
		add(kind, "signature of 63 bytes", "malformed", with(wire, 2, with(sig, 2, byteString(make([]byte, 63)))))
		add(kind, "signature of zeros", "signature", with(wire, 2, with(sig, 2, byteString(make([]byte, 64)))))
		add(kind, "fingerprint in upper case", "malformed", with(wire, 2, with(sig, 1, textString(strings.ToUpper(string(anna.NodeID().Fingerprint()))))))
		add(kind, "other signing time", "signature", with(wire, 2, with(sig, 3, number(1))))
		add(kind, "body as a list of numbers", "not deterministic", with(wire, 1, list(number(1), number(2))))
	}
	identity := must(Encode(identityFixture()))
	for name, s := range spellings(identity) {
		add("identity", name, s.why, s.wire)
	}

	refuseFields(messages["summary"].body, messages["query"].body, messages["response"].body, identity, add)
	refuseReceipts(messages["receipt"].body, add)
	refuseHealth(messages["health"].body, add)
	refuseEnvelopes(add)
	refuseRotations(add)
	refuseFrames(add)
	slices.SortStableFunc(all, func(a, b refusal) int {
		return strings.Compare(a.Kind+"\x00"+a.Name, b.Kind+"\x00"+b.Name)
	})
	return all
}

// refuseFields adds messages in which one field is wrong.
func refuseFields(summary, query, response, identity []byte, add func(kind, name, why string, wire []byte)) {
	nan, inf, minusZero, wide := []byte{0xf9, 0x7e, 0x00}, []byte{0xf9, 0x7c, 0x00}, []byte{0xf9, 0x80, 0x00}, binary.BigEndian.AppendUint64([]byte{0xfb}, math.Float64bits(0.5))
	fix := func(kind, context string, body []byte) func(name, why string, key uint64, value []byte) {
		return func(name, why string, key uint64, value []byte) {
			add(kind, name, why, signBytes(context, with(body, key, value), anna))
		}
	}

	s := fix("summary", contextSummary, summary)
	stat := must(Encode(CategoryStat{Category: CategoryGit, Count: 12}))
	for name, v := range map[string][]byte{"NaN": nan, "infinity": inf, "minus zero": minusZero, "average without times": {0xf9, 0x3c, 0x00}} {
		s("average is "+name, "malformed", 4, list(with(stat, 3, v)))
	}
	s("average in a wide float", "not deterministic", 4, list(with(stat, 3, wide)))
	s("average as an integer", "not deterministic", 4, list(with(stat, 3, number(0))))
	s("null instead of the list of categories", "not deterministic", 4, []byte{0xf6})
	s("unknown category", "malformed", 4, list(with(stat, 1, textString("databases"))))
	s("private tool name", "malformed", 4, list(with(stat, 1, textString("other:deploy-acme-billing.sh"))))
	s("category twice", "malformed", 4, list(with(stat, 2, number(6)), with(stat, 2, number(6))))
	s("categories out of order", "malformed", 4, list(with(with(stat, 1, textString("npm")), 2, number(6)), with(stat, 2, number(6))))
	s("negative count", "malformed", 4, list(with(stat, 2, head(1, 0))))
	s("count above 64 bits", "malformed", 4, list(with(stat, 2, append([]byte{0xc2}, byteString(bytes.Repeat([]byte{0xff}, 9))...))))
	s("23 hours", "not deterministic", 5, list(slices.Repeat([][]byte{number(0)}, 23)...))
	s("25 hours", "not deterministic", 5, list(append([][]byte{number(12)}, slices.Repeat([][]byte{number(0)}, 24)...)...))
	s("8 weekdays", "not deterministic", 6, list(append([][]byte{number(12)}, slices.Repeat([][]byte{number(0)}, 7)...)...))
	s("total contradicts the counts", "malformed", 8, number(13))
	s("more patterns than commands", "malformed", 9, number(13))
	s("identifier in upper case", "malformed", 1, textString(strings.ToUpper(summaryFixture().ID)))
	s("identifier without hyphens", "malformed", 1, textString(strings.ReplaceAll(summaryFixture().ID, "-", "")))
	s("unknown granularity", "malformed", 3, with(valueOf(summary, 3), 3, textString("monthly")))
	s("period off its grid", "malformed", 3, with(valueOf(summary, 3), 1, number(1)))
	s("node ID of another algorithm", "malformed", 2, textString(strings.Replace(string(anna.NodeID()), "ed25519", "ed448", 1)))
	s("node of another key", "signature", 2, textString(string(bob.NodeID())))
	s("text that is not UTF-8", "malformed", 1, []byte{0x61, 0xff})
	s("text of indefinite length", "malformed", 1, append(append([]byte{0x7f}, textString(summaryFixture().ID)...), 0xff))

	q := fix("query", contextQuery, query)
	filter := must(Encode(queryFixture().Filters[0]))
	q("null instead of the list of filters", "not deterministic", 5, []byte{0xf6})
	q("unknown query type", "malformed", 3, textString("everything"))
	q("unknown operator", "malformed", 5, list(with(filter, 2, textString("matches"))))
	q("filter without a field", "malformed", 5, list(with(filter, 1, textString(""))))
	q("filter drives the terminal", "malformed", 5, list(with(filter, 3, textString("\x1b[2J"))))
	q("17 filters", "malformed", 5, list(slices.Repeat([][]byte{filter}, 17)...))
	q("filter value of 1025 bytes", "malformed", 5, list(with(filter, 3, textString(strings.Repeat("x", 1025)))))
	q("range backwards", "malformed", 4, mapOf([]pair{{number(1), valueOf(valueOf(query, 4), 2)}, {number(2), valueOf(valueOf(query, 4), 1)}}))
	q("range off the hour", "malformed", 4, with(valueOf(query, 4), 1, number(1)))
	q("time as a float", "malformed", 4, with(valueOf(query, 4), 1, inf))

	r := fix("response", contextResponse, response)
	fp := textString(string(anna.NodeID().Fingerprint()))
	r("unknown status", "malformed", 3, textString("maybe"))
	r("denial with data", "malformed", 3, textString("access_denied"))
	r("null instead of the list of contributors", "not deterministic", 6, []byte{0xf6})
	r("contributor twice", "malformed", 6, list(fp, fp))
	r("data of two kinds", "malformed", 5, mapOf(append(pairs(valueOf(response, 5)), pair{number(4), mapOf([]pair{{number(1), list()}})})))
	r("data of no kind", "malformed", 5, []byte{0xa0})
	r("data of an unknown kind", "malformed", 5, mapOf([]pair{{number(6), number(1)}}))
	add("response", "empty reason that is written out", "not deterministic",
		signBytes(contextResponse, mapOf(slices.Insert(pairs(response), 3, pair{number(4), textString("")})), anna))

	n := func(name, why string, key uint64, value []byte) {
		add("identity", name, why, with(identity, key, value))
	}
	caps := valueOf(identity, 4)
	n("fingerprint of another node", "malformed", 2, textString(string(bob.NodeID().Fingerprint())))
	n("unknown data level", "malformed", 4, with(caps, 3, number(3)))
	n("data level above a byte", "malformed", 4, with(caps, 3, number(256)))
	n("flag as a number", "malformed", 4, with(caps, 4, number(1)))
	n("unknown query type", "malformed", 4, with(caps, 5, list(textString("everything"))))
	n("query type twice", "malformed", 4, with(caps, 5, list(textString("anomalies"), textString("anomalies"))))
	n("protocol version 0", "malformed", 4, with(caps, 1, number(0)))
	n("name that reverses the line", "malformed", 3, textString("anna\u202eamy"))
	n("null instead of the list of queries", "not deterministic", 4, with(caps, 5, []byte{0xf6}))
}

func refuseReceipts(receipt []byte, add func(kind, name, why string, wire []byte)) {
	r := func(name, why string, key uint64, value []byte) {
		add("receipt", name, why, signBytes(contextReceipt, with(receipt, key, value), anna))
	}
	r("identifier in upper case", "malformed", 1, textString(strings.ToUpper(receiptFixture().QueryID)))
	r("requester of another key", "signature", 2, textString(string(newTestKey(3).NodeID())))
	r("for an own response", "malformed", 3, textString(string(anna.NodeID())))
	r("responder without a key", "malformed", 3, textString("bob"))
	r("digest of zeros", "malformed", 4, byteString(make([]byte, 32)))
	r("digest of 31 bytes", "not deterministic", 4, byteString(bytes.Repeat([]byte{1}, 31)))
	r("digest of 33 bytes", "not deterministic", 4, byteString(bytes.Repeat([]byte{1}, 33)))
	r("digest as text", "malformed", 4, textString(strings.Repeat("1", 32)))
	r("time as a float", "malformed", 5, []byte{0xf9, 0x7c, 0x00})
}

func refuseHealth(health []byte, add func(kind, name, why string, wire []byte)) {
	h := func(name, why string, key uint64, value []byte) {
		add("health", name, why, signBytes(contextHealth, with(health, key, value), anna))
	}
	h("node of another key", "signature", 1, textString(string(bob.NodeID())))
	h("sequence number 0", "malformed", 2, number(0))
	h("made after it was signed", "malformed", 3, number(uint64(fixedNow.UnixNano()+1)))
	h("protocol version 0", "malformed", 4, number(0))
	h("protocol version above a byte", "malformed", 4, number(256))
	h("version that drives the terminal", "malformed", 5, textString("\x1b[2J"))
	h("negative uptime", "malformed", 6, head(1, 0))
	h("count above 2^48", "malformed", 7, number(MaxCount+1))
	h("null instead of no count", "not deterministic", 7, []byte{0xf6})
	h("unknown state", "malformed", 8, textString("fine"))
}

// refuseEnvelopes adds envelopes in which one thing is wrong; the signature covers what is written.
func refuseEnvelopes(add func(kind, name, why string, wire []byte)) {
	seal := func(edit func(*Envelope)) []byte {
		e := envelopeFixture(MsgQuery, 7, []byte("payload"))
		edit(e)
		return sealFixture(e)
	}
	good := seal(func(*Envelope) {})
	for name, s := range spellings(good) {
		why := s.why
		switch name { // what does not begin as an envelope is told apart first
		case "nothing", "null", "empty map", "list instead of map", "long head of the map", "tag around":
			why = "magic"
		}
		add("envelope", name, why, s.wire)
	}
	add("envelope", "other magic", "magic", with(good, 1, byteString([]byte("CARP"))))
	add("envelope", "magic of 5 bytes", "magic", with(good, 1, byteString([]byte("CARO\x00"))))
	add("envelope", "version 0", "version", seal(func(e *Envelope) { e.Version = 0 }))
	add("envelope", "version 2", "version", seal(func(e *Envelope) { e.Version = 2 }))
	add("envelope", "version 2 with another layout", "version", mapOf([]pair{{number(1), byteString([]byte("CARO"))}, {number(2), number(2)}, {number(3), textString("new")}}))
	add("envelope", "version above a byte", "malformed", with(good, 2, number(256)))
	add("envelope", "version 1 in two bytes", "not deterministic", with(good, 2, []byte{0x18, 0x01}))
	add("envelope", "version as text", "malformed", with(good, 2, textString("1")))
	add("envelope", "type of another stream", "type", seal(func(e *Envelope) { e.Type = MsgHello }))
	add("envelope", "type above 16 bits", "malformed", with(good, 3, number(0x10000)))
	add("envelope", "sender who is not the peer", "sender", seal(func(e *Envelope) { e.Sender = bob.NodeID() }))
	add("envelope", "clock too far ahead", "clock skew", seal(func(e *Envelope) { e.Timestamp += Timestamp(MaxSkew) + 1 }))
	add("envelope", "clock too far behind", "clock skew", seal(func(e *Envelope) { e.Timestamp -= Timestamp(MaxSkew) + 1 }))
	add("envelope", "earliest time of all", "clock skew", seal(func(e *Envelope) { e.Timestamp = math.MinInt64 }))
	add("envelope", "sequence number 0", "sequence", seal(func(e *Envelope) { e.Sequence = 0 }))
	add("envelope", "sequence number in nine bytes", "not deterministic", with(good, 7, []byte{0x1b, 0, 0, 0, 0, 0, 0, 0, 7}))
	add("envelope", "negative sequence number", "malformed", with(good, 7, head(1, 6)))
	add("envelope", "nonce of 15 bytes", "not deterministic", with(good, 6, byteString(make([]byte, 15))))
	add("envelope", "nonce of 17 bytes", "not deterministic", with(good, 6, byteString(make([]byte, 17))))
	add("envelope", "payload as text", "malformed", with(good, 8, textString("payload")))
	add("envelope", "signature of 63 bytes", "signature", with(good, 9, byteString(make([]byte, 63))))
	add("envelope", "signature of no bytes", "signature", with(good, 9, byteString(nil)))
	add("envelope", "signature of zeros", "signature", with(good, 9, byteString(make([]byte, 64))))
	add("envelope", "signature of another message", "signature", with(good, 8, byteString([]byte("PAYLOAD"))))
}

func refuseFrames(add func(kind, name, why string, wire []byte)) {
	add("frame", "one byte above the limit announced", "too large", []byte{0x81, 0x20})
	add("frame", "largest length announced", "too large", []byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	add("frame", "length in six bytes", "frame", []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x01})
	add("frame", "length that never ends", "frame", bytes.Repeat([]byte{0xff}, 16))
	add("frame", "length 1 in two bytes", "frame", []byte{0x81, 0x00, 0x2a})
	add("frame", "length 0 in two bytes", "frame", []byte{0x80, 0x00})
}

func TestWrongMessagesAreRefusedAsTheVectorsSay(t *testing.T) {
	if *update {
		writeJSON(t, vectorPath("refused"), refusals())
	}
	var want []refusal
	readJSON(t, vectorPath("refused"), &want)
	made := refusals()
	if len(made) != len(want) {
		t.Fatalf("%d vectors in the file, %d are made", len(want), len(made))
	}
	for i, v := range want {
		t.Run(v.Kind+"/"+v.Name, func(t *testing.T) {
			if made[i].Name != v.Name || made[i].Kind != v.Kind || made[i].Error != v.Error || !bytes.Equal(made[i].Wire, v.Wire) {
				t.Errorf("made anew it is %s/%s (%s)\n%x, the file says\n%x", made[i].Kind, made[i].Name, made[i].Error, made[i].Wire, v.Wire)
			}
			expected, read := refusalErrors[v.Error], readers[v.Kind]
			if expected == nil || read == nil {
				t.Fatalf("no error %q or no reader %q", v.Error, v.Kind)
			}
			if _, err := read(v.Wire); !errors.Is(err, expected) {
				t.Errorf("got error %v, expected %v", err, expected)
			}
		})
	}
}

// Without this, a refusal could be due to the test's own encoding and not to the fault it names.
func TestMessagesBuiltByHandAreAcceptedWhenNothingIsWrong(t *testing.T) {
	for kind, m := range map[string]struct {
		context string
		body    []byte
	}{
		"summary":  {contextSummary, must(Encode(summaryFixture()))},
		"query":    {contextQuery, must(Encode(queryFixture()))},
		"response": {contextResponse, must(Encode(responseFixtures()["tool usage"]))},
		"receipt":  {contextReceipt, must(Encode(receiptFixture()))},
		"health":   {contextHealth, must(Encode(healthFixture()))},
	} {
		wire := signBytes(m.context, mapOf(pairs(m.body)), anna)
		if _, err := readers[kind](mapOf(pairs(wire))); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if _, err := readers["identity"](mapOf(pairs(must(Encode(identityFixture()))))); err != nil {
		t.Errorf("identity: %v", err)
	}
	if _, err := readers["envelope"](mapOf(pairs(sealFixture(envelopeFixture(MsgQuery, 7, []byte("payload")))))); err != nil {
		t.Errorf("envelope: %v", err)
	}
	stat := must(Encode(CategoryStat{Category: CategoryGit, Count: 12}))
	if _, err := OpenSummary(signBytes(contextSummary, with(must(Encode(summaryFixture())), 4, list(stat)), anna)); err != nil {
		t.Errorf("summary with one category: %v", err)
	}
}

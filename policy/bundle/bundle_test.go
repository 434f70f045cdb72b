package bundle_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/policy/bundle"
	"github.com/caro-mesh/caro-node/protocol"
)

const header = "name = \"ACME\"\nversion = 3\nissued = 2026-11-01T00:00:00Z\nexpires = 2027-11-01T00:00:00Z\n"

const example = header + `min_contributors = 8
max_level = "aggregated"
max_history_days = 90
denied_categories = ["kubernetes"]

[[supervisors]]
id = "caro:ed25519:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
name = "dashboard"

[[subnets]]
cidr = "10.0.0.0/16"
trust = "share_to"
`

func nodeID(n int) protocol.NodeID {
	key := make([]byte, ed25519.PublicKeySize)
	binary.BigEndian.PutUint64(key, uint64(n)+1)
	return protocol.NewNodeID(key)
}

// organisation returns a key that is the same each time.
func organisation(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func sign(t testing.TB, document string, key ed25519.PrivateKey) []byte {
	t.Helper()
	file, err := bundle.Sign([]byte(document), key)
	if err != nil {
		t.Fatalf("sign: %v", err)
	}
	return file
}

func open(t testing.TB, file []byte) *bundle.Bundle {
	t.Helper()
	b, err := bundle.Open(file)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return b
}

func TestASignedBundleIsReadAsItWasWritten(t *testing.T) {
	b := open(t, sign(t, example, organisation(1)))
	if b.Name != "ACME" || b.Version != 3 || b.MinContributors != 8 || b.MaxLevel != "aggregated" || b.MaxHistoryDays != 90 ||
		len(b.Supervisors) != 1 || b.Supervisors[0].Name != "dashboard" || len(b.Subnets) != 1 || b.Subnets[0].Trust != "share_to" {
		t.Errorf("read %+v", b)
	}
	if want := organisation(1).Public().(ed25519.PublicKey); !b.Key.Equal(want) || b.Fingerprint() != bundle.FingerprintOf(want) || len(b.Fingerprint()) != 32 {
		t.Errorf("key %x, fingerprint %s", b.Key, b.Fingerprint())
	}
	if b.Source() != "bundle ACME v3" {
		t.Errorf("source %q", b.Source())
	}
}

func TestSigningAgainReplacesTheSignature(t *testing.T) {
	again := sign(t, string(sign(t, example, organisation(1))), organisation(2))
	if !bytes.Equal(again, sign(t, example, organisation(2))) {
		t.Errorf("signed twice:\n%s", again)
	}
}

func TestEveryChangeOfASignedBundleIsNoticed(t *testing.T) {
	file := sign(t, example, organisation(1))
	for i := range file {
		changed := bytes.Clone(file)
		changed[i] ^= 1
		if _, err := bundle.Open(changed); err == nil {
			t.Fatalf("byte %d was changed from %q to %q, and nothing noticed", i, file[i], changed[i])
		}
	}
	line := bytes.LastIndex(file, []byte("# caro"))
	other := sign(t, strings.Replace(example, "version = 3", "version = 4", 1), organisation(1))
	for what, changed := range map[string][]byte{
		"nothing":                   nil,
		"no signature":              file[:line],
		"no line feed at the end":   file[:len(file)-1],
		"a line after it":           append(bytes.Clone(file), "version = 9\n"...),
		"a blank line after it":     append(bytes.Clone(file), '\n'),
		"a line before it":          append(append(bytes.Clone(file[:line]), "#\n"...), file[line:]...),
		"carriage returns":          bytes.ReplaceAll(file, []byte("\n"), []byte("\r\n")),
		"the signature of another":  append(bytes.Clone(file[:line]), other[bytes.LastIndex(other, []byte("# caro")):]...),
		"a second signature":        append(bytes.Clone(file), file[line:]...),
		"truncated":                 file[:len(file)/2],
		"a byte order mark":         append([]byte("\xef\xbb\xbf"), file...),
		"a signature with a return": append(bytes.Clone(file[:len(file)-2]), "\r=\n"...),
	} {
		if b, err := bundle.Open(changed); err == nil || b != nil {
			t.Errorf("%s: opened as %+v, error %v", what, b, err)
		}
	}
}

func TestASignatureUnderAnotherContextIsNone(t *testing.T) {
	file := sign(t, example, organisation(1))
	line := bytes.LastIndex(file, []byte("# caro"))
	for _, context := range []string{"", "caro-mesh bundle v2\x00", "caro-mesh bundle v1"} {
		if ed25519.Verify(organisation(1).Public().(ed25519.PublicKey), append([]byte(context), file[:line]...), signatureOf(t, file)) {
			t.Errorf("the signature counts under the context %q as well", context)
		}
	}
}

func TestWhatCannotBeUsedIsNeitherSignedNorOpened(t *testing.T) {
	for what, c := range map[string]struct{ document, says string }{
		"no name":            {strings.Replace(header, `"ACME"`, `""`, 1), "name is missing"},
		"no version":         {strings.Replace(header, "version = 3", "version = 0", 1), "version is missing"},
		"a negative version": {strings.Replace(header, "version = 3", "version = -1", 1), "line 2"},
		"no expiry":          {strings.Replace(header, "expires = 2027-11-01T00:00:00Z\n", "", 1), "expires is missing"},
		"an expiry before":   {strings.Replace(header, "2027", "2025", 1), "not after"},
		"a time of no place": {strings.ReplaceAll(header, "Z\n", "\n"), "with Z or an offset"},
		"an unknown key":     {header + "max_lvl = \"raw\"\n", `line 5 of the bundle: unknown key "max_lvl"`},
		"an unknown level":   {header + "max_level = \"none\"\n", "max_level"},
		"one contributor":    {header + "min_contributors = 1\n", "min_contributors is 1"},
		"an unknown kind":    {header + "denied_categories = [\"cooking\"]\n", "denied_categories"},
		"no node ID":         {header + "[[supervisors]]\nid = \"bob\"\n", `"bob"`},
		"no subnet":          {header + "[[subnets]]\ncidr = \"10.0.0.1/8\"\ntrust = \"peer\"\n", "cidr"},
		"two of one subnet":  {header + strings.Repeat("[[subnets]]\ncidr = \"10.0.0.0/8\"\ntrust = \"peer\"\n", 2), "named already"},
		"a forged line":      {strings.Replace(header, "ACME", "A\\nB", 1), "unprintable"},
		"a key twice":        {header + "version = 4\n", "line 5"},
		"too much":           {header + strings.Repeat("# filler\n", 8000), "at most 65536"},
	} {
		file, err := bundle.Sign([]byte(c.document), organisation(1))
		if err == nil || file != nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want one that says %q", what, err, c.says)
		}
	}
}

func TestOnlyANewerBundleOfTheSameOrganisationFollows(t *testing.T) {
	version := func(v string, key ed25519.PrivateKey) *bundle.Bundle {
		return open(t, sign(t, strings.Replace(example, "version = 3", "version = "+v, 1), key))
	}
	accepted := version("3", organisation(1))
	if err := version("4", organisation(1)).Follows(accepted); err != nil {
		t.Errorf("a newer one is refused: %v", err)
	}
	for _, v := range []string{"1", "2", "3"} {
		if err := version(v, organisation(1)).Follows(accepted); !errors.Is(err, bundle.ErrRollback) {
			t.Errorf("version %s after 3: %v", v, err)
		}
	}
	if err := version("4", organisation(2)).Follows(accepted); !errors.Is(err, bundle.ErrOtherOrganisation) {
		t.Errorf("of another organisation: %v", err)
	}
}

func TestABundleExpiresAtItsMoment(t *testing.T) {
	b := open(t, sign(t, example, organisation(1)))
	at := time.Date(2027, 11, 1, 0, 0, 0, 0, time.UTC)
	if b.Expired(at.Add(-time.Nanosecond)) || !b.Expired(at) {
		t.Error("it does not expire at its moment")
	}
}

func TestAnOrganisationKeySurvivesItsFile(t *testing.T) {
	key, err := bundle.ParseKey(bundle.MarshalKey(organisation(7)))
	if err != nil || !key.Equal(organisation(7)) {
		t.Fatalf("another key came back: %v", err)
	}
	file := string(bundle.MarshalKey(organisation(7)))
	for _, bad := range []string{"", "x", file[:len(file)-5], file[1:], "caro-mesh organisation key: AAAA\n"} {
		if _, err := bundle.ParseKey([]byte(bad)); err == nil || bad != "" && len(bad) > 1 && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Whatever is opened can be applied, signs to the same bytes and is within its limits.
func FuzzOpen(f *testing.F) {
	key := organisation(1)
	f.Add([]byte(example))
	f.Add([]byte(header))
	f.Add(sign(f, example, key))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = bundle.Open(data) // must not panic
		file, err := bundle.Sign(data, key)
		if err != nil {
			return
		}
		b := open(t, file)
		if again := sign(t, string(file), key); !bytes.Equal(again, file) || len(file) > bundle.MaxSize || b.Version == 0 {
			t.Errorf("%q became %q", file, again)
		}
	})
}

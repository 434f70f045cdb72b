package export

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/policy/audit/siem"
)

// read takes frames apart: MSG-LEN = NONZERO-DIGIT *DIGIT, a space, and so many octets.
func (s *server) read(c *tls.Conn) error {
	r := bufio.NewReader(c)
	for n := 0; s.most == 0 || n < s.most; n++ {
		digits, err := r.ReadString(' ')
		if errors.Is(err, io.EOF) && digits == "" {
			return nil
		}
		if err != nil {
			return err
		}
		length, err := strconv.Atoi(strings.TrimSuffix(digits, " "))
		if err != nil || digits[0] < '1' || digits[0] > '9' || length > 64<<10 {
			return fmt.Errorf("length %q", digits)
		}
		message := make([]byte, length)
		if _, err := io.ReadFull(r, message); err != nil {
			return err
		}
		s.mu.Lock()
		s.messages = append(s.messages, string(message))
		s.mu.Unlock()
	}
	return nil
}

var sequenceParam = regexp.MustCompile(`^<1[0-9]+>1 2027-01-1[0-9]T[0-9:.]+Z anna-laptop caro-node - query_received \[.* sequence="([0-9]+)"`)

// numbersOf returns the sequences of syslog messages, and fails on one that is none.
func numbersOf(t testing.TB, messages []string) (out []uint64) {
	t.Helper()
	for _, m := range messages {
		found := sequenceParam.FindStringSubmatch(m)
		if found == nil {
			t.Fatalf("message %q", m)
		}
		n, err := strconv.ParseUint(found[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, n)
	}
	return out
}

func (c *chain) toCollector(t testing.TB, target Target) Config {
	t.Helper()
	return Config{Records: c.get, Origin: here, Format: siem.Syslog, Target: target, State: filepath.Join(t.TempDir(), "state"), Every: 5 * time.Millisecond}
}

func TestACollectorGetsEveryRecordOnceInFramesOfRFC5425(t *testing.T) {
	a := newAuthority(t)
	s := newServer(t, a)
	c := newChain(t, 1203)
	e := c.toCollector(t, s.target(a))
	if n := run(t, e); n != 1203 {
		t.Errorf("delivered %d", n)
	}
	c.grow(t, 4)
	run(t, e)
	s.stop()
	if got := numbersOf(t, s.got()); !slices.Equal(got, rising(1, 1207)) || len(s.broken) != 0 {
		t.Errorf("%d messages came, broken %v", len(got), s.broken)
	}
}

func TestOtherFormatsTravelAsTheTextOfSyslogMessages(t *testing.T) {
	a := newAuthority(t)
	for _, f := range []siem.Format{siem.JSONLines, siem.OCSF} {
		s := newServer(t, a)
		c := newChain(t, 2)
		e := c.toCollector(t, s.target(a))
		e.Format = f
		run(t, e)
		s.stop()
		got := s.got()
		if n := numbersOf(t, got); !slices.Equal(n, rising(1, 2)) {
			t.Fatalf("%s: %v", f, n)
		}
		var document map[string]any
		if _, text, ok := strings.Cut(got[0], "] {"); !ok || json.Unmarshal([]byte("{"+text), &document) != nil || document["metadata"] == nil && document["prev_hash"] == nil {
			t.Errorf("%s: %q", f, got[0])
		}
	}
}

func TestACollectorThatGoesAwayGetsTheRestWhenItIsBack(t *testing.T) {
	a := newAuthority(t)
	s := newServer(t, a)
	c := newChain(t, 3)
	e := c.toCollector(t, s.target(a))
	notes := make(chan string, 1000)
	e.Note = func(n string) { notes <- n }
	stop := follow(t, e)
	arrived := func(last uint64) {
		t.Helper()
		eventually(t, func() error {
			got := numbersOf(t, s.got())
			slices.Sort(got)
			if got = slices.Compact(got); !slices.Equal(got, rising(1, last)) {
				return fmt.Errorf("came %v, want up to %d", got, last)
			}
			return nil
		})
	}
	arrived(3)
	s.stop()
	c.grow(t, 3)
	if n := <-notes; !strings.Contains(n, "trying again") {
		t.Errorf("noted %q", n)
	}
	s.listen(s.addr.String())
	arrived(6)
	c.grow(t, 1)
	arrived(7)
	if err := stop(); err != nil {
		t.Error(err)
	}
	if st, err := load(e.State, string(e.Format), e.Target.name()); err != nil || st.Sequence != 7 {
		t.Errorf("acknowledged is %+v, %v", st, err)
	}
}

func TestWhatACollectorCutsOffIsNotAcknowledged(t *testing.T) {
	a := newAuthority(t)
	s := newServer(t, a)
	s.most = 2
	c := newChain(t, 400)
	e := c.toCollector(t, s.target(a))
	if n, err := Run(t.Context(), e); !errors.Is(err, ErrCollector) || n != 0 {
		t.Errorf("delivered %d, %v", n, err)
	}
	if st, err := load(e.State, string(e.Format), e.Target.name()); err != nil || st.Sequence != 0 {
		t.Errorf("acknowledged is %+v, %v", st, err)
	}
}

func TestACollectorHasToProveWhoItIs(t *testing.T) {
	a := newAuthority(t)
	s := newServer(t, a)
	c := newChain(t, 1)
	for name, target := range map[string]Target{
		"of another authority": Collector(s.addr, newAuthority(t).pool(), ""),
		"of another name":      Collector(s.addr, a.pool(), "other.example"),
	} {
		if n, err := Run(t.Context(), c.toCollector(t, target)); !errors.Is(err, ErrCollector) || n != 0 {
			t.Errorf("%s: delivered %d, %v", name, n, err)
		}
	}
	if len(s.got()) != 0 {
		t.Errorf("it got %q", s.got())
	}
	run(t, c.toCollector(t, Collector(s.addr, a.pool(), "logs.example")))
	eventually(t, func() error {
		if n := len(s.got()); n != 1 {
			return fmt.Errorf("%d messages by the name of the certificate", n)
		}
		return nil
	})
}

func TestRecordsAreSentToPrivateAddressesOnly(t *testing.T) {
	for _, good := range []string{"tls://127.0.0.1:6514", "tls://10.0.0.9:6514", "tls://192.168.1.5:1", "tls://172.16.0.1:65535", "tls://169.254.1.1:6514", "tls://[::1]:6514",
		"tls://[fd00::5]:6514", "tls://[fe80::1%eth0]:6514", "tls://[::ffff:10.0.0.9]:6514"} {
		if a, err := ParseAddress(good); err != nil || a == (netip.AddrPort{}) || a.Addr().Is4In6() {
			t.Errorf("%s: %v, %v", good, a, err)
		}
	}
	for bad, why := range map[string]string{
		"tls://logs.example.org:6514": "names are not looked up", "tls://localhost:6514": "names are not looked up", "tls://logs:6514": "names are not looked up",
		"tls://8.8.8.8:6514": "public address", "tls://100.64.0.1:6514": "public address", "tls://[2001:db8::1]:6514": "public address", "tls://[::ffff:8.8.8.8]:6514": "public address",
		"tls://0.0.0.0:6514": "nobody can listen", "tls://[::]:6514": "nobody can listen", "tls://224.0.0.1:6514": "nobody can listen", "tls://10.0.0.9:0": "nobody can listen",
		"tls://10.0.0.9": "with a port", "tls://:6514": "with a port", "tls://10.0.0.9:syslog": "with a port", "tls://user@10.0.0.9:6514": "names are not", "tls://10.0.0.9:6514/path": "with a port",
		"10.0.0.9:6514": "does not begin with tls://", "tcp://10.0.0.9:6514": "does not begin with tls://", "": "does not begin with tls://",
	} {
		if a, err := ParseAddress(bad); !errors.Is(err, ErrAddress) || !strings.Contains(err.Error(), why) || a != (netip.AddrPort{}) {
			t.Errorf("%q: %v, %v, want %q", bad, a, err, why)
		}
	}
}

package siem

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// message is a syslog message as the grammar of RFC 5424, section 6, takes it apart.
type message struct {
	priority                     int
	timestamp                    time.Time
	hostname, app, procID, msgID string
	elements                     map[string]map[string]string
	text                         string
}

// parser reads from the front of what is left. It shares nothing with the writer: it was written from the ABNF.
type parser struct{ rest string }

func (p *parser) expect(s string) error {
	if !strings.HasPrefix(p.rest, s) {
		return fmt.Errorf("expected %q before %.20q", s, p.rest)
	}
	p.rest = p.rest[len(s):]
	return nil
}

// printUSASCII reads a word of %d33-126 of at most n characters: HOSTNAME, APP-NAME, PROCID and MSGID.
func (p *parser) printUSASCII(n int) (string, error) {
	i := 0
	for i < len(p.rest) && p.rest[i] >= 33 && p.rest[i] <= 126 {
		i++
	}
	if i == 0 || i > n {
		return "", fmt.Errorf("%d characters where 1 to %d are allowed, before %.20q", i, n, p.rest)
	}
	word := p.rest[:i]
	p.rest = p.rest[i:]
	return word, nil
}

// sdName reads an SD-NAME: 1*32PRINTUSASCII without "=", SP, "]" and the quotation mark.
func (p *parser) sdName() (string, error) {
	i := 0
	for i < len(p.rest) && p.rest[i] >= 33 && p.rest[i] <= 126 && !strings.ContainsRune(`="]`, rune(p.rest[i])) {
		i++
	}
	if i == 0 || i > 32 {
		return "", fmt.Errorf("a name of %d characters before %.20q", i, p.rest)
	}
	name := p.rest[:i]
	p.rest = p.rest[i:]
	return name, nil
}

// paramValue reads a PARAM-VALUE up to its closing quotation mark: the three characters must be escaped, and a backslash
// before any other is an ordinary backslash.
func (p *parser) paramValue() (string, error) {
	var b strings.Builder
	for i := 0; i < len(p.rest); {
		c, size := utf8.DecodeRuneInString(p.rest[i:])
		switch {
		case c == utf8.RuneError && size == 1:
			return "", errors.New("a value that is not UTF-8")
		case c == '"':
			p.rest = p.rest[i:]
			return b.String(), nil
		case c == ']':
			return "", errors.New("a bracket that is not escaped")
		case c == '\\' && i+1 < len(p.rest) && strings.ContainsRune(`"\]`, rune(p.rest[i+1])):
			b.WriteByte(p.rest[i+1])
			i += 2
			continue
		case c == '\\':
			return "", errors.New("a backslash that is not escaped")
		}
		b.WriteRune(c)
		i += size
	}
	return "", errors.New("a value without an end")
}

func (p *parser) element() (string, map[string]string, error) {
	if err := p.expect("["); err != nil {
		return "", nil, err
	}
	id, err := p.sdName()
	if err != nil {
		return "", nil, err
	}
	params := make(map[string]string)
	for strings.HasPrefix(p.rest, " ") {
		p.rest = p.rest[1:]
		name, err := p.sdName()
		if err != nil {
			return "", nil, err
		}
		if err := p.expect(`="`); err != nil {
			return "", nil, err
		}
		value, err := p.paramValue()
		if err != nil {
			return "", nil, fmt.Errorf("%s of %s: %w", name, id, err)
		}
		if err := p.expect(`"`); err != nil {
			return "", nil, err
		}
		if _, twice := params[name]; twice {
			return "", nil, fmt.Errorf("%s of %s stands there twice", name, id)
		}
		params[name] = value
	}
	return id, params, p.expect("]")
}

func (p *parser) priority() (int, error) {
	if err := p.expect("<"); err != nil {
		return 0, err
	}
	digits, rest, ok := strings.Cut(p.rest, ">")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 0 || n > 191 || strconv.Itoa(n) != digits {
		return 0, fmt.Errorf("priority %.20q", p.rest)
	}
	p.rest = rest
	return n, nil
}

func parse(line []byte) (m message, err error) {
	p := &parser{string(line)}
	if m.priority, err = p.priority(); err != nil {
		return m, err
	}
	if err := p.expect("1 "); err != nil {
		return m, err
	}
	stamp, err := p.printUSASCII(len("2006-01-02T15:04:05.000000+00:00"))
	if err != nil {
		return m, err
	}
	if m.timestamp, err = time.Parse("2006-01-02T15:04:05.999999Z07:00", stamp); err != nil {
		return m, err
	}
	for _, field := range []struct {
		into *string
		most int
	}{{&m.hostname, 255}, {&m.app, 48}, {&m.procID, 128}, {&m.msgID, 32}} {
		if err := p.expect(" "); err != nil {
			return m, err
		}
		if *field.into, err = p.printUSASCII(field.most); err != nil {
			return m, err
		}
	}
	if err := p.expect(" "); err != nil {
		return m, err
	}
	m.elements = make(map[string]map[string]string)
	if strings.HasPrefix(p.rest, "-") {
		p.rest = p.rest[1:]
	} else {
		for ok := true; ok; ok = strings.HasPrefix(p.rest, "[") {
			id, params, err := p.element()
			if err != nil {
				return m, err
			}
			if m.elements[id] != nil {
				return m, fmt.Errorf("element %s stands there twice", id)
			}
			m.elements[id] = params
		}
	}
	if p.rest == "" {
		return m, nil
	}
	if err := p.expect(" "); err != nil {
		return m, err
	}
	m.text = p.rest
	return m, nil
}

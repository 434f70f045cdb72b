package redact

// set is a bit mask of byte classes, so that membership is one table look-up.
type set uint16

const (
	setDigit  set = 1 << iota // n  0-9
	setHex                    // h  0-9 a-f
	setAnyHex                 // x  0-9 a-f A-F
	setLower                  // l  0-9 a-z
	setUpper                  // u  0-9 A-Z
	setAlnum                  // a  0-9 a-z A-Z
	setWord                   // w  alnum _
	setURL64                  // d  alnum _ -
	setB64                    // b  alnum + / =
	setLoose                  // s  alnum _ - . ~
	setSpace                  // blank, tab, newline, carriage return
	setIdent                  // letters, digits, _ - . as they occur in names of settings
)

var sets [256]set

var setLetters = map[byte]set{'n': setDigit, 'h': setHex, 'x': setAnyHex, 'l': setLower, 'u': setUpper, 'a': setAlnum,
	'w': setWord, 'd': setURL64, 'b': setB64, 's': setLoose}

func init() {
	add := func(s set, chars string) {
		for i := range len(chars) {
			sets[chars[i]] |= s
		}
	}
	const digits, lower, upper = "0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	const alnum = digits + lower + upper
	add(setDigit, digits)
	add(setHex, digits+"abcdef")
	add(setAnyHex, digits+"abcdefABCDEF")
	add(setLower, digits+lower)
	add(setUpper, digits+upper)
	add(setAlnum, alnum)
	add(setWord, alnum+"_")
	add(setURL64, alnum+"_-")
	add(setB64, alnum+"+/=")
	add(setLoose, alnum+"_-.~")
	add(setSpace, " \t\r\n")
	add(setIdent, alnum+"_-.")
}

func is(b byte, s set) bool { return sets[b]&s != 0 }

// piece is a run of at least min and at most max bytes of one set, or, with set 0, the literal byte lit.
type piece struct {
	set      set
	lit      byte
	min, max int
}

// unbounded is the max of an open run.
const unbounded = 1 << 30

// compile reads the little language of the rule tables: a class letter (see the constants above) with a count
// ("a36"), a range ("l10-48") or a minimum ("w20+"), and literal bytes after a backslash ("d22\.d43").
func compile(p string) []piece {
	var out []piece
	number := func(i int) (int, int) {
		n := 0
		start := i
		for i < len(p) && is(p[i], setDigit) {
			n = n*10 + int(p[i]-'0')
			i++
		}
		if start == i {
			panic("redact: number expected in pattern " + p)
		}
		return n, i
	}
	for i := 0; i < len(p); {
		if p[i] == '\\' {
			out = append(out, piece{lit: p[i+1], min: 1, max: 1})
			i += 2
			continue
		}
		s, ok := setLetters[p[i]]
		if !ok {
			panic("redact: unknown class in pattern " + p)
		}
		n, next := number(i + 1)
		e := piece{set: s, min: n, max: n}
		if next < len(p) && p[next] == '+' {
			e.max = unbounded
			next++
		} else if next < len(p) && p[next] == '-' {
			e.max, next = number(next + 1)
		}
		out = append(out, e)
		i = next
	}
	return out
}

// match matches the pieces at s[i:], each as long as it can be, and returns the end, or -1. Open runs never need to
// give anything back: no rule has a piece behind one of its own bytes.
func match(pieces []piece, s string, i int) int {
	for _, p := range pieces {
		start := i
		if p.set == 0 {
			if i >= len(s) || s[i] != p.lit {
				return -1
			}
			i++
			continue
		}
		for i < len(s) && i-start < p.max && is(s[i], p.set) {
			i++
		}
		if i-start < p.min {
			return -1
		}
	}
	return i
}

// matchBack is match towards the beginning: the pieces end at s[:i], and the result is where they start.
func matchBack(pieces []piece, s string, i int) int {
	for k := len(pieces) - 1; k >= 0; k-- {
		p := pieces[k]
		end := i
		if p.set == 0 {
			if i == 0 || s[i-1] != p.lit {
				return -1
			}
			i--
			continue
		}
		for i > 0 && end-i < p.max && is(s[i-1], p.set) {
			i--
		}
		if end-i < p.min {
			return -1
		}
	}
	return i
}

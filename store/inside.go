package store

import (
	"database/sql/driver"
	"fmt"
	"sync"

	"modernc.org/sqlite"
)

// inside holds the searches that are under way. They run inside SQLite: functions of this program, called from SQL, look at
// the columns of a segment where SQLite holds them. A search through a million commands would otherwise copy fifty
// megabytes, and throw them away.
var inside = newInsideSearch()

// insideSearch finds a search by the number with which SQL names it.
type insideSearch struct {
	mu   sync.RWMutex
	last int64
	m    map[int64]*finder
}

// What caro_traits answers.
const (
	traitsNone int64 = iota // none matches
	traitsMany              // the commands have to be looked at
	traitsFew               // those that match are better read one by one
)

func newInsideSearch() *insideSearch {
	in := &insideSearch{m: map[int64]*finder{}}
	// The functions see SQLite's own memory, and keep nothing of it.
	for _, fn := range []struct {
		name string
		args int32
		call func(f *finder, args []driver.Value) int64
	}{
		{"caro_stop", 2, func(f *finder, args []driver.Value) int64 {
			return truth(f.stops(number(args[1])))
		}},
		{"caro_grams", 2, func(f *finder, args []driver.Value) int64 {
			return truth(grams(blob(args[1])).mayHold(f.bits))
		}},
		{"caro_traits", 5, func(f *finder, args []driver.Value) int64 {
			return f.lookAtTraits(&segment{last: number(args[1]), first: number(args[2]), events: int(number(args[3])), attributes: blob(args[4])})
		}},
		{"caro_words", 3, func(f *finder, args []driver.Value) int64 {
			f.at = number(args[1])
			return truth(f.findWords(blob(args[2])))
		}},
	} {
		sqlite.MustRegisterFunction(fn.name, &sqlite.FunctionImpl{NArgs: fn.args, VolatileArgs: true,
			Scalar: func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
				f := in.find(number(args[0]))
				if f == nil {
					return nil, fmt.Errorf("%s: there is no search %v", fn.name, args[0])
				}
				return fn.call(f, args), nil
			}})
	}
	return in
}

// begin gives a search its number until done is called.
func (in *insideSearch) begin(f *finder) (number int64, done func()) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.last++
	number = in.last
	in.m[number] = f
	return number, func() {
		in.mu.Lock()
		defer in.mu.Unlock()
		delete(in.m, number)
	}
}

func (in *insideSearch) find(number int64) *finder {
	in.mu.RLock()
	defer in.mu.RUnlock()
	return in.m[number]
}

// lookAtTraits answers caro_traits. What it cannot read stops the search, which then tells why: SQLite would only pass on the
// text of an error.
func (f *finder) lookAtTraits(s *segment) int64 {
	f.at = s.last
	match, err := f.unpack(s)
	switch {
	case err != nil:
		f.failed = err
		return traitsFew // so that the row comes out
	case !match:
		return traitsNone
	case len(f.m.words) > 0 && len(f.all()) <= fewRows:
		return traitsFew
	}
	return traitsMany
}

// stops reports that no segment from this one on is needed, or can be looked at.
func (f *finder) stops(last int64) bool {
	if f.ctx.Err() != nil || f.failed != nil {
		return true
	}
	if len(f.keys)+len(f.pending) < f.limit {
		return false
	}
	n := len(f.keys)
	for _, k := range f.pending {
		if k > last {
			n++
		}
	}
	return n >= f.limit
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func number(v driver.Value) int64 {
	n, _ := v.(int64) // 0 for what cannot be: the columns are STRICT
	return n
}

func blob(v driver.Value) []byte {
	b, _ := v.([]byte)
	return b
}
